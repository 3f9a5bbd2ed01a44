"""What a planner is shown: tasks, how long each runs on each processor, what moves between them. Never a schedule.

Times are whole nanoseconds. Means over processors are kept as sums, so that tasks that are equal are so
exactly: a rank here is the one of the papers times the number of processors.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property


class Graph:
    """Tasks by their numbers, each after its parents. Processors of one site move nothing between them."""

    def __init__(
        self,
        parents: Sequence[Sequence[int]],
        runtimes: Sequence[Sequence[int]],
        moves: Mapping[tuple[int, int], int],
        sites: Sequence[int],
    ) -> None:
        self.parents = parents
        self.runtimes = runtimes
        """Of each task, by processor."""
        self.moves = moves
        """By parent and child: how long what is between them takes from one site to another."""
        self.sites = sites
        """Of each processor."""
        self.children: list[list[int]] = [[] for _ in parents]
        for task, its in enumerate(parents):
            for parent in its:
                assert parent < task, f"task {task} comes before its parent {parent}"
                self.children[parent].append(task)

    @property
    def tasks(self) -> range:
        return range(len(self.parents))

    @property
    def processors(self) -> range:
        return range(len(self.sites))

    def move(self, parent: int, child: int) -> int:
        return self.moves.get((parent, child), 0)

    def moved(self, parent: int, source: int, child: int, target: int) -> int:
        """How long it takes between these processors."""
        return 0 if self.sites[source] == self.sites[target] else self.move(parent, child)

    @cached_property
    def works(self) -> Sequence[int]:
        """Of each task, its runtimes on all processors together."""
        return [sum(some) for some in self.runtimes]

    @cached_property
    def upward(self) -> Sequence[int]:
        """Of each task, the longest way to an end, itself included. HEFT: rank_u."""
        return self._to_the_end(len(self.sites))

    @cached_property
    def levels(self) -> Sequence[int]:
        """The same without what moves."""
        return self._to_the_end(0)

    def _to_the_end(self, weight: int) -> Sequence[int]:
        ranks = [0] * len(self.parents)
        for task in reversed(self.tasks):
            behind = (weight * self.move(task, one) + ranks[one] for one in self.children[task])
            ranks[task] = self.works[task] + max(behind, default=0)
        return ranks

    @cached_property
    def downward(self) -> Sequence[int]:
        """Of each task, the longest way from a beginning, itself not included. HEFT: rank_d."""
        ranks: list[int] = []
        for task, its in enumerate(self.parents):
            ahead = (
                ranks[one] + self.works[one] + len(self.sites) * self.move(one, task) for one in its
            )
            ranks.append(max(ahead, default=0))
        return ranks
