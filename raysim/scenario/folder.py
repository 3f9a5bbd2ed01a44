"""What a run leaves on disk, and that read again: summary, tasks, graph, journal. Never a picture: see report."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from raysim.config import Config
from raysim.journal import Journal
from raysim.policies.registry import queues
from raysim.scenario.journal_lines import read_journal, write_journal
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.running import Run
from raysim.scenario.summary import Summary
from raysim.scenario.task_records import Records

_Kind = TypeVar("_Kind")

SUMMARY: Final = "summary.json"
TASKS: Final = "tasks.csv"
WORKLOAD: Final = "workload.json"
JOURNAL: Final = "journal.jsonl"

COLUMNS: Final = (
    *("id", "name", "stage", "node", "cores", "gpus", "attempts"),
    *("submitted_s", "ready_s", "pushed_s", "start_s", "end_s", "error"),
)


@dataclass(frozen=True)
class KeptRun:
    """A run as its folder keeps it: all that reports are made of."""

    summary: Summary
    records: Records
    journal: Journal
    parents: Mapping[str, Sequence[str]] | None = None
    """Of each task of a workflow with edges."""
    time_scale: float = 1.0
    """The journal's times are divided by it, as those of the records are already."""
    start_ns: int | None = None
    """Zero of the records, on the journal's clock; None: the first submission."""
    queue: str = "fifo"
    """Whose turn it was where tasks waited for room."""
    queued_by: str = ""
    """The policy, where it said where a task waits, whoever has room."""


def kept(run: Run, time_scale: float = 1.0) -> KeptRun:
    """The same of a run that has just ended."""
    workflow = run.experiment.workflow
    parents = None
    if workflow is not None and workflow.edges:
        parents = {task.id: task.parents for task in workflow.order}
    scenario = run.experiment.scenario
    queued_by = scenario.policy if queues(Config(policy=scenario.policy)) else ""
    return KeptRun(
        *(run.summary, run.records, run.journal, parents, time_scale, run.start_ns),
        *(scenario.queue, queued_by),
    )


class _Workload(msgspec.Struct, frozen=True):
    """What `workload.json` holds."""

    parents: Mapping[str, Sequence[str]] | None
    time_scale: float
    start_ns: int | None
    queue: str
    queued_by: str


def write_run(run: KeptRun, folder: Path) -> None:
    """Write the run's files into this folder, which is made; files of an earlier run are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = msgspec.json.format(msgspec.json.encode(run.summary), indent=2)
    (folder / SUMMARY).write_bytes(summary + b"\n")
    workload = _Workload(run.parents, run.time_scale, run.start_ns, run.queue, run.queued_by)
    (folder / WORKLOAD).write_bytes(msgspec.json.encode(workload) + b"\n")
    with (folder / TASKS).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(COLUMNS)
        rows.writerows(_rows(run.records))
    with (folder / JOURNAL).open("wb") as lines:
        write_journal(run.journal, lines)


def read_run(folder: Path) -> KeptRun:
    """What `write_run` wrote there. Raises ScenarioError that says what is missing, or what is not to be understood."""
    summary = _decoded(folder / SUMMARY, Summary)
    workload = _decoded(folder / WORKLOAD, _Workload)
    try:
        with (folder / TASKS).open(newline="", encoding="utf-8") as stream:
            records = _read_tasks(csv.DictReader(stream))
        with (folder / JOURNAL).open("rb") as lines:
            journal = read_journal(lines)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, error) from error
    journal.attempts = max(journal.attempts, summary.tasks + summary.retried)
    return KeptRun(summary, records, journal, **msgspec.structs.asdict(workload))


def _decoded(file: Path, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise _unreadable(file, error) from error


def _unreadable(place: Path, error: Exception) -> ScenarioError:
    if isinstance(error, OSError):
        what = f"cannot be read: {error.strerror}; a run's folder is what `raysim run --out` leaves"
    else:
        what = f"is not what this version of raysim writes ({error}); run it again"
    return ScenarioError([Problem(str(place), None, what)])


def _rows(records: Records) -> Iterator[tuple[object, ...]]:
    """Of the columns: there may be a million."""
    gpus = repeat(0.0, len(records)) if records.gpus is None else records.gpus
    columns = zip(
        *(records.ids, records.names, records.stage, records.nodes(), records.cores, gpus),
        *(records.attempts, records.submitted_s, records.ready_s, records.pushed_s),
        *(records.start_s, records.end_s, records.errors()),
        strict=True,
    )
    stages = records.stages
    for task_id, name, stage, node, cores, gpus_of, attempts, *times, error in columns:
        yield (
            *(task_id, name, stages[stage], node, f"{cores:g}", f"{gpus_of:g}", attempts),
            *(f"{at_s:.9g}" if at_s == at_s else "" for at_s in times),
            error,
        )


def _read_tasks(rows: csv.DictReader[str]) -> Records:
    ids: list[str] = []
    names: list[str] = []
    records = Records(ids, names)
    ready_s, gpus = array("d"), array("d")
    for row in rows:
        ids.append(row["id"])
        names.append(row["name"])
        ready_s.append(_time(row["ready_s"]))
        gpus.append(float(row["gpus"]))
        records.add(
            *(_time(row["submitted_s"]), _time(row["start_s"]), _time(row["end_s"])),
            float(row["cores"]),
            int(row["attempts"]),
            row["node"] or None,
            row["error"] or None,
            row["stage"],
            _time(row["pushed_s"]),
        )
    records.ready_s = ready_s
    records.gpus = gpus if any(gpus) else None
    return records


def _time(text: str) -> float:
    return float(text) if text else math.nan
