"""Rows of a Parquet file, by pyarrow where it is installed. Never says what a column means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path

from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.traces.rows import Row, check_columns


def rows_of_parquet(file: Path, *needed: str) -> Iterator[Row]:
    """As `rows_of` of a CSV file; a row's number stands in place of its line."""
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        what = (
            "Parquet needs pyarrow: pip install 'raysim-core[parquet]', or convert the file to CSV"
        )
        raise ScenarioError([Problem(str(file), None, what)]) from None
    number = 0
    try:
        table = parquet.ParquetFile(str(file))
        check_columns(file, list(table.schema_arrow.names), needed)
        for batch in table.iter_batches(columns=list(needed)):
            for fields in batch.to_pylist():
                number += 1
                yield Row(file, number, {name: _text(value) for name, value in fields.items()})
    except (OSError, ValueError) as error:  # pyarrow's own are of these two.
        what = f"this is not Parquet: {str(error).splitlines()[0]}"
        raise ScenarioError([Problem(str(file), None, what)]) from error


def _text(value: object) -> str:
    """As it stands in a CSV file."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)
