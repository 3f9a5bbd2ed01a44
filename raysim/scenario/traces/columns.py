"""Any table of tasks whose columns the scenario names. Never guesses what a column holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from raysim.scenario.trace_model import AmountColumn, Columns, SizeColumn, TimeColumn, TraceWorkload
from raysim.scenario.traces.parquet import rows_of_parquet
from raysim.scenario.traces.rows import Row, rows_of
from raysim.scenario.traces.task import TraceTask
from raysim.spec.units import BYTES, NANOSECONDS

_Column: TypeAlias = TimeColumn | SizeColumn | AmountColumn
_FACTORS: Final = {
    **{unit: ns / NANOSECONDS["s"] for unit, ns in NANOSECONDS.items()},
    **BYTES,
    "whole": 1.0,
    "milli": 1e-3,
    "percent": 1e-2,
}


def read_columns(file: Path, workload: TraceWorkload) -> Iterator[TraceTask]:
    """Its tasks, in the file's order."""
    columns = workload.columns
    assert columns is not None, "a table without columns was refused"
    needed = [_name(getattr(columns, field)) for field in Columns.model_fields]
    rows = rows_of if workload.format == "csv" else rows_of_parquet
    for row in rows(file, *filter(None, needed)):
        yield _task(row, columns)


def _task(row: Row, columns: Columns) -> TraceTask:
    submit_s = moment_s(row, columns.submit)
    return TraceTask(
        id=_text(row, columns.id) or f"line_{row.line}",
        submit_s=submit_s,
        duration_s=_duration_s(row, columns, submit_s),
        cpus=_amount(row, columns.cpus),
        gpus=_amount(row, columns.gpus) or 0,
        memory=round(_amount(row, columns.memory) or 0),
        requested_s=_amount(row, columns.requested),
        user=_text(row, columns.user),
        group=_text(row, columns.group),
        queue=_text(row, columns.queue),
        priority=round(_amount(row, columns.priority) or 0),
    )


def _duration_s(row: Row, columns: Columns, submit_s: float) -> float:
    if columns.duration is not None:
        return _amount(row, columns.duration) or 0
    assert columns.end is not None, "a table without durations was refused"
    start_s = submit_s if columns.start is None else moment_s(row, columns.start)
    duration_s = moment_s(row, columns.end) - start_s
    if duration_s < 0:
        row.fail(f"the task ends {-duration_s:g} s before it starts")
    return duration_s


def moment_s(row: Row, column: str | TimeColumn) -> float:
    """Of a number in its unit, or of a date. Raises ScenarioError."""
    name = name_of(column)
    if "-" in row.text(name)[1:]:
        return row.moment_s(name)
    return row.number(name) * _factor(column)


def _amount(row: Row, column: str | _Column | None) -> float | None:
    """None where the table has no such column, or nothing in it."""
    name = _name(column)
    if name is None or column is None or not row.text(name):
        return None
    return row.number(name) * _factor(column)


def _text(row: Row, column: str | None) -> str:
    return "" if column is None else row.text(column)


def _name(column: str | _Column | None) -> str | None:
    return None if column is None else name_of(column)


def name_of(column: str | _Column) -> str:
    """Of a column, with or without a unit."""
    return column if isinstance(column, str) else column.column


def _factor(column: str | _Column) -> float:
    return 1.0 if isinstance(column, str) else _FACTORS[column.unit]
