"""A schedule in the making: who runs where and when, and where the next one would fit. Never a choice."""

from bisect import insort
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from raysim.policies.planning.graph import Graph


class Planned(NamedTuple):
    """One task. Ordered by start."""

    start: int
    end: int
    task: int
    processor: int


class Schedule:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.of: dict[int, Planned] = {}
        self.processors: list[list[Planned]] = [[] for _ in graph.processors]
        """What each runs, in order."""

    @property
    def makespan(self) -> int:
        return max((one.end for one in self.of.values()), default=0)

    def ready(self, task: int, processor: int) -> int:
        """When everything that it needs is there. Its parents have been placed."""
        graph, of = self._graph, self.of
        return max(
            (
                of[parent].end + graph.moved(parent, of[parent].processor, task, processor)
                for parent in graph.parents[task]
            ),
            default=0,
        )

    def inserted(self, task: int, processor: int) -> Planned:
        """As early as it fits, between others where there is a gap."""
        start, lasts = self.ready(task, processor), self._graph.runtimes[task][processor]
        for other in self.processors[processor]:
            if start + lasts <= other.start:
                break
            start = max(start, other.end)
        return Planned(start, start + lasts, task, processor)

    def appended(self, task: int, processor: int) -> Planned:
        """Behind all others."""
        start, lasts = self.ready(task, processor), self._graph.runtimes[task][processor]
        row = self.processors[processor]
        if row:
            start = max(start, row[-1].end)
        return Planned(start, start + lasts, task, processor)

    def put(self, planned: Planned) -> None:
        self.of[planned.task] = planned
        insort(self.processors[planned.processor], planned)

    def finished_first(self, task: int) -> Planned:
        """Where it would end first, inserted. HEFT: the earliest finish time."""
        options = (self.inserted(task, one) for one in self._graph.processors)
        return min(options, key=lambda option: option.end)


def by_priority(graph: Graph, priority: list[int] | tuple[int, ...]) -> Iterator[int]:
    """Of the tasks whose parents came, always the one of highest priority; of equals the first."""
    waiting = [len(its) for its in graph.parents]
    ready = [(-priority[task], task) for task in graph.tasks if not waiting[task]]
    heapify(ready)
    while ready:
        _, task = heappop(ready)
        yield task
        for child in graph.children[task]:
            waiting[child] -= 1
            if not waiting[child]:
                heappush(ready, (-priority[child], child))
