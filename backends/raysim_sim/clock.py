"""Virtual time on simpy's event queue, in nanoseconds from 0. Never runs unless somebody waits.

Events are duck-typed simpy events: they share one tuple with one callback and are no tracked objects, which
makes them cheaper than a bare heap: the queue holds one entry for all events of an instant, which run in
the order of their scheduling. Instants that many events share are the rule.
"""

from collections import deque
from collections.abc import Callable, Iterator
from gc import collect
from heapq import heappop, heappush
from typing import Any, ClassVar, Final, Protocol

import msgspec
from simpy import Environment
from simpy.events import NORMAL

COLLECT_EVERY: Final = 1 << 18
"""Events between two collections of young garbage: a count, so that finalizers run at the same point of
the same run. Python's own collector is off meanwhile. Those of user code come more often: see users."""
_FULL_EVERY: Final = 16
_FULL_WITHOUT_CODE: Final = 64
_COMPACT_AT: Final = 1 << 14
"""Cancelled timers in the queue from which on it is worth a look whether they are the larger part."""


class Done(Protocol):
    @property
    def done(self) -> bool: ...


class Call(msgspec.Struct, gc=False):
    """Runs a function once. `action` is emptied when it has run or was cancelled."""

    clock: "Clock"
    action: Callable[[], None] | None
    callbacks: Any = ()
    _ok: ClassVar[bool] = True

    def cancel(self) -> None:
        if self.action is not None:
            self.action = None
            self.clock.count_cancelled()


def _run(call: Call) -> None:
    action = call.action
    if action is not None:
        call.action = None
        action()


_RUN: Final = (_run,)


class Clock(Environment):
    """The queue of everything that will happen."""

    _now: int

    def __init__(self) -> None:
        super().__init__(0)
        self.expected = 0
        """Things under way that will end by themselves: sleeps, synthetic work, transfers, starts."""
        self.active_ns = 0
        """When user code ran last, or something of `expected` ended."""
        self.user_code_ran = False
        """Since the last collection."""
        self._until_collect = COLLECT_EVERY
        self._collections = 0
        self._look: Callable[[], None] | None = None
        self._look_every = 0
        self._until_look = 0
        self._cancelled = 0
        self._instants: dict[int, deque[Any]] = {}
        """What happens at each moment for which something is planned."""
        self._due: deque[Any] = deque()
        """What is left of the present one."""

    @property
    def now_ns(self) -> int:
        return self._now

    def after(self, delay_ns: int, event: object) -> None:
        """Put a duck-typed event into the queue."""
        at_ns = self._now + delay_ns
        instant = self._instants.get(at_ns)
        if instant is None:
            self._instants[at_ns] = instant = deque((event,))
            entry: Any = instant
            heappush(self._queue, (at_ns, NORMAL, next(self._eid), entry))
        else:
            instant.append(event)

    def _advance(self) -> "deque[Any]":
        """To the next moment for which something is planned."""
        self._instants.pop(self._now, None)
        entry: Any = heappop(self._queue)
        self._now, self._due = entry[0], entry[3]
        return self._due

    def call(self, delay_ns: int, action: Callable[[], None]) -> Call:
        call = self.make_call(action)
        self.after(delay_ns, call)
        return call

    def make_call(self, action: Callable[[], None]) -> Call:
        return Call(self, action, _RUN)

    def run_until(self, waiter: Done) -> None:
        """Let things happen until the waiter is done. The queue is never empty meanwhile: see Watchdog."""
        if self._look is not None:
            self._run_watched(waiter, self._look)
            return
        due, left = self._due, self._until_collect
        while not waiter.done:
            while not due:  # An event may have run others, and time with them: see SimWorld.why.
                due = self._due or self._advance()
            event = due.popleft()
            event.callbacks[0](event)
            left -= 1
            if not left:
                left = COLLECT_EVERY
                self._collect()
        self._until_collect = left

    def watch(self, every: int, look: Callable[[], None]) -> None:
        """Call `look` between two events, after so many: it is no event, so that a run is the same without."""
        self._look, self._look_every, self._until_look = look, every, every

    def _run_watched(self, waiter: Done, look: Callable[[], None]) -> None:
        due, left, until_look = self._due, self._until_collect, self._until_look
        while not waiter.done:
            while not due:
                due = self._due or self._advance()
            event = due.popleft()
            event.callbacks[0](event)
            until_look -= 1
            if not until_look:
                until_look = self._look_every
                look()
            left -= 1
            if not left:
                left = COLLECT_EVERY
                self._collect()
        self._until_collect, self._until_look = left, until_look

    def _collect(self) -> None:
        """Where no user code ran there is hardly any garbage: the protocol makes no cycles but of what ends."""
        self._collections += 1
        ran, self.user_code_ran = self.user_code_ran, False
        if not self._collections % (_FULL_EVERY if ran else _FULL_WITHOUT_CODE):
            collect(2)
        elif ran:
            collect(1)

    def count_cancelled(self) -> None:
        """A timer was cancelled. Its place in the queue is given back when such are the larger part."""
        self._cancelled += 1
        if self._cancelled % _COMPACT_AT == 0:
            self._compact()

    def _compact(self) -> None:
        instants = self._instants.values()
        if 2 * self._cancelled > sum(map(len, instants)):
            for instant in instants:  # In place: the loop above holds one of them.
                kept = [event for event in instant if not is_cancelled(event)]
                instant.clear()
                instant.extend(kept)
            self._cancelled = 0

    def planned(self) -> Iterator[Any]:
        """All events that are to happen, in no order."""
        for instant in self._instants.values():
            yield from instant

    def clear(self) -> None:
        """Nothing of what is planned happens. Also breaks the cycles that untracked events are part of."""
        for event in self.planned():
            if hasattr(event, "action"):
                event.action = None
        self._queue.clear()
        self._look = None
        self._instants.clear()
        self._due.clear()


def is_cancelled(event: object) -> bool:
    return getattr(event, "action", event) is None


class Watchdog:
    """Looks now and then whether anything can still happen; calls `stuck` when nothing can.

    Periodic timers of the protocol go on for ever, so an empty queue is no sign: what counts is that no
    user code ran for longer than the protocol ever takes to find a loss and recover from it.
    """

    def __init__(self, clock: Clock, patience_ns: int, stuck: Callable[[], None]) -> None:
        self._clock = clock
        self._patience_ns = patience_ns
        self._stuck = stuck
        clock.call(patience_ns, self._look)

    def _look(self) -> None:
        clock = self._clock
        clock.call(self._patience_ns, self._look)
        if not clock.expected and clock._now - clock.active_ns >= self._patience_ns:
            clock.active_ns = clock._now
            self._stuck()
