"""A run's journal -> how each task went. Never asks a world, never changes the journal, keeps no note of a task."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import isnan, nan

from raysim.journal import (
    Journal,
    NodeJoined,
    ObjectGone,
    ObjectMoved,
    ObjectRestored,
    ObjectsSpilled,
    TaskEnded,
)
from raysim.scenario.task_records import Records
from raysim.scenario.workflow import Workflow
from raysim.spec.ids import TaskId
from raysim.spec.units import NANOSECONDS


class Ended:
    """What the attempts of tasks came to, in columns: a row for each task, in the order in which they first ended.

    The first attempt that finished counts, or else the last one.
    """

    def __init__(self) -> None:
        self.rows: dict[bytes, int] = {}
        self.submitted_ns = array("q")
        self.pushed_ns = array("q")
        self.start_ns = array("q")
        self.end_ns = array("q")
        self.attempts = array("i")
        self.node_id: list[bytes] = []
        self.name: list[str] = []
        self.reason: list[str | None] = []
        """Why it did not finish; None: it did."""
        self._again_ns = 0
        """That attempts took of which another one counts."""

    @property
    def lost_ns(self) -> int:
        """That attempts took which did not finish, or finished again."""
        rows = zip(self.start_ns, self.end_ns, self.reason, strict=True)
        return self._again_ns + sum(end - start for start, end, why in rows if why is not None)

    def take(self, note: TaskEnded) -> None:
        row = self.rows.get(note.task_id)
        if row is None:
            self.rows[note.task_id] = len(self.rows)
            self.submitted_ns.append(note.submitted_ns)
            self.pushed_ns.append(note.pushed_ns)
            self.start_ns.append(note.start_ns)
            self.end_ns.append(note.end_ns)
            self.attempts.append(1)
            self.node_id.append(note.node_id)
            self.name.append(note.name)
            self.reason.append(_reason(note))
            return
        self.attempts[row] += 1
        if self.reason[row] is None:
            self._again_ns += note.end_ns - note.start_ns
        else:
            self._again_ns += self.end_ns[row] - self.start_ns[row]
            self.pushed_ns[row] = note.pushed_ns
            self.start_ns[row] = note.start_ns
            self.end_ns[row] = note.end_ns
            self.node_id[row] = note.node_id
            self.reason[row] = _reason(note)


def _reason(note: TaskEnded) -> str | None:
    return None if note.status == "finished" else note.reason or note.status


class Notes:
    """The notes of a journal that records are made of: those it has, and those that are yet to come."""

    def __init__(self, journal: Journal) -> None:
        self.ended = Ended()
        self.begun_ns: int | None = None
        """When the workload began, on the world's clock; None: with its first submission."""
        self.nodes: dict[bytes, str] = {}
        """Names by id."""
        self.cpus = 0.0
        self.bytes_moved = 0
        self.lost_objects = 0
        self.spilled_bytes = 0
        self.restored_bytes = 0
        journal.follow(self._take)

    @property
    def start_ns(self) -> int:
        """From when on the records count."""
        return self.first_submitted_ns if self.begun_ns is None else self.begun_ns

    @property
    def first_submitted_ns(self) -> int:
        """When the first task was submitted, on the world's clock; 0 where there was none."""
        return min(self.ended.submitted_ns, default=0)

    def _take(self, what: object) -> None:
        match what:
            case TaskEnded():
                self.ended.take(what)
            case NodeJoined(node_id=node_id, name=name, cpus=cpus):
                self.nodes[node_id] = name
                self.cpus += cpus
            case ObjectMoved(size=size):
                self.bytes_moved += size
            case ObjectGone():
                self.lost_objects += 1
            case ObjectsSpilled(size=size):
                self.spilled_bytes += size
            case ObjectRestored(size=size):
                self.restored_bytes += size
            case _:
                pass


def records_of_workflow(
    workflow: Workflow,
    task_ids: Sequence[TaskId],
    notes: Notes,
    start_ns: int,
    time_scale: float = 1.0,
) -> Records:
    """A record for each task, in the workflow's order; world times are divided by `time_scale`."""
    records = Records(workflow.ids, workflow.names)
    reader = _Reader(notes, records, start_ns, time_scale)
    rows = notes.ended.rows
    for task_id, cores in zip(task_ids, workflow.cores, strict=True):
        reader.add(rows.get(task_id), cores)
    if workflow.has_gpus:
        records.gpus = array("d", (task.gpus for task in workflow.order))
    if workflow.edges:
        parents = {task.id: task.parents for task in workflow.order}
        records.ready_s = ready_s(records, parents)
    return records


def ready_s(records: Records, parents: Mapping[str, Sequence[str]]) -> Sequence[float]:
    """Of each task, when the last of its parents had ended. For one that never did nobody waited."""
    ends = {
        task_id: 0.0 if isnan(end_s) else end_s
        for task_id, end_s in zip(records.ids, records.end_s, strict=True)
    }
    rows = zip(records.ids, records.submitted_s, strict=True)
    return array(
        "d",
        (max([came_s, *(ends[parent] for parent in parents[task])]) for task, came_s in rows),
    )


def records_of_program(notes: Notes, start_ns: int, time_scale: float = 1.0) -> Records:
    """A record for each task that the program ran, in the order in which they first ended."""
    ids = [task_id.hex() for task_id in notes.ended.rows]
    records = Records(ids, notes.ended.name)
    reader = _Reader(notes, records, start_ns, time_scale)
    for row in range(len(ids)):
        reader.add(row, 1)
    return records


def makespan_s(notes: Notes, task_ids: Iterable[bytes], time_scale: float = 1.0) -> float | None:
    """From the first submission to the last first completion; None where no task completed."""
    ended = notes.ended
    rows = [row for task_id in task_ids if (row := ended.rows.get(task_id)) is not None]
    ends = [ended.end_ns[row] for row in rows if ended.reason[row] is None]
    if not ends:
        return None
    first_ns = min(ended.submitted_ns[row] for row in rows)
    return (max(ends) - first_ns) / (time_scale * NANOSECONDS["s"])


class _Reader:
    """Rows of the world's clock in nanoseconds -> records in seconds of the workload."""

    def __init__(self, notes: Notes, records: Records, start_ns: int, time_scale: float) -> None:
        self._ended = notes.ended
        self._nodes = notes.nodes
        self._add = records.add
        self._start_ns = start_ns
        self._second_ns = time_scale * NANOSECONDS["s"]

    def add(self, row: int | None, cores: float) -> None:
        if row is None:
            self._add(0.0, cores=cores, error="it never ended")
            return
        ended = self._ended
        start_s = end_s = pushed_s = nan
        reason = ended.reason[row]
        if reason is None:
            start_s, end_s = self._seconds(ended.start_ns[row]), self._seconds(ended.end_ns[row])
            if ended.pushed_ns[row]:
                pushed_s = self._seconds(ended.pushed_ns[row])
        node_id = ended.node_id[row]
        self._add(
            self._seconds(ended.submitted_ns[row]),
            start_s,
            end_s,
            cores,
            ended.attempts[row],
            self._nodes.get(node_id) or node_id.hex()[:8],
            reason,
            ended.name[row],
            pushed_s,
        )

    def _seconds(self, at_ns: int) -> float:
        return (at_ns - self._start_ns) / self._second_ns
