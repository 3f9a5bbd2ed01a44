"""The supermarket model by itself, in a few lines: the cheap level beside the protocol. Never raysim's answer.

Two-level Monte Carlo (Giles, "Multilevel Monte Carlo Path Simulation", Operations Research 56(3), 2008): the
mean under the protocol is the model's, from millions of tasks, and the mean difference between the two on the
same tasks and draws, from thousands. The intervals of both count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import sqrt
from random import Random
from statistics import fmean, stdev
from typing import ClassVar, NamedTuple

from raysim.policies.queue import UNKNOWN
from raysim.policies.queueing import PowerOfD
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources

BATCHES = 20
T95 = 3.39
"""Student's t of 19 degrees of freedom, for 95 % that all sixteen intervals hold (Bonferroni: 1 - 0.05 / 32)."""


class Task(NamedTuple):
    at_s: float
    lasts_s: float


class Interval(NamedTuple):
    mean: float
    half_width: float


class Remembered(PowerOfD):
    """`power_of_d`, and it remembers whom it has drawn: `--policy bench.paper.supermarket:Remembered(d=2)`."""

    drawn: ClassVar[list[list[NodeId]]] = []

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        found = super().candidates(need, count, nodes, rng, expected_ns)
        assert count == 1, "calls that come alone are placed alone"
        self.drawn.append(found)
        return found


def tasks(load: float, servers: int, rng: Random) -> Iterator[Task]:
    """Poisson arrivals, durations exponential with mean 1, for ever."""
    at_s = 0.0
    while True:
        at_s += rng.expovariate(load * servers)
        yield Task(at_s, rng.expovariate(1))


def draws(choices: int, servers: int, rng: Random) -> Iterator[Sequence[int]]:
    while True:
        yield rng.sample(range(servers), choices) if choices > 1 else (rng.randrange(servers),)


def times_in_system(
    some: Iterable[Task], drawn: Iterator[Sequence[int]], servers: int
) -> Iterator[float]:
    """Of each task: it joins the shortest of the queues drawn for it, of equals the first."""
    ends: list[deque[float]] = [deque() for _ in range(servers)]
    """Of those that are at each server."""
    for at_s, lasts_s in some:
        best: deque[float] | None = None
        for server in next(drawn):
            queue = ends[server]
            while queue and queue[0] <= at_s:
                queue.popleft()
            if best is None or len(queue) < len(best):
                best = queue
        assert best is not None, "nobody was drawn"
        end_s = (best[-1] if best else at_s) + lasts_s
        best.append(end_s)
        yield end_s - at_s


def times_at_one(load: float, rng: Random) -> Iterator[float]:
    """The same of one server alone, which is what each is where one is drawn: Lindley's recursion."""
    draw, wait_s = rng.expovariate, 0.0
    while True:
        lasts_s = draw(1)
        yield wait_s + lasts_s
        wait_s = max(0.0, wait_s + lasts_s - draw(load))


def interval(values: Iterator[float], count: int) -> Interval:
    """By the means of batches, each longer than a queue remembers. None of the values is kept."""
    means = [fmean(islice(values, count // BATCHES)) for _ in range(BATCHES)]
    return Interval(fmean(means), T95 * stdev(means) / sqrt(BATCHES))


def together(level: Interval, difference: Interval) -> Interval:
    """Of two independent parts of a sum."""
    half_width = sqrt(level.half_width**2 + difference.half_width**2)
    return Interval(level.mean + difference.mean, half_width)
