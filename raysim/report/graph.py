"""A workflow's graph as it ran: which chain of tasks the end waited for, and where each stands. Never draws it.

The chain is found backwards from the task that ended last: before each task comes the parent that ended last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from raysim.scenario.task_records import Records, TaskRecord

MOST_DRAWN: Final = 150
"""Tasks that are drawn one by one; of more, those of one stage at one depth are one dot."""


class Dot(msgspec.Struct, frozen=True):
    """One task, or several of one stage that are as deep."""

    name: str
    """Of the stage; of several tasks with their number."""
    label: str
    """With the task's id, where it is one."""
    stage: int
    tasks: int
    depth: int
    row: int
    """Within its depth."""
    critical: bool


class Edge(msgspec.Struct, frozen=True):
    """Between two dots, by their places in `Drawing.dots`."""

    source: int
    target: int
    critical: bool


class Drawing(msgspec.Struct, frozen=True):
    dots: Sequence[Dot]
    edges: Sequence[Edge]


def realised_path(records: Records, parents: Mapping[str, Sequence[str]]) -> list[TaskRecord]:
    """From the first task to the one that ended last; empty where none completed."""
    row = {task: at for at, task in enumerate(records.ids)}
    ends = records.end_s
    done = [at for at in range(len(records)) if ends[at] == ends[at]]
    path: list[TaskRecord] = []
    at = max(done, key=ends.__getitem__, default=None)
    while at is not None:
        path.append(records[at])
        before = [row[parent] for parent in parents[records.ids[at]]]
        before = [one for one in before if ends[one] == ends[one]]
        at = max(before, key=ends.__getitem__, default=None)
    return path[::-1]


def drawing(
    records: Records,
    parents: Mapping[str, Sequence[str]],
    path: Sequence[TaskRecord],
    most: int = MOST_DRAWN,
) -> Drawing:
    """Where each task stands: as deep as its longest chain of parents."""
    depth: dict[str, int] = {}
    for task in records.ids:  # In the workflow's order: parents first.
        depth[task] = max((depth[parent] + 1 for parent in parents[task]), default=0)
    grouped = len(records) > most
    keys: list[tuple[int, int, str]] = [
        (depth[task], stage, "" if grouped else task)
        for task, stage in zip(records.ids, records.stage, strict=True)
    ]
    key_of = dict(zip(records.ids, keys, strict=True))
    order = list(dict.fromkeys(sorted(keys)))
    place = {key: at for at, key in enumerate(order)}
    critical = {key_of[task.id] for task in path}
    counts = Counter(keys)
    rows: Counter[int] = Counter()
    dots: list[Dot] = []
    for key in order:
        deep, stage, task = key
        name = records.stages[stage] + (f" × {counts[key]}" if grouped else "")
        label = f"{name}: {task}" if task else name
        dots.append(Dot(name, label, stage, counts[key], deep, rows[deep], key in critical))
        rows[deep] += 1
    on_path = {
        (place[key_of[before.id]], place[key_of[after.id]]) for before, after in pairwise(path)
    }
    pairs = {
        (place[key_of[parent]], place[key_of[task]]): None
        for task in records.ids
        for parent in parents[task]
    }
    return Drawing(dots, [Edge(*pair, pair in on_path) for pair in pairs])
