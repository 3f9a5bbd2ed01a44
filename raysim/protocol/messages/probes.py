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
    expected_ns: int = -1
    """How long each will run, as far as is known; -1: nobody knows."""


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


class StealRequests(Message):
    """Raylet to raylet: nothing waits here, and so much is free. Only under a policy that steals.

    Reply: RequestsStolen; and for each of them WorkerLeaseSpilled to its owner. Lost: the sender asks the next one,
    or this one again when something changes.
    """

    number: int
    """Unique for its sender."""
    free: Wanted


class RequestsStolen(Message):
    """Raylet to raylet: so many requests that waited here are on their way to you, by way of their owners.

    Lost: the thief asks the next one, or this one again.
    """

    number: int
    count: int
