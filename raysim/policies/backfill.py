"""Orders of arrival in which small tasks may fill what large ones leave. Never past what was promised.

They go by what tasks say they will run for. One of which nobody knows it is taken to run for ever.
"""

from itertools import islice
from random import Random
from typing import Final

from raysim.policies.queue import UNKNOWN, Queue, Waiting
from raysim.spec.resources import Resources, add, fits, subtract

NEVER: Final = 1 << 62


class FirstCome:
    """Strictly in the order of arrival: whoever has no room holds up all behind."""

    name = "fcfs"

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        head = next(iter(queue.waiting.values()), None)
        return head if head is not None and queue.fits(head) else None


class Easy:
    """The first one has a promise; others may pass that do not delay it (Lifka 1995; Mu'alem and Feitelson 2001)."""

    name = "easy"

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        head = next(iter(queue.waiting.values()), None)
        if head is None or queue.fits(head):
            return head
        begins_ns, spare = _promise(queue, head)
        for task in islice(queue.waiting.values(), 1, None):
            if not queue.fits(task):
                continue
            ends_ns = NEVER if task.expected_ns == UNKNOWN else queue.now_ns + task.expected_ns
            if ends_ns <= begins_ns or fits(task.need, spare):
                return task
        return None


def _promise(queue: Queue, head: Waiting) -> tuple[int, Resources]:
    """When the first one has room at the latest, and what is left beside it then."""
    free = dict(queue.free)
    for ends_ns, back in _ends(queue):
        add(free, back)
        if fits(head.need, free):
            subtract(free, head.need)
            return ends_ns, free
    return NEVER, dict(queue.free)  # It waits for what is no task: nobody could delay it.


def _ends(queue: Queue) -> list[tuple[int, Resources]]:
    """What comes free, and when, in the order of the time."""
    found = []
    for one in queue.running.values():
        left_ns = one.left_ns(queue.now_ns)
        found.append((NEVER if left_ns == UNKNOWN else queue.now_ns + left_ns, one.need))
    return sorted(found, key=lambda end: end[0])


class Conservative:
    """Everybody has a promise; whoever passes delays nobody (Feitelson and Weil 1998)."""

    name = "conservative"

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        able = [task.number for task in queue.waiting.values() if queue.fits(task)]
        if not able:
            return None
        profile = _Profile(queue)
        for task in queue.waiting.values():
            begins = profile.begin(task.need, task.expected_ns)
            if begins == 0 and queue.fits(task):
                return task
            if task.number == able[-1]:
                return None  # Of those behind it none has room now.
            profile.take(begins, task.need, task.expected_ns)
        return None


class _Profile:
    """What is free from now on, in steps."""

    def __init__(self, queue: Queue) -> None:
        self.times = [queue.now_ns]
        self.free: list[Resources] = [dict(queue.free)]
        for ends_ns, back in _ends(queue):
            if ends_ns > self.times[-1]:
                self.times.append(ends_ns)
                self.free.append(dict(self.free[-1]))
            add(self.free[-1], back)

    def begin(self, need: Resources, for_ns: int) -> int:
        """The first step from which there is room for as long as it runs; past the last one if there is none."""
        begins = 0
        for step, free in enumerate(self.free):
            if begins < step and self.times[step] >= self._end(begins, for_ns):
                return begins
            if not fits(need, free):
                begins = step + 1
        return begins

    def take(self, begins: int, need: Resources, for_ns: int) -> None:
        if begins == len(self.times):
            return  # What it waits for is not known: nothing can be promised.
        ends_ns = self._end(begins, for_ns)
        for step in range(begins, len(self.times)):
            if self.times[step] >= ends_ns:
                break
        else:
            step = len(self.times)
        if ends_ns < NEVER and (step == len(self.times) or self.times[step] > ends_ns):
            self.times.insert(step, ends_ns)
            self.free.insert(step, dict(self.free[step - 1]))
        for taken in self.free[begins:step]:
            subtract(taken, need)

    def _end(self, begins: int, for_ns: int) -> int:
        return NEVER if for_ns == UNKNOWN else self.times[begins] + for_ns
