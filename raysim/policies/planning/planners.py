"""Planners of workflows: HEFT, CPOP, PEFT, min-min, max-min, and by the critical path. None draws.

Sources: Topcuoglu, Hariri, Wu, "Performance-Effective and Low-Complexity Task Scheduling for Heterogeneous
Computing", IEEE TPDS 13(3), 2002 (HEFT, CPOP); Arabnejad, Barbosa, "List Scheduling Algorithm for
Heterogeneous Systems by an Optimistic Cost Table", IEEE TPDS 25(3), 2014 (PEFT); Ibarra, Kim, "Heuristic
Algorithms for Scheduling Independent Tasks on Nonidentical Processors", JACM 24(2), 1977, and Maheswaran
et al., JPDC 59(2), 1999 (min-min, max-min); Hu, "Parallel Sequencing and Assembly Line Problems",
Operations Research 9(6), 1961 (highest level first, the critical-path list).
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol, runtime_checkable

from raysim.policies.base import Policy
from raysim.policies.planning.graph import Graph
from raysim.policies.planning.schedule import Planned, Schedule, by_priority
from raysim.policies.scores import best_with_room, used
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources


@runtime_checkable
class Planning(Policy, Protocol):
    """A policy that plans workflows. What has no plan goes where `pick` says."""

    def plan(self, graph: Graph) -> Schedule: ...


class _Planner:
    """What has no plan goes to the least used node."""

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return best_with_room(need, nodes, lambda view: -used(view))


class Heft(_Planner):
    """Longest way to the end first, where it ends first, in gaps if there are any."""

    name = "heft"

    def plan(self, graph: Graph) -> Schedule:
        schedule = Schedule(graph)
        for task in by_priority(graph, list(graph.upward)):
            schedule.put(schedule.finished_first(task))
        return schedule


class Cpop(_Planner):
    """The critical path on the one processor that runs it fastest, all others where they end first."""

    name = "cpop"

    def plan(self, graph: Graph) -> Schedule:
        schedule = Schedule(graph)
        both = zip(graph.upward, graph.downward, strict=True)
        priority = [up + down for up, down in both]
        path = _critical_path(graph, priority)
        fastest = min(
            graph.processors, key=lambda one: sum(graph.runtimes[task][one] for task in path)
        )
        for task in by_priority(graph, priority):
            if task in path:
                schedule.put(schedule.inserted(task, fastest))
            else:
                schedule.put(schedule.finished_first(task))
        return schedule


def _critical_path(graph: Graph, priority: Sequence[int]) -> dict[int, None]:
    """From the first beginning that is as long as the longest way, along what is as long."""
    path: dict[int, None] = {}
    longest = max(priority, default=0)
    some = [task for task in graph.tasks if not graph.parents[task]]
    while (task := next((one for one in some if priority[one] == longest), None)) is not None:
        path[task] = None
        some = graph.children[task]
    return path


class Peft(_Planner):
    """Looks ahead: where it ends first, counting the shortest way on from there."""

    name = "peft"

    def plan(self, graph: Graph) -> Schedule:
        schedule, costs = Schedule(graph), _optimistic_costs(graph)
        for task in by_priority(graph, [sum(row) for row in costs]):
            options = [schedule.inserted(task, one) for one in graph.processors]
            schedule.put(min(options, key=lambda one: one.end + costs[one.task][one.processor]))
        return schedule


def _optimistic_costs(graph: Graph) -> list[list[int]]:
    """Of each task and processor, the shortest way on to the end, the processors being free. PEFT: OCT."""
    costs = [[0] * len(graph.sites) for _ in graph.tasks]
    for task in reversed(graph.tasks):
        for here in graph.processors:
            costs[task][here] = max(
                (_shortest(graph, costs, task, here, child) for child in graph.children[task]),
                default=0,
            )
    return costs


def _shortest(graph: Graph, costs: list[list[int]], task: int, here: int, child: int) -> int:
    return min(
        costs[child][there] + graph.runtimes[child][there] + graph.moved(task, here, child, there)
        for there in graph.processors
    )


class MinMin(_Planner):
    """Of what is ready, always what would end first."""

    name = "min_min"

    def plan(self, graph: Graph) -> Schedule:
        return _greedy(graph, min)


class MaxMin(_Planner):
    """Of what is ready, always what would end last at its best place: the long ones first."""

    name = "max_min"

    def plan(self, graph: Graph) -> Schedule:
        return _greedy(graph, max)


def _greedy(graph: Graph, choose: Callable[..., Planned]) -> Schedule:
    schedule = Schedule(graph)
    waiting = [len(its) for its in graph.parents]
    best: dict[int, Planned] = {}
    """Of those that are ready, where each would end first."""

    def look(task: int) -> None:
        options = (schedule.appended(task, one) for one in graph.processors)
        best[task] = min(options, key=lambda option: option.end)

    for task in graph.tasks:
        if not waiting[task]:
            look(task)
    while best:
        chosen = choose(best.values(), key=lambda option: option.end)
        del best[chosen.task]
        schedule.put(chosen)
        for child in graph.children[chosen.task]:
            waiting[child] -= 1
            if not waiting[child]:
                look(child)
        for task, option in list(best.items()):
            if option.processor == chosen.processor:
                look(task)  # Elsewhere nothing changed, and here it is later.
    return schedule


class CriticalPath(_Planner):
    """Longest way to the end first, by runtimes alone, where it starts first."""

    name = "critical_path"

    def plan(self, graph: Graph) -> Schedule:
        schedule = Schedule(graph)
        for task in by_priority(graph, list(graph.levels)):
            options = (schedule.appended(task, one) for one in graph.processors)
            schedule.put(min(options, key=lambda option: (option.start, option.end)))
        return schedule
