"""What an order of the queue is, and what it is shown. Never an order itself.

An order is a class with a `name` and either `rank`, where one number or tuple says it all, or `next`. With
`victim` as well it may take a worker back from what runs.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol, TypeAlias

import msgspec

from raysim.spec.node import gpus_fit
from raysim.spec.resources import GPU, Resources, fits

Rank: TypeAlias = float | tuple[float, ...]

UNKNOWN = -1
"""In place of a duration or a deadline."""


class Waiting(msgspec.Struct, gc=False):
    """A request that waits. Times in ns."""

    number: int
    """Of its arrival at this node."""
    need: Resources
    user: str
    """Or the job, where nobody is named."""
    since_ns: int
    """When it came."""
    expected_ns: int = UNKNOWN
    """How long it will run, as far as anybody said or it was seen of its function; less, if a part was done before."""
    priority: int = 0
    """Higher is served first."""
    deadline_ns: int = UNKNOWN
    """When it should have ended."""


class Running(msgspec.Struct, gc=False):
    """What holds a part of the node."""

    number: int
    need: Resources
    user: str
    started_ns: int
    expected_ns: int = UNKNOWN
    priority: int = 0
    preemptible: bool = False
    """Whether it can stop here, and go on later where it was."""

    def left_ns(self, now_ns: int) -> int:
        """What remains of it; UNKNOWN where nobody knows."""
        if self.expected_ns == UNKNOWN:
            return UNKNOWN
        return max(0, self.started_ns + self.expected_ns - now_ns)


class Queue(msgspec.Struct):
    """One node, as an order is shown it. To be looked at only."""

    now_ns: int
    total: Resources
    free: Resources
    waiting: Mapping[int, Waiting]
    """By number, in the order of arrival."""
    running: Mapping[int, Running]
    used: Mapping[str, Mapping[str, int]]
    """By user and resource: units of 1e-4 times ns, of what has ended."""

    gpus: Sequence[int] = ()
    """What is free of each GPU: one that is to be whole has no room in parts."""

    def fits(self, task: Waiting) -> bool:
        """Whether it has room now."""
        gpus = task.need.get(GPU, 0) if self.gpus else 0
        return fits(task.need, self.free) and (not gpus or gpus_fit(gpus, self.gpus))


class QueueOrder(Protocol):
    """Chooses who is served next. One object per raylet; it may remember."""

    name: str

    def next(self, queue: Queue, rng: Random) -> Waiting | None:
        """One that waits and has room now; None: nobody now, though there may be room.

        Asked whenever somebody comes or something ends while one that waits has room, until it says None.
        """


class Ranking(Protocol):
    """An order in which each has its place from its arrival on. The first that has room is served."""

    name: str

    def rank(self, task: Waiting) -> Rank:
        """Least first; those that are equal in the order of their arrival. Asked once."""


class Preemption(Protocol):
    """What an order may have besides."""

    def victim(self, queue: Queue, rng: Random) -> Running | None:
        """One that is `preemptible`, and is to stop so that one that waits without room has its place; or None."""


def dominant(units: Mapping[str, int], total: Mapping[str, int]) -> float:
    """The largest share of any one resource (Ghodsi et al., NSDI 2011)."""
    return max((some / total[name] for name, some in units.items() if total.get(name)), default=0.0)
