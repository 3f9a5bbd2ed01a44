"""Orders in which a task has its place from its arrival on: by size, priority, deadline. Never of whose it is."""

from random import Random

from raysim.policies.queue import UNKNOWN, Queue, Running, Waiting
from raysim.spec.resources import fits

LAST = float("inf")


class FirstThatFits:
    """Ray's: the oldest request that has room."""

    name = "fifo"

    def rank(self, task: Waiting) -> float:
        return task.number


class ShortestFirst:
    """Smith 1956: least mean time in system of all orders that let run what has begun."""

    name = "sjf"

    def rank(self, task: Waiting) -> float:
        return LAST if task.expected_ns == UNKNOWN else task.expected_ns


class LongestFirst:
    """Graham 1969 (LPT): a makespan within 4/3 of the least one, where cores are alike."""

    name = "ljf"

    def rank(self, task: Waiting) -> float:
        return LAST if task.expected_ns == UNKNOWN else -task.expected_ns


class EarliestDeadline:
    """Jackson 1955: no order misses a deadline by less, on one core."""

    name = "edf"

    def rank(self, task: Waiting) -> float:
        return LAST if task.deadline_ns == UNKNOWN else task.deadline_ns


class ShortestLeft:
    """Schrage 1968 (SRPT): what has least left runs, and what runs makes room for it if it can be stopped."""

    name = "srpt"

    def rank(self, task: Waiting) -> float:
        return LAST if task.expected_ns == UNKNOWN else task.expected_ns

    def victim(self, queue: Queue, rng: Random) -> Running | None:
        known = [one for one in queue.waiting.values() if one.expected_ns != UNKNOWN]
        if not known:
            return None
        first = min(known, key=lambda one: (one.expected_ns, one.number))
        longer = [
            one
            for one in queue.running.values()
            if one.preemptible
            and one.left_ns(queue.now_ns) > first.expected_ns
            and _would_do(queue, one, first)
        ]
        return max(longer, key=lambda one: one.left_ns(queue.now_ns), default=None)


class Priority:
    """Cobham 1954. `preempt`: what runs makes room for what is more urgent, if it can be stopped."""

    name = "priority"

    def __init__(self, preempt: bool = False) -> None:
        self.preempt = preempt

    def rank(self, task: Waiting) -> float:
        return -task.priority

    def victim(self, queue: Queue, rng: Random) -> Running | None:
        if not self.preempt or not queue.waiting:
            return None
        first = min(queue.waiting.values(), key=lambda one: (-one.priority, one.number))
        lower = [
            one
            for one in queue.running.values()
            if one.preemptible and one.priority < first.priority and _would_do(queue, one, first)
        ]
        return min(lower, key=lambda one: (one.priority, -one.started_ns), default=None)


def _would_do(queue: Queue, victim: Running, first: Waiting) -> bool:
    """Whether its place is enough."""
    free, back = queue.free, victim.need
    return fits(first.need, {name: free.get(name, 0) + back.get(name, 0) for name in first.need})
