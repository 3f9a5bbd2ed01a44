"""What a run leaves on disk: summary, tasks, journal. Never a picture of them: see report."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec

from raysim.journal import Journal, Record
from raysim.scenario.running import Run
from raysim.scenario.task_records import TaskRecord

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
        rows.writerows(map(_row, run.records))


def _row(record: TaskRecord) -> tuple[object, ...]:
    start, end = (record.ran.start_s, record.ran.end_s) if record.ran else (None, None)
    times = (record.submitted_s, start, end)
    shown = tuple("" if time is None else f"{time:.9g}" for time in times)
    head = (record.id, record.name, record.node, f"{record.cores:g}", record.attempts)
    return (*head, *shown, record.error)


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
