"""How full each node was while a task waited. Never says why a policy did not choose one that had room."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from raysim.report.timeline import uncounted
from raysim.report.view import View
from raysim.scenario.folder import KeptRun
from raysim.scenario.task_records import TaskRecord

MOST_HOLDERS = 2
"""Named of those that held a node's cores."""

_ROUNDING = 1e-9


class NodeWait(msgspec.Struct, frozen=True):
    """One node during a wait."""

    name: str
    cpus: float | None
    ever: bool
    """Whether the task fits when nothing else runs there."""
    there_s: float
    """How long of the wait the node was there."""
    lost_s: float | None
    room_s: float
    """How long of the wait it had room."""
    free: float
    """Cores, on average."""
    holders: Sequence[tuple[str, float]]
    """Who ran there, the longest first, and for how long of the wait."""
    others: int


class _Held(msgspec.Struct, frozen=True, gc=False):
    who: str
    cores: float
    from_s: float
    to_s: float


def waits_of(
    run: KeptRun, view: View, record: TaskRecord, from_s: float, to_s: float
) -> list[NodeWait]:
    """Of each node between the two moments, in the order of joining."""
    held = _held(run, view, from_s, to_s)
    return [
        _wait(node.name, node.cpus, node.lost_s, held[index], record.cores, from_s, to_s)
        for index, node in enumerate(view.nodes)
    ]


def _held(run: KeptRun, view: View, from_s: float, to_s: float) -> list[list[_Held]]:
    """What ran on each node, cut to the wait."""
    place = {node.name: at for at, node in enumerate(view.nodes)}
    found: list[list[_Held]] = [[] for _ in view.nodes]
    records = run.records
    rows = zip(
        records.ids, records.nodes(), records.cores, records.start_s, records.end_s, strict=True
    )
    for task, node, cores, start_s, end_s in rows:
        if start_s < to_s and end_s > from_s and node in place and node is not None:
            found[place[node]].append(_Held(task, cores, max(start_s, from_s), min(end_s, to_s)))
    for one in uncounted(view):
        if one.node >= 0 and one.start_s < to_s and one.end_s > from_s:
            who = f"{one.name} ({one.status})"
            found[one.node].append(_Held(who, 1, max(one.start_s, from_s), min(one.end_s, to_s)))
    return found


def _wait(
    name: str,
    cpus: float | None,
    lost_s: float | None,
    held: Sequence[_Held],
    needs: float,
    from_s: float,
    to_s: float,
) -> NodeWait:
    until_s = to_s if lost_s is None else min(to_s, max(from_s, lost_s))
    lost_s = lost_s if lost_s is not None and lost_s < to_s else None
    times: dict[str, float] = {}
    for one in held:
        times[one.who] = times.get(one.who, 0.0) + one.to_s - one.from_s
    longest = sorted(times.items(), key=lambda item: -item[1])
    there_s = until_s - from_s
    room_s, free = _room(cpus or 0.0, held, needs, from_s, until_s)
    ever = cpus is None or cpus + _ROUNDING >= needs
    named = longest[:MOST_HOLDERS]
    return NodeWait(
        name, cpus, ever, there_s, lost_s, room_s, free, named, len(longest) - len(named)
    )


def _room(
    cpus: float, held: Sequence[_Held], needs: float, from_s: float, until_s: float
) -> tuple[float, float]:
    """How long so many cores were free, and how many were on average."""
    changes = [(from_s, cpus), (until_s, 0.0)]
    for one in held:
        changes += [(one.from_s, -one.cores), (one.to_s, one.cores)]
    changes.sort(key=lambda change: change[0])
    free = room_s = core_s = 0.0
    before_s = from_s
    for at_s, cores in changes:
        at_s = min(at_s, until_s)
        if free + _ROUNDING >= needs:
            room_s += at_s - before_s
        core_s += max(0.0, free) * (at_s - before_s)
        free += cores
        before_s = at_s
    return room_s, core_s / (until_s - from_s) if until_s > from_s else 0.0
