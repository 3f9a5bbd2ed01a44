"""A trace's file -> the tasks that are replayed, in the order in which they come. Never runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.columns import read_columns
from raysim.scenario.traces.openb import read_openb
from raysim.scenario.traces.philly import read_philly
from raysim.scenario.traces.swf import read_swf
from raysim.scenario.traces.task import TraceTask
from raysim.scenario.traces.timeline import read_timeline

Reader: TypeAlias = Callable[[Path, TraceWorkload], Iterator[TraceTask]]

READERS: Final[Mapping[str, Reader]] = {
    "csv": read_columns,
    "openb": read_openb,
    "parquet": read_columns,
    "philly": read_philly,
    "swf": read_swf,
    "timeline": read_timeline,
}
"""By format. A reader gives all tasks of a file in any order; ScenarioError where it is not of the format."""


def read_trace(file: Path, workload: TraceWorkload) -> Sequence[TraceTask]:
    """Those that the scenario wants, the first at 0. Raises ScenarioError with every file's first mistake."""
    tasks = sorted(READERS[workload.format](file, workload), key=attrgetter("submit_s"))
    if not tasks:
        raise ScenarioError([Problem(str(file), None, "there is no task in this trace")])
    kept = _from_zero(tasks)
    for condition in workload.where:
        left = [task for task in kept if condition.holds(task)]
        if not left:
            what = f"no task is left of {len(kept)} where {condition.text}"
            raise ScenarioError([Problem(str(file), None, what)])
        kept = left
    return _from_zero(kept[: workload.count], workload.speedup)


def _from_zero(tasks: Sequence[TraceTask], speedup: float = 1.0) -> Sequence[TraceTask]:
    first_s = tasks[0].submit_s
    if not first_s and speedup == 1:
        return tasks
    return [
        msgspec.structs.replace(task, submit_s=(task.submit_s - first_s) / speedup)
        for task in tasks
    ]
