"""Compiled graphs: opening them at their actors, and the values that then go straight from actor to actor."""

import msgspec

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, ObjectId, TaskId, WorkerId


class ChannelOutput(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where one return value goes: a channel of the graph, and the processes that read it."""

    channel: int
    readers: list[Address]


class GraphStep(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A method that an actor runs once in every pass."""

    method: str
    args: bytes
    """The serialised `(args, kwargs)`, None where a channel's value belongs."""
    inputs: list[tuple[int, int]]
    """Position among the arguments, and the channel whose value belongs there."""
    outputs: list[ChannelOutput]
    """One for each return value."""


class OpenGraph(Message):
    """Driver to actor: your part of a compiled graph, in the order in which each pass runs it.

    `graph_id` is laid out as the id of a task of the driver. Reply: GraphOpened; nothing is written
    into the graph before every actor has said so. Lost: with the connection; the driver learns of
    the actor's end from the GCS. A second copy is answered again.
    """

    graph_id: TaskId
    actor_id: ActorId
    steps: list[GraphStep]


class GraphOpened(Message):
    """Actor to driver: my part of the graph takes values.

    Lost: with the connection, as OpenGraph.
    """

    graph_id: TaskId
    actor_id: ActorId
    place: str = ""
    """Of the inbox where processes of the same node put small values; empty: they come as messages."""


class ConnectGraph(Message):
    """Driver to actor: inboxes of this node that your values may go straight into.

    Reply: none. Lost: with the connection; values without a place go as messages, as they do until
    this has come.
    """

    graph_id: TaskId
    places: dict[WorkerId, str]


class ChannelWrite(Message):
    """Writer to reader: the value of this channel in this pass, where it did not go straight into an inbox.

    Exactly one of: `payload`, inline; `object_id`, in the store of `holder`, owned by the writer;
    `failure`. Reply: ChannelRead where the value is `held`. Lost: with the connection; the driver ends
    the graph when an actor of it ends. A second copy overwrites the first with the same value.
    """

    graph_id: TaskId
    number: int
    """Of the pass, from 0."""
    channel: int
    payload: bytes | None = None
    is_error: bool = False
    """What the method raised."""
    held: bool = False
    """The writer keeps the stored value, or references inside the value, until it was read."""
    object_id: ObjectId | None = None
    size: int = 0
    holder: Address | None = None
    failure: Failure | None = None


class ChannelRead(Message):
    """Reader to writer: what the value refers to is held by me now, or not needed.

    Reply: none. Lost: the writer lets go when the graph is closed.
    """

    graph_id: TaskId
    number: int
    channel: int


class CloseGraph(Message):
    """Driver to actor: this graph runs no more; a method under way ends, its value goes nowhere.

    Reply: none. Lost: with the connection; an actor closes the graphs of a driver that is lost.
    """

    graph_id: TaskId
