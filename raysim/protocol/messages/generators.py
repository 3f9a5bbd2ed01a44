"""Items of generators, as they are made, and how far their consumers are."""

import msgspec

from raysim.protocol.messages.base import Message
from raysim.protocol.messages.tasks import Return
from raysim.spec.address import Address
from raysim.spec.ids import TaskId

NO_LIMIT = -1
"""In place of a number of items: nobody takes any more, so that nothing has to wait for them."""


class GeneratorItem(msgspec.Struct, gc=False, array_like=True):
    """One item; its object is the return after that of the call itself, `index` counts from 0."""

    task_id: TaskId
    attempt: int
    index: int
    value: Return


class GeneratorItems(Message):
    """Executor to owner: what generators have yielded, in their order; TasksDone follows the last.

    `raylet`: whose store holds the items that are not inline. Reply: none; GeneratorConsumed as the
    consumer goes on, where the call is limited. Lost: with the connection; the owner runs the call again,
    and takes of each item the first copy.
    """

    raylet: Address
    items: list[GeneratorItem]


class Consumed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """So many items of an attempt, from the first on, were taken; NO_LIMIT: all there will ever be."""

    task_id: TaskId
    attempt: int
    count: int


class GeneratorConsumed(Message):
    """Owner to executor: items were taken; a generator that waited for that may go on (back-pressure).

    Reply: none. Lost: with the connection.
    """

    calls: list[Consumed]
