"""What a scenario says of a trace that it replays. Never opens it: see traces."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, InstanceOf, WithJsonSchema, model_validator

from raysim.scenario.part import Part
from raysim.scenario.traces.conditions import Condition, parse_condition
from raysim.scenario.traces.formula import Formula, parse_formula

Format: TypeAlias = Literal["csv", "openb", "parquet", "philly", "swf", "timeline"]

TABLES: Final = ("csv", "parquet")
"""Formats whose columns the scenario names."""


def _read_condition(value: object) -> Condition:
    if not isinstance(value, str):
        raise ValueError(f"a condition is a text such as `gpus <= 8`, not {value!r}")
    return parse_condition(value)


_CONDITION: dict[str, Any] = {"type": "string", "examples": ["gpus <= 8", "duration > 0s"]}
ReadCondition: TypeAlias = Annotated[
    InstanceOf[Condition], BeforeValidator(_read_condition), WithJsonSchema(_CONDITION)
]


def _read_formula(value: object) -> Formula:
    if not isinstance(value, str):
        raise ValueError(f"a formula is a text such as `50ms + 25ms * tokens`, not {value!r}")
    return parse_formula(value)


_FORMULA: dict[str, Any] = {"type": "string", "examples": ["50ms + 25ms * tokens", "runtime"]}
ReadFormula: TypeAlias = Annotated[
    InstanceOf[Formula], BeforeValidator(_read_formula), WithJsonSchema(_FORMULA)
]
Factor: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ColumnName: TypeAlias = Annotated[str, Field(min_length=1)]


class TimeColumn(Part):
    """A column of times, and their unit. Dates as in ISO 8601 need none."""

    column: ColumnName
    """Its name."""
    unit: Literal["ns", "us", "ms", "s", "m", "h", "d"] = "s"
    """Of its numbers."""


class SizeColumn(Part):
    """A column of sizes, and their unit."""

    column: ColumnName
    """Its name."""
    unit: Literal["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"] = "B"
    """Of its numbers."""


class AmountColumn(Part):
    """A column of amounts, and what they are counted in."""

    column: ColumnName
    """Its name."""
    unit: Literal["whole", "milli", "percent"] = "whole"
    """`milli`: thousandths; `percent`: hundredths."""


class Columns(Part):
    """Which column holds what: its name, or `{column: NAME, unit: ms}`. Times are in seconds, sizes in bytes."""

    submit: ColumnName | TimeColumn
    """When the task came: a number, or a date as in ISO 8601."""
    duration: ColumnName | TimeColumn | None = None
    """How long it ran; not needed where there is `end`."""
    start: ColumnName | TimeColumn | None = None
    """When it started, for `end`; where it is not given, it started when it came."""
    end: ColumnName | TimeColumn | None = None
    """When it ended."""
    requested: ColumnName | TimeColumn | None = None
    """How long its user said that it would run at most."""
    cpus: ColumnName | AmountColumn | None = None
    """Cores that it had."""
    gpus: ColumnName | AmountColumn | None = None
    """GPUs that it had: whole ones, or a share of one."""
    memory: ColumnName | SizeColumn | None = None
    """Asked for where the nodes say how much they have."""
    id: ColumnName | None = None
    """The number of its line, where it is not given."""
    user: ColumnName | None = None
    """Whose it was."""
    group: ColumnName | None = None
    """Of its user."""
    queue: ColumnName | None = None
    """Where it was sent: a queue, a partition."""
    priority: ColumnName | AmountColumn | None = None
    """More is more urgent."""

    @model_validator(mode="after")
    def _says_how_long(self) -> Columns:
        if self.duration is None and self.end is None:
            raise ValueError("the columns do not say how long a task ran; name 'duration' or 'end'")
        if self.duration is not None and self.end is not None:
            raise ValueError("'duration' and 'end' both say how long a task ran; name one of them")
        if self.start is not None and self.end is None:
            raise ValueError("'start' is for 'end'; a 'duration' needs none")
        return self


class RequestTrace(Part):
    """Requests as they were recorded: each comes at its time, and takes as long as its columns say."""

    file: str
    """Beside the scenario file, or absolute; `.gz` is read as well."""
    format: Literal["csv", "parquet"] = "csv"
    """Of the table."""
    submit: ColumnName | TimeColumn
    """The column that says when a request came: a number, or a date as in ISO 8601."""
    duration: ReadFormula
    """That a replica takes for it: of its columns, such as `50ms + 25ms * GeneratedTokens`."""
    count: Annotated[int, Field(ge=1)] | None = None
    """Only so many of them, the first ones that came."""
    speedup: Factor = 1
    """Arrivals are compressed by this factor; durations stay."""


class TraceWorkload(Part):
    """Tasks as they were recorded: each comes at its time, runs as long as it did, and needs what it had."""

    kind: Literal["trace"]
    format: Format
    """`csv`, `parquet`: any table, with `columns`; `openb`: Alibaba's pods that share GPUs; `philly`: Microsoft's trace
    of deep learning jobs; `swf`: a log of a parallel machine, whose jobs are tasks of several cores; `timeline`: what
    `ray timeline` wrote."""
    file: str
    """Beside the scenario file, or absolute; `.gz` is read as well."""
    columns: Columns | None = None
    """Of a table: which column holds what."""
    where: list[ReadCondition] = Field(default=[])
    """Only tasks for which all of these hold, such as `gpus <= 8` or `submit < 1d` (from the first task on)."""
    count: Annotated[int, Field(ge=1)] | None = None
    """Only so many of them, the first ones that came."""
    speedup: Factor = 1
    """Arrivals are compressed by this factor; durations stay."""
    cpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1
    """Of each task of which the trace does not say it."""

    @model_validator(mode="after")
    def _columns_of_tables(self) -> TraceWorkload:
        if self.format in TABLES and self.columns is None:
            raise ValueError(
                f"a trace in {self.format} needs 'columns', such as `columns: {{submit: start, duration: runtime}}`"
            )
        if self.format not in TABLES and self.columns is not None:
            raise ValueError(f"'columns' are for csv and parquet; those of {self.format} are known")
        return self
