"""A workflow, a cluster and a planner -> which task runs where, behind which other. Never submits one.

A node has as many lanes as it has room for the widest task, and a lane runs one task at a time: what a
planner calls a processor. Runtimes are those of the workflow on that node. What a task reads of another's
files moves, where they are on two nodes, at the bandwidth of the scenario's network, beside computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from raysim.config import Config
from raysim.policies import create
from raysim.policies.planning import Graph, Schedule
from raysim.policies.planning.planners import Planning
from raysim.scenario.model import Cluster, Network
from raysim.scenario.workflow import Workflow
from raysim.spec.units import NANOSECONDS

LATENCY_NS: Final = 100_000
"""Between two nodes, where the scenario does not say it. The simulator's default."""

BANDWIDTH: Final = 1_250_000_000
"""Bytes per second of a node's link, where the scenario does not say it. The simulator's default."""


@dataclass(frozen=True)
class Place:
    """Of one task."""

    node: int
    """Number of its node, from 0."""
    behind: int | None
    """The task that runs before it on its lane, by its place in the workflow's order."""


@dataclass(frozen=True)
class Plan:
    places: Sequence[Place]
    """Of each task, in the workflow's order."""
    turns: Sequence[int]
    """The tasks in the order of their starts: each after its parents and what it is behind."""
    makespan_s: float
    """If everything goes as planned."""


def plan(workflow: Workflow, cluster: Cluster, policy: str) -> Plan | None:
    """None: the policy plans nothing, and each task goes where it says when the task is ready."""
    planner = create(policy, Config())
    if not isinstance(planner, Planning):
        return None
    sites = _sites(workflow, cluster)
    graph = _graph(workflow, cluster, sites)
    schedule = planner.plan(graph)
    return Plan(
        _places(schedule, sites),
        [one.task for one in sorted(schedule.of.values(), key=lambda one: (one.start, one.task))],
        schedule.makespan / NANOSECONDS["s"],
    )


def plans(policy: str) -> bool:
    return isinstance(create(policy, Config()), Planning)


def _sites(workflow: Workflow, cluster: Cluster) -> list[int]:
    """The node of each lane."""
    width = max((need.cores for need in workflow.needs), default=0) or 1
    groups = enumerate(cluster.node_groups())
    return [node for node, group in groups for _ in range(int(group.cpus / width))]


def _graph(workflow: Workflow, cluster: Cluster, sites: Sequence[int]) -> Graph:
    number = {task.id: at for at, task in enumerate(workflow.order)}
    speeds = [group.speed for group in cluster.node_groups()]
    runtimes = [[task.runtime_ns(node, speeds[node]) for node in sites] for task in workflow.order]
    parents = [sorted({number[one] for one in task.parents}) for task in workflow.order]
    return Graph(parents, runtimes, _moves(workflow, cluster.network, number), sites)


def _moves(
    workflow: Workflow, network: str | Network, number: dict[str, int]
) -> dict[tuple[int, int], int]:
    """How long the files between two tasks take: one behind the other where they share a link."""
    if not isinstance(network, Network):
        return {}
    latency_ns = LATENCY_NS if network.latency is None else network.latency
    per_second = BANDWIDTH if network.bandwidth is None else network.bandwidth
    moves: dict[tuple[int, int], int] = {}
    for child in workflow.order:
        for file in child.inputs:
            writer = workflow.writers.get(file)
            if writer is None:
                continue
            edge = number[writer], number[child.id]
            lasts = workflow.size_of(file) * NANOSECONDS["s"] // per_second if per_second else 0
            if network.shared:
                moves[edge] = moves.get(edge, latency_ns) + lasts
            else:
                moves[edge] = max(moves.get(edge, 0), latency_ns + lasts)
    return moves


def _places(schedule: Schedule, sites: Sequence[int]) -> list[Place]:
    places: dict[int, Place] = {}
    for lane, row in enumerate(schedule.processors):
        behind: int | None = None
        for one in row:
            places[one.task] = Place(sites[lane], behind)
            behind = one.task
    return [places[task] for task in range(len(places))]
