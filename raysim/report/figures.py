"""What tables and charts of a report show, computed. Never writes HTML: see page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from raysim.scenario.summary import TaskRecord

MOST_STAGES = 8
"""As many colours as can be told apart; the rest of the names share grey."""


class Stage(msgspec.Struct, frozen=True):
    """All tasks of one name."""

    name: str
    tasks: int
    total_s: float
    mean_s: float
    longest_s: float


def stages(records: Sequence[TaskRecord], stage_of: Callable[[str], str]) -> list[Stage]:
    """The completed tasks by the stage that their name tells, the most time first."""
    times: dict[str, list[float]] = {}
    for record in records:
        lengths = times.setdefault(stage_of(record.name), [])
        if record.ran is not None:
            lengths.append(record.ran.length_s)
    found = [
        Stage(name, len(lengths), sum(lengths), sum(lengths) / len(lengths), max(lengths))
        for name, lengths in times.items()
        if lengths
    ]
    return sorted(found, key=lambda stage: (-stage.total_s, stage.name))


def slowest(records: Sequence[TaskRecord], count: int) -> list[TaskRecord]:
    """The completed tasks that ran longest, the longest first."""
    done = [record for record in records if record.ran is not None]
    done.sort(key=lambda record: (-record.ran.length_s if record.ran else 0.0, record.id))
    return done[:count]


def busy_cores(records: Sequence[TaskRecord]) -> list[tuple[float, float]]:
    """(from when, cores in use): a step for each moment at which that changes."""
    changes: dict[float, float] = {}
    for record in records:
        if record.ran is not None:
            changes[record.ran.start_s] = changes.get(record.ran.start_s, 0.0) + record.cores
            changes[record.ran.end_s] = changes.get(record.ran.end_s, 0.0) - record.cores
    steps: list[tuple[float, float]] = []
    busy = 0.0
    for at_s in sorted(changes):
        busy += changes[at_s]
        steps.append((at_s, busy))
    return steps
