"""Rows as a table, as JSON and as YAML. Never where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

Row: TypeAlias = Mapping[str, Any]

WIDEST: Final = 60
"""Characters of a table's cell: whole ids are shorter. What is cut off is in the other formats."""


def as_table(rows: Sequence[Row], columns: Sequence[str], widest: int = WIDEST) -> str:
    """A line for each row below the names of the columns; numbers to the right."""
    right = {
        column
        for column in columns
        if rows and all(_is_number(row[column]) for row in rows if row[column] is not None)
    }
    lines = [
        [column.upper() for column in columns],
        *([_cell(row[column], widest) for column in columns] for row in rows),
    ]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)


def as_yaml(value: Any) -> str:
    import yaml  # Here: it takes 10 ms, which only those pay that want it.

    text: str = yaml.safe_dump(json.loads(as_json(value)), sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")


DOCUMENTS: Final[dict[str, Callable[[Any], str]]] = {"json": as_json, "yaml": as_yaml}


def shown(rows: Sequence[Row], columns: Sequence[str], output: str) -> str:
    """In this format: `table`, or one of `DOCUMENTS`."""
    if output == "table":
        return as_table(rows, columns)
    return DOCUMENTS[output]([{column: row[column] for column in columns} for row in rows])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any, widest: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(text.split())
    return text if len(text) <= widest else text[: widest - 1] + "…"
