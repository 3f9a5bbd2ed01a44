"""The order of events of one instant, where it is not that of their scheduling. Never lets time go back.

An event gets its place when it is scheduled: a number between its time and its count in the queue's key.
Events of one lane (a connection, the timers of a process, its user code) keep their order: the later one of
an instant takes the place of the one before.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final, Protocol

from raysim.faults.order import DELAYED, PCT, RANDOM, Order
from raysim.tape import Tape
from raysim_sim.clock import Call, Clock, is_cancelled

_PLACES: Final = 1 << 20
"""So many places in an instant are drawn among: two events seldom share one."""
_LAST: Final = 1 << 40
_REMEMBERED: Final = 32
"""Moments of a lane from which on those that are over are forgotten."""


class OrderedClock(Clock):
    """A clock with an order policy. The plain one is the policy `fifo`, at no cost."""

    def __init__(self, order: Order, tape: Tape) -> None:
        super().__init__()
        self._order = order
        self._bound = order.bound_ns
        self._place = _POLICIES[order.kind](order, tape)
        self._lanes: dict[Any, dict[int, int]] = {}
        """Of each lane, the place of its events at each moment for which it has any."""

    def after(self, delay_ns: int, event: object) -> None:
        shape = _SHAPES.get(type(event)) or _shape_of(event)
        at_ns = self._now + delay_ns
        if self._bound and shape in _MOVABLE:
            at_ns = -(-at_ns // self._bound) * self._bound
        lane = _lane_of(event, shape)
        place = 0
        if lane is not None:
            places = self._lanes.get(lane)
            if places is None:
                places = self._lanes[lane] = {}
            found = places.get(at_ns)
            place = self._new_place(lane, places, at_ns) if found is None else found
        entry: Any = (at_ns, place, next(self._eid), event)
        heappush(self._queue, entry)

    def put(self, at_ns: int, place: int, event: object) -> None:
        """Into the queue at this moment, and there at this place."""
        entry: Any = (at_ns, place, next(self._eid), event)
        heappush(self._queue, entry)

    def _advance(self) -> "deque[Any]":
        entry: Any = heappop(self._queue)
        self._now = entry[0]
        self._due.append(entry[3])
        return self._due

    def _compact(self) -> None:
        if 2 * self._cancelled > len(self._queue):
            self._queue[:] = [entry for entry in self._queue if not is_cancelled(entry[3])]
            heapify(self._queue)
            self._cancelled = 0

    def clear(self) -> None:
        super().clear()
        self._lanes.clear()
        self._place.forget()

    def planned(self) -> Iterator[Any]:
        for entry in self._queue:
            yield entry[3]

    def call(self, delay_ns: int, action: Any) -> Call:
        # What the world does itself: before what it does it to, in the order in which it said so.
        call = self.make_call(action)
        self.put(self._now + delay_ns, 0, call)
        return call

    def _new_place(self, lane: Any, places: dict[int, int], at_ns: int) -> int:
        """Of the first event of a lane at this moment."""
        if len(places) >= _REMEMBERED:
            for past_ns in [known_ns for known_ns in places if known_ns < self._now]:
                del places[past_ns]
        place = places[at_ns] = self._place(lane)
        return place


_MESSAGE, _TIMER, _HOSTS, _LOSS, _CALL, _OTHER = range(1, 7)
_MOVABLE: Final = (_MESSAGE, _TIMER, _LOSS, _CALL)
"""Of these, events may come a little later."""

_SHAPES: dict[type, int] = {}
"""Of each kind of event, by what it has: asked once."""


def _shape_of(event: object) -> int:
    has = [name for name in ("connection", "peer", "host", "action") if hasattr(event, name)]
    if "connection" in has:
        shape = _MESSAGE
    elif "peer" in has:
        shape = _LOSS
    elif "host" in has:
        shape = _TIMER if "action" in has else _HOSTS
    else:
        shape = _CALL if "action" in has else _OTHER
    _SHAPES[type(event)] = shape
    return shape


def _lane_of(event: Any, shape: int) -> Any:
    """What the event must keep its order with."""
    if shape == _MESSAGE:
        return event.connection
    if shape <= _HOSTS:
        return event.host
    if shape == _LOSS:  # Behind what the peer sent.
        return event.host.incoming.get(event.peer.address.worker_id, event.host)
    return None


class _Policy(Protocol):
    """The place of an event in its instant, given its lane."""

    def __call__(self, lane: Any) -> int: ...

    def forget(self) -> None:
        """The world is over: lead to no process of it any more."""


class _Random:
    def __init__(self, order: Order, tape: Tape) -> None:
        self._tape = tape

    def __call__(self, lane: Any) -> int:
        return 1 + self._tape.draw("order", _PLACES)

    def forget(self) -> None:
        """It knows none."""


class _Pct:
    """The receiver of an event decides its place: that is whose code runs."""

    def __init__(self, order: Order, tape: Tape) -> None:
        self._tape = tape
        self._priorities: dict[Any, int] = {}
        self._changes = {tape.draw("order: changes", order.length) for _ in range(order.depth - 1)}
        self._lowest = _PLACES
        self._count = 0

    def __call__(self, lane: Any) -> int:
        process = getattr(lane, "target", lane)
        place = self._priorities.get(process)
        if place is None:
            place = self._priorities[process] = 1 + self._tape.draw("order", _PLACES)
        self._count += 1
        if self._count in self._changes:
            self._lowest += 1
            place = self._priorities[process] = self._lowest
        return place

    def forget(self) -> None:
        self._priorities.clear()


class _Delayed:
    def __init__(self, order: Order, tape: Tape) -> None:
        self._delayed = {tape.draw("order: delayed", order.length) for _ in range(order.depth)}
        self._count = 0

    def __call__(self, lane: Any) -> int:
        self._count += 1
        return _LAST if self._count in self._delayed else 1

    def forget(self) -> None:
        """It knows none."""


_POLICIES: Final[dict[str, Callable[[Order, Tape], _Policy]]] = {
    RANDOM: _Random,
    PCT: _Pct,
    DELAYED: _Delayed,
}
