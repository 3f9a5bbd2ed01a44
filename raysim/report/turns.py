"""Who was served while a task waited for its turn, from the records. Never why its order wanted it so."""

from __future__ import annotations

from math import isnan
from typing import Final, NamedTuple

from raysim.report.text import count, seconds
from raysim.scenario.folder import KeptRun
from raysim.scenario.task_records import TaskRecord
from raysim.spec.explanation import Explanation, Reason

NO_ORDER: Final = "fifo"
"""Whoever has room is served: nobody is held back."""


class _Served(NamedTuple):
    at_s: float
    came_s: float
    task: str
    cores: float


def turn_of(run: KeptRun, record: TaskRecord, since_s: float, until_s: float) -> Explanation | None:
    """Who started on its node while it waited. None: nobody did, or nobody has to wait for a turn."""
    if run.queue == NO_ORDER:
        return None
    own_s, served = _served(run, record, since_s, until_s)
    before = [one for one in served if one.came_s <= own_s]
    after = [one for one in served if one.came_s > own_s]
    said = []
    if before:
        said.append(
            f"{count(len(before), 'task')} that came before it, the last {_who(before[-1])}"
        )
    if after:
        said.append(f"{count(len(after), 'task')} that came after it, the first {_who(after[0])}")
    if not said:
        return None
    text = (
        f"Whose turn it was said the order of the queue, {run.queue}. Before it {record.node} served "
        f"{', and '.join(said)}."
    )
    return Explanation(reason=Reason.BEHIND_OTHER_CALL, text=text)


def _served(
    run: KeptRun, record: TaskRecord, since_s: float, until_s: float
) -> tuple[float, list[_Served]]:
    """When it came itself, and the others in the order in which they were served."""
    records = run.records
    own_s = record.submitted_s
    found = []
    rows = zip(
        *(records.ids, records.nodes(), records.cores),
        *(records.ready_s, records.pushed_s, records.start_s),
        strict=True,
    )
    for task, node, cores, came_s, pushed_s, start_s in rows:
        if task == record.id:
            own_s = came_s
        elif node == record.node and since_s < start_s <= until_s:
            at_s = start_s if isnan(pushed_s) else pushed_s
            found.append(_Served(at_s, came_s, task, cores))
    return own_s, sorted(found)


def _who(one: _Served) -> str:
    came, served = seconds(one.came_s), seconds(one.at_s)
    return f"{one.task} ({one.cores:g} CPU, came at {came}, served at {served})"
