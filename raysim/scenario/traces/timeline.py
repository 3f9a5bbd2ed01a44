"""What `ray timeline`, or `timeline()` of a program, wrote -> its tasks. Never reads what goes on within one.

Chrome's trace events; those of the category `task::NAME` are tasks, each with its `task_id`. When a task was submitted
is not told, nor how many cores it had: it comes when it started first, and lasts as its last execution did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.rows import lines_of
from raysim.scenario.traces.task import TraceTask

_TASK: Final = "task::"
_US_PER_S: Final = 1e6


class _Event(msgspec.Struct, frozen=True):
    ts: float
    dur: float
    cat: str = ""
    args: dict[str, Any] = {}


def read_timeline(file: Path, _: TraceWorkload) -> Iterator[TraceTask]:
    """In the order in which they started. Raises ScenarioError."""
    executions: dict[str, list[_Event]] = {}
    for number, event in enumerate(_events(file)):
        executions.setdefault(str(event.args.get("task_id", number)), []).append(event)
    for task, events in executions.items():
        events.sort(key=lambda event: event.ts)
        yield TraceTask(
            id=f"{events[0].cat.removeprefix(_TASK)}_{task}",
            submit_s=events[0].ts / _US_PER_S,
            duration_s=events[-1].dur / _US_PER_S,
        )


def _events(file: Path) -> Iterator[_Event]:
    """Of tasks."""
    try:
        found = json.loads("".join(line for _, line in lines_of(file)))
        events = found["traceEvents"] if isinstance(found, dict) else found
        for one in events:
            if str(one.get("cat", "")).startswith(_TASK) and one.get("ph") == "X":
                yield msgspec.convert(one, _Event)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"this is no timeline as Ray writes it: {error}"
        raise ScenarioError([Problem(str(file), None, what)]) from error
