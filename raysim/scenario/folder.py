"""What a run leaves on disk: summary, tasks, journal. Never a picture of them: see report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from raysim.journal import Journal, Record
from raysim.scenario.running import Run
from raysim.scenario.task_records import Records

SUMMARY = "summary.json"
TASKS = "tasks.csv"
JOURNAL = "journal.jsonl"

_COLUMNS = ("id", "name", "node", "cores", "attempts", "submitted_s", "start_s", "end_s", "error")


def write_run(run: Run, folder: Path) -> None:
    """Write the run's files into this folder, which is made; files of an earlier run are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = msgspec.json.format(msgspec.json.encode(run.summary), indent=2)
    (folder / SUMMARY).write_bytes(summary + b"\n")
    _write_tasks(run, folder / TASKS)
    _write_journal(run.journal, folder / JOURNAL)


def _write_tasks(run: Run, file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(_COLUMNS)
        rows.writerows(_rows(run.records))


def _rows(records: Records) -> Iterator[tuple[object, ...]]:
    """Of the columns: there may be a million."""
    columns = zip(
        *(records.ids, records.names, records.nodes(), records.cores, records.attempts),
        *(records.submitted_s, records.start_s, records.end_s, records.errors()),
        strict=True,
    )
    for task_id, name, node, cores, attempts, submitted_s, start_s, end_s, error in columns:
        start, end = (f"{start_s:.9g}", f"{end_s:.9g}") if end_s == end_s else ("", "")
        yield (
            *(task_id, name, node, f"{cores:g}", attempts),
            *(f"{submitted_s:.9g}", start, end, error),
        )


def _write_journal(journal: Journal, file: Path) -> None:
    """One record a line, oldest first: ns of the world's clock, process, kind, and what it says."""
    with file.open("wb") as stream:
        for record in journal.records:
            stream.write(msgspec.json.encode(_line(record)))
            stream.write(b"\n")


def _line(record: Record) -> dict[str, object]:
    time_ns, process, kind, what = record
    said = _plain(what)
    return {"ns": time_ns, "process": process, "kind": kind, "type": type(what).__name__} | (
        said if isinstance(said, dict) else {"what": said}
    )


def _plain(value: Any) -> object:
    """Values that JSON knows; ids and other bytes in hex, as they are shown everywhere."""
    match value:
        case bytes():
            return value.hex()
        case msgspec.Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case str() | int() | float() | None:
            return value
        case _:
            return repr(value)
