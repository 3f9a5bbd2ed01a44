"""What tables and charts of a report show, computed. Never writes HTML: see page."""

from __future__ import annotations

from heapq import nsmallest
from typing import Final

import msgspec

from raysim.scenario.task_records import Records, TaskRecord

MOST_STAGES: Final = 8
"""As many colours as can be told apart; the rest of the names share grey."""

MOST_STEPS: Final = 10_000
"""Of the curve of cores in use: a screen has fewer columns."""


class Stage(msgspec.Struct, frozen=True):
    """All tasks of one name."""

    name: str
    tasks: int
    total_s: float
    mean_s: float
    longest_s: float


def stages(records: Records) -> list[Stage]:
    """The completed tasks by their stage, the most time first."""
    counts = [0] * len(records.stages)
    totals = [0.0] * len(records.stages)
    longest = [0.0] * len(records.stages)
    for stage, start_s, end_s in zip(records.stage, records.start_s, records.end_s, strict=True):
        length_s = end_s - start_s
        if length_s == length_s:  # It completed: else this is not a number.
            counts[stage] += 1
            totals[stage] += length_s
            longest[stage] = max(longest[stage], length_s)
    found = [
        Stage(name, count, total_s, total_s / count, longest_s)
        for name, count, total_s, longest_s in zip(
            records.stages, counts, totals, longest, strict=True
        )
        if count
    ]
    return sorted(found, key=lambda stage: (-stage.total_s, stage.name))


def slowest(records: Records, count: int) -> list[TaskRecord]:
    """The completed tasks that ran longest, the longest first; of equal ones, those that stand first."""
    start_s, end_s = records.start_s, records.end_s
    done = (index for index in range(len(records)) if end_s[index] == end_s[index])
    longest = nsmallest(count, done, key=lambda index: start_s[index] - end_s[index])
    return [records[index] for index in longest]


def busy_cores(records: Records, most: int = MOST_STEPS) -> list[tuple[float, float]]:
    """(from when, cores in use): a step for each moment at which that changes, or for `most` moments."""
    changes: dict[float, float] = {}
    for start_s, end_s, cores in records.completed():
        changes[start_s] = changes.get(start_s, 0.0) + cores
        changes[end_s] = changes.get(end_s, 0.0) - cores
    moments = sorted(changes)
    every = max(1, -(-len(moments) // most))
    steps: list[tuple[float, float]] = []
    busy = 0.0
    for index, at_s in enumerate(moments, 1):
        busy += changes[at_s]
        if index % every == 0 or index == len(moments):
            steps.append((at_s, busy))
    return steps
