"""A trace of requests to a service -> when each came and how long it takes. Never sends one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.trace_model import RequestTrace
from raysim.scenario.traces.columns import moment_s, name_of
from raysim.scenario.traces.formula import Formula
from raysim.scenario.traces.parquet import rows_of_parquet
from raysim.scenario.traces.rows import Row, rows_of


class TracedRequest(msgspec.Struct, frozen=True, gc=False):
    """One line of it, in seconds."""

    submit_s: float
    """From the first one on."""
    duration_s: float


def read_requests(file: Path, trace: RequestTrace) -> Sequence[TracedRequest]:
    """In the order in which they came. Raises ScenarioError with the first mistake."""
    rows = rows_of if trace.format == "csv" else rows_of_parquet
    columns = [name_of(trace.submit), *trace.duration.columns]
    found = sorted(
        (moment_s(row, trace.submit), _duration_s(row, trace.duration))
        for row in rows(file, *columns)
    )
    if not found:
        raise ScenarioError([Problem(str(file), None, "there is no request in this trace")])
    first_s = found[0][0]
    return [
        TracedRequest((at_s - first_s) / trace.speedup, duration_s)
        for at_s, duration_s in found[: trace.count]
    ]


def _duration_s(row: Row, formula: Formula) -> float:
    numbers = {column: row.number(column) for column in formula.columns}
    try:
        duration_s = formula.of(numbers)
    except ZeroDivisionError:
        row.fail(f"the duration, {formula.text}, divides by zero here")
    if not 0 <= duration_s < math.inf:
        row.fail(f"the duration, {formula.text}, is {duration_s:g} s here")
    return duration_s
