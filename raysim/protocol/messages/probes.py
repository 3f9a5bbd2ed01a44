"""Probes: where calls shall wait, under a policy that draws nodes and looks how long their queues are."""

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address
from raysim.spec.resources import Wanted


class PlaceCalls(Message):
    """Owner to its raylet: where shall so many calls wait for their leases? Only under a policy that queues.

    Reply: CallsPlaced. Lost: asked again with the same `number`; the raylet then waits no longer for probes.
    """

    number: int
    """Unique for its owner."""
    count: int
    resources: Wanted


class CallsPlaced(Message):
    """Raylet to owner: ask these raylets for leases. They may be more than calls: the first to grant serve them.

    Lost: the owner asks again, and takes the first answer.
    """

    number: int
    raylets: list[Address]
    """None: no node that is known could run them. The own raylet is to be asked, which says so."""


class ProbeQueue(Message):
    """Raylet to raylet: how many wait for such resources at your node?

    Reply: QueueProbed. Lost: the owner asks again where its calls shall wait.
    """

    number: int
    """Unique for its sender."""
    resources: Wanted


class QueueProbed(Message):
    """Raylet to raylet: so many requests wait here, or so many would be granted at once.

    Lost: the owner asks again where its calls shall wait.
    """

    number: int
    load: int
    """Requests that wait; where none does, minus those for which there is room."""
