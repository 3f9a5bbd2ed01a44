"""Where the calls of a class wait, under a policy that queues: asked of the own raylet. Never a lease: see requests."""

from collections.abc import Callable, Sequence

import msgspec

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import CallsPlaced, PlaceCalls
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.spec.address import Address


class _Question(msgspec.Struct):
    cls: SchedulingClass
    place: PlaceCalls
    timer: Timer | None = None


class Reservations:
    """`placed(cls, raylets)`: leases are to be asked for there."""

    def __init__(
        self,
        host: Host,
        raylet: Address,
        placed: Callable[[SchedulingClass, Sequence[Address]], None],
    ) -> None:
        self._host = host
        self._raylet = raylet
        self._placed = placed
        self._open: dict[int, _Question] = {}
        self._next_number = 0

    def ask_for(self, cls: SchedulingClass) -> None:
        """Places for the calls that have none."""
        count = len(cls.queue) - cls.awaited
        if count <= 0:
            return
        cls.awaited += count
        self._next_number += 1
        place = PlaceCalls(self._next_number, count, cls.template.resources, cls.expected_ns)
        self._open[place.number] = question = _Question(cls, place)
        self._ask(question)

    def _ask(self, question: _Question) -> None:
        """Also when nothing waits any more: the raylet forgets it with its answer."""
        self._host.send(self._raylet, question.place)
        retry_ns = self._host.config.request_retry_ns
        question.timer = self._host.call_later(retry_ns, lambda: self._ask(question))

    def on_placed(self, sender: Address, placed: CallsPlaced) -> None:
        question = self._open.pop(placed.number, None)
        if question is None:
            return  # A second copy.
        if question.timer is not None:
            question.timer.cancel()
        cls = question.cls
        if not cls.queue:
            cls.awaited = max(0, cls.awaited - question.place.count)
        else:
            self._placed(cls, placed.raylets)
