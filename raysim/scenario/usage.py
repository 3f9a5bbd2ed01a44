"""How the machines were used: node-hours, their cost, free cores that fit nobody. Never how tasks went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

import msgspec

from raysim.faults import KillNode
from raysim.journal import FaultInjected, Journal, NodeJoined, NodeLost
from raysim.scenario.task_records import Records
from raysim.spec.units import NANOSECONDS

Change: TypeAlias = tuple[float, float, str]
"""(when in seconds, cores that become free, node)."""

_KILL: Final = KillNode.__struct_config__.tag


class NodeLife(msgspec.Struct):
    """When a node was there, in ns of the world's clock; `lost_ns` None: to the end."""

    name: str
    cpus: float
    joined_ns: int
    lost_ns: int | None = None


def node_lives(journal: Journal) -> list[NodeLife]:
    """Of each node, in the order of joining. A killed one counts until it was killed, not until it was missed."""
    lives: dict[str, NodeLife] = {}
    for at_ns, _, _, what in journal.records:
        match what:
            case NodeJoined(name=name, cpus=cpus):
                lives[name] = NodeLife(name, cpus, at_ns)
            case NodeLost(name=name):
                _lose(lives, name, at_ns)
            case FaultInjected(kind=kind, target=target) if kind == _KILL:
                _lose(lives, target, at_ns)
            case _:
                pass
    return list(lives.values())


def _lose(lives: Mapping[str, NodeLife], name: str, at_ns: int) -> None:
    life = lives.get(name)
    if life is not None and life.lost_ns is None:
        life.lost_ns = at_ns


def hours_of(
    lives: Sequence[NodeLife], start_ns: int, makespan_s: float | None, time_scale: float = 1.0
) -> dict[str, float]:
    """How long each node was there within the makespan."""
    if makespan_s is None:
        return {}
    end_ns = start_ns + makespan_s * time_scale * NANOSECONDS["s"]
    hour_ns = time_scale * NANOSECONDS["h"]
    found: dict[str, float] = {}
    for life in lives:
        until_ns = end_ns if life.lost_ns is None else min(end_ns, life.lost_ns)
        found[life.name] = max(0.0, until_ns - max(start_ns, life.joined_ns)) / hour_ns
    return found


def capacity_of(lives: Sequence[NodeLife], start_ns: int, time_scale: float = 1.0) -> list[Change]:
    """The cores that came with each node, and went with it, in seconds from `start_ns`."""
    second_ns = time_scale * NANOSECONDS["s"]
    found: list[Change] = []
    for life in lives:
        found.append((max(0.0, (life.joined_ns - start_ns) / second_ns), life.cpus, life.name))
        if life.lost_ns is not None:
            found.append(((life.lost_ns - start_ns) / second_ns, -life.cpus, life.name))
    return found


def fragmentation(records: Records, capacity: Sequence[Change]) -> float | None:
    """FGD's measure, of cores and averaged over time: of the free ones, the share on nodes where a task drawn from
    the workload does not fit. None where nothing ran, or nothing was ever free."""
    sizes = Counter(cores for cores in records.cores if cores > 0)
    if not sizes or not capacity:
        return None
    if len(sizes) == 1 and all(cores % next(iter(sizes)) == 0 for _, cores, _ in capacity):
        return 0.0  # Whatever is free fits one more.
    does_not_fit = _chance(sizes)
    free = dict.fromkeys((node for _, _, node in capacity), 0.0)
    wasted = dict(free)
    changes = sorted([*capacity, *_changes(records, free)])
    total_free = total_wasted = free_s = wasted_s = before_s = 0.0
    for at_s, cores, node in changes:
        free_s += total_free * (at_s - before_s)
        wasted_s += total_wasted * (at_s - before_s)
        before_s = at_s
        free[node] += cores
        total_free += cores
        now = free[node] * does_not_fit(free[node])
        total_wasted += now - wasted[node]
        wasted[node] = now
    return min(1.0, max(0.0, wasted_s / free_s)) if free_s > 0 else None


def _chance(sizes: Counter[float]) -> Callable[[float], float]:
    """Of a number of free cores, the share of the tasks that need more."""
    tasks = sizes.total()

    @cache
    def does_not_fit(free: float) -> float:
        return sum(count for cores, count in sizes.items() if cores > free + _ROUNDING) / tasks

    return does_not_fit


_ROUNDING = 1e-9
"""Of cores: sums of shares of one are not exact."""


def _changes(records: Records, known: Container[str | None]) -> Iterator[Change]:
    """What completed tasks take, and give back."""
    rows = zip(records.nodes(), records.start_s, records.end_s, records.cores, strict=True)
    for node, start_s, end_s, cores in rows:
        if node in known and node is not None and end_s == end_s:
            yield start_s, -cores, node
            yield end_s, cores, node
