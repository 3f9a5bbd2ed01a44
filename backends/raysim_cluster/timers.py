"""What is to be done later, in order of time and then of asking. Never reads a clock."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

_SWEEP: Final = 256
"""Cancelled entries tolerated before the heap is rebuilt without them, at least."""

NEVER_NS: Final = 1 << 63
"""Later than any time."""


class HeapTimer(msgspec.Struct, gc=False, eq=False):
    """A timer of `Timers`. Cancelling leaves its entry in the heap until it is due or swept."""

    action: Callable[[], None] | None
    timers: "Timers"

    def cancel(self) -> None:
        if self.action is not None:
            self.action = None
            self.timers.cancelled()


class Timers:
    def __init__(self) -> None:
        self._heap: list[tuple[int, int, HeapTimer]] = []
        self.first_ns = NEVER_NS
        """When the first entry is due, which may have been cancelled."""
        self._count = 0
        self._cancelled = 0

    def add(self, when_ns: int, action: Callable[[], None]) -> HeapTimer:
        timer = HeapTimer(action, self)
        self._count += 1
        heappush(self._heap, (when_ns, self._count, timer))
        if when_ns < self.first_ns:
            self.first_ns = when_ns
        return timer

    def cancelled(self) -> None:
        """An entry counts no more. One that was never in the heap only brings the sweep nearer."""
        self._cancelled += 1
        if self._cancelled > _SWEEP and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapify(self._heap)
            self.first_ns = self._heap[0][0] if self._heap else NEVER_NS
            self._cancelled = 0

    def next_ns(self) -> int | None:
        """When the first timer that still counts is due."""
        heap = self._heap
        while heap:
            when, _, timer = heap[0]
            if timer.action is not None:
                self.first_ns = when
                return when
            heappop(heap)
            self._cancelled -= 1
        self.first_ns = NEVER_NS
        return None

    def due(self, now_ns: int) -> Callable[[], None] | None:
        """Takes the first action that is due, or None."""
        when = self.next_ns()
        if when is None or when > now_ns:
            return None
        timer = heappop(self._heap)[2]
        self.first_ns = self._heap[0][0] if self._heap else NEVER_NS
        action, timer.action = timer.action, None
        return action
