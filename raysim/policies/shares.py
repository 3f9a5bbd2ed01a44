"""Orders that divide a node among users: by what they hold, by what they had. Never by a task's size alone.

In all of them a user's own tasks are served in the order of their arrival, and a user whose first task has no
room lets the next user pass.
"""

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final

from raysim.policies.queue import UNKNOWN, Queue, Waiting, dominant
from raysim.spec.resources import CPU, Resources, add
from raysim.spec.units import NANOSECONDS


def _first(queue: Queue, rank: Callable[[str], float]) -> Waiting | None:
    """The first task of the user with the least rank of those whose first task has room."""
    heads: dict[str, Waiting] = {}
    for task in queue.waiting.values():
        heads.setdefault(task.user, task)
    able = [task for task in heads.values() if queue.fits(task)]
    return min(able, key=lambda task: (rank(task.user), task.number), default=None)


def _held(queue: Queue) -> dict[str, Resources]:
    """By user, what runs."""
    held: dict[str, Resources] = {}
    for one in queue.running.values():
        add(held.setdefault(one.user, {}), one.need)
    return held


def _attained(queue: Queue) -> dict[str, float]:
    """By user: dominant share times ns, of what has ended and of what runs."""
    had = {user: dict(units) for user, units in queue.used.items()}
    for one in queue.running.values():
        for_ns = queue.now_ns - one.started_ns
        add(had.setdefault(one.user, {}), {name: some * for_ns for name, some in one.need.items()})
    return {user: dominant(units, queue.total) for user, units in had.items()}


class MaxMin:
    """The user who holds least of one resource (Bertsekas and Gallager 1987; Hadoop's fair scheduler)."""

    name = "max_min"

    def __init__(self, resource: str = CPU) -> None:
        self.resource = resource

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        held = _held(queue)
        return _first(queue, lambda user: held.get(user, {}).get(self.resource, 0))


class DominantShare:
    """DRF: the user whose largest share of any resource is least (Ghodsi et al., NSDI 2011)."""

    name = "drf"

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        held = _held(queue)
        return _first(queue, lambda user: dominant(held.get(user, {}), queue.total))


class LeastAttained:
    """LAS: the user who has had least so far (Nuyens and Wierman 2008; Tiresias, NSDI 2019)."""

    name = "las"

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        attained = _attained(queue)
        return _first(queue, lambda user: attained.get(user, 0.0))


class FairShare:
    """The user who has had least lately: what was had counts half after `half_life_s` (Kay and Lauder 1988; Slurm)."""

    name = "fair_share"

    def __init__(self, half_life_s: float = 3_600.0) -> None:
        if half_life_s <= 0:
            raise ValueError(f"a half-life is above 0 seconds, not {half_life_s:g}")
        self._half_life_ns = half_life_s * NANOSECONDS["s"]
        self._then_ns = 0
        self._seen: Mapping[str, float] = {}
        self._lately: dict[str, float] = {}

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        self._follow(queue)
        return _first(queue, lambda user: self._lately.get(user, 0.0))

    def _follow(self, queue: Queue) -> None:
        attained = _attained(queue)
        decay = 0.5 ** ((queue.now_ns - self._then_ns) / self._half_life_ns)
        for user, had in attained.items():
            new = had - self._seen.get(user, 0.0)
            self._lately[user] = self._lately.get(user, 0.0) * decay + new
        self._then_ns, self._seen = queue.now_ns, attained


_UNIT: Final = 1
"""Nanoseconds that a task counts for whose duration nobody knows: then shares of time do not matter."""


class FinishTime:
    """Finish-time fairness: the user who is set back most by sharing (Themis, Mahajan et al., NSDI 2020).

    rho = (time since the first task came + time for the rest at the present rate) / time alone on an Nth of the node.
    """

    name = "finish_time"

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        for task in queue.waiting.values():
            self._since_ns.setdefault(task.user, task.since_ns)
        left = _work(queue, ((t.user, t.need, t.expected_ns) for t in queue.waiting.values()))
        runs = [(r.user, r.need, r.left_ns(queue.now_ns)) for r in queue.running.values()]
        for user, some in _work(queue, runs).items():
            left[user] = left.get(user, 0.0) + some
        attained, held = _attained(queue), _held(queue)
        share = 1 / max(1, len(left))

        def behind(user: str) -> float:
            rate = dominant(held.get(user, {}), queue.total) or share
            shared = queue.now_ns - self._since_ns[user] + left[user] / rate
            alone = (attained.get(user, 0.0) + left[user]) / share
            return -shared / alone if alone else 0.0

        return _first(queue, behind)


def _work(queue: Queue, tasks: Iterable[tuple[str, Resources, int]]) -> dict[str, float]:
    """By user: dominant share times ns, of what is still to be done."""
    found: dict[str, float] = {}
    for user, need, for_ns in tasks:
        known_ns = _UNIT if for_ns == UNKNOWN else for_ns
        found[user] = found.get(user, 0.0) + dominant(need, queue.total) * known_ns
    return found
