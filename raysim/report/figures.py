"""What tables and charts of a report show, computed. Never writes HTML: see page, plots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from itertools import pairwise
from typing import Final, TypeAlias

import msgspec

from raysim.scenario.task_records import Records, TaskRecord

MOST_STAGES: Final = 8
"""As many colours as can be told apart; the rest of the names share grey."""

MOST_STEPS: Final = 4_000
"""Of a curve over time: a screen has fewer columns."""

MOST_RANKS: Final = 200
"""Points of a distribution."""

Steps: TypeAlias = list[tuple[float, float]]
"""(from when, how many): until the next one."""


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


def in_use(records: Records, amounts: Sequence[float], most: int = MOST_STEPS) -> Steps:
    """How much of a resource executions that counted held, of which these are the amounts."""
    changes: dict[float, float] = {}
    for start_s, end_s, amount in records.held(amounts):
        changes[start_s] = changes.get(start_s, 0.0) + amount
        changes[end_s] = changes.get(end_s, 0.0) - amount
    return _steps(changes, most)


def waiting(records: Records, most: int = MOST_STEPS) -> Steps:
    """Tasks that all they wait for was there for, and that had not started."""
    changes: dict[float, float] = {}
    for ready_s, start_s in zip(records.ready_s, records.start_s, strict=True):
        if start_s > ready_s:
            changes[ready_s] = changes.get(ready_s, 0.0) + 1
            changes[start_s] = changes.get(start_s, 0.0) - 1
    return _steps(changes, most)


def _steps(changes: dict[float, float], most: int) -> Steps:
    """A step for each moment at which it changes; of very many, for those that last, and some of the others."""
    moments = sorted(changes)
    every = max(1, -(-2 * len(moments) // most))
    lasts_s = (moments[-1] - moments[0]) / most if every > 1 else 0.0
    steps: Steps = []
    now = 0.0
    for index, (at_s, next_s) in enumerate(pairwise([*moments, math.inf])):
        now += changes[at_s]
        if index % every == 0 or next_s - at_s > lasts_s:
            steps.append((at_s, max(0.0, now)))  # Sums of shares of a core end a little below.
    return steps


def distribution(values: Sequence[float], most: int = MOST_RANKS) -> Steps:
    """(value, share of all that are no larger), rising; of many values only so many ranks."""
    ranked = sorted(values)
    count = len(ranked)
    if count <= most:
        ranks: Iterable[int] = range(count)
    else:
        ranks = (round(step * (count - 1) / (most - 1)) for step in range(most))
    return [(ranked[rank], (rank + 1) / count) for rank in ranks]
