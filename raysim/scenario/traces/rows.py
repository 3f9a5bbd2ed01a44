"""Lines of a text file, plain or `.gz`, with their numbers. Never says what a column means.

A trace may be long: rows come one by one, and a wrong one is told with its line and its column's name.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NoReturn, cast

from raysim.scenario.problems import Place, Problem, ScenarioError, nearest
from raysim.spec.units import parse_number


class Row:
    """One line of a table: its fields by their column's name."""

    def __init__(self, file: Path, line: int, fields: Mapping[str, str]) -> None:
        self.file = file
        self.line = line
        self.fields = fields

    def text(self, column: str) -> str:
        """Raises ScenarioError where the line ends before this column."""
        found = self.fields.get(column)
        if found is None:
            self.fail(f"column {column!r} is missing in this line")
        return found.strip()

    def number(self, column: str, default: float | None = None) -> float:
        """Of at least 0. `default`: where the field is empty. Raises ScenarioError for anything else."""
        text = self.text(column)
        if not text and default is not None:
            return default
        value = parse_number(text)
        if not 0 <= value < math.inf:
            self.fail(f"column {column!r} is {text!r}, not a number of at least 0")
        return value

    def moment_s(self, column: str) -> float:
        """Seconds since 1970 of a date and time in ISO 8601, of UTC where it says no zone. Raises ScenarioError."""
        text = self.text(column)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"column {column!r} is {text!r}, not a date and time such as 2017-10-09 07:01:55"
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def fail(self, what: str) -> NoReturn:
        """Raises ScenarioError at this line."""
        raise ScenarioError([Problem(str(self.file), Place(self.line, 1), what)])


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """Each line with its number from one on. Raises ScenarioError where the file cannot be read."""
    number = 0
    try:
        with _opened(file) as stream:
            for number, line in enumerate(stream, 1):
                yield number, line
    except UnicodeDecodeError:
        what = "is not UTF-8 text after this line"
        raise ScenarioError([Problem(str(file), Place(number, 1), what)]) from None
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError([Problem(str(file), None, f"cannot be read: {reason}")]) from error


def rows_of(file: Path, *needed: str) -> Iterator[Row]:
    """The rows of a CSV file whose first line names its columns.

    Raises ScenarioError where a column that is `needed` is not there, and where the file cannot be read.
    """
    numbered = _Numbered(lines_of(file))
    reader = csv.reader(numbered)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not any(header):
            raise ScenarioError([Problem(str(file), Place(1, 1), "there is no line with columns")])
        check_columns(file, header, needed)
        for fields in reader:
            if fields:
                yield Row(file, numbered.line, dict(zip(header, fields, strict=False)))
    except csv.Error as error:
        what = f"this is not CSV: {error}"
        raise ScenarioError([Problem(str(file), Place(numbered.line, 1), what)]) from None


def check_columns(file: Path, header: list[str], needed: tuple[str, ...]) -> None:
    """Raises ScenarioError with each column that is not there."""
    problems: list[Problem] = []
    for name in dict.fromkeys(needed):
        if name not in header:
            meant = nearest(name, header)
            hint = "" if meant else f"; there are {', '.join(header)}"
            what = f"there is no column {name!r}{hint}"
            problems.append(Problem(str(file), Place(1, 1), what, meant))
    if problems:
        raise ScenarioError(problems)


class _Numbered:
    """Lines for the reader of CSV, and the number of the one that it read last."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self.line = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.line, text = next(self._lines)
        return text


def _opened(file: Path) -> IO[str]:
    if file.suffix == ".gz":
        return cast("IO[str]", gzip.open(file, "rt", encoding="utf-8-sig", newline=""))
    return file.open(encoding="utf-8-sig", newline="")
