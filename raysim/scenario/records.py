"""A run's journal -> a record for each task. Never asks a world, never changes the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from raysim.journal import Journal, NodeJoined, ObjectGone, ObjectMoved, TaskEnded
from raysim.scenario.summary import Span, TaskRecord
from raysim.scenario.workflow import Workflow
from raysim.spec.ids import TaskId
from raysim.spec.units import NANOSECONDS


class Notes:
    """The notes of a journal that records are made of, gathered in one pass."""

    def __init__(self, journal: Journal) -> None:
        self.ended: dict[bytes, list[TaskEnded]] = {}
        self.nodes: dict[bytes, str] = {}
        """Names by id."""
        self.cpus = 0.0
        self.bytes_moved = 0
        self.lost_objects = 0
        for _, _, _, what in journal.records:
            self._take(what)

    @property
    def first_submitted_ns(self) -> int:
        """When the first task was submitted, on the world's clock; 0 where there was none."""
        return min((attempts[0].submitted_ns for attempts in self.ended.values()), default=0)

    def _take(self, what: object) -> None:
        match what:
            case TaskEnded(task_id=task_id):
                self.ended.setdefault(task_id, []).append(what)
            case NodeJoined(node_id=node_id, name=name, cpus=cpus):
                self.nodes[node_id] = name
                self.cpus += cpus
            case ObjectMoved(size=size):
                self.bytes_moved += size
            case ObjectGone():
                self.lost_objects += 1
            case _:
                pass


def records_of_workflow(
    workflow: Workflow,
    task_ids: Sequence[TaskId],
    notes: Notes,
    start_ns: int,
    time_scale: float = 1.0,
) -> list[TaskRecord]:
    """A record for each task, in the workflow's order; world times are divided by `time_scale`."""
    clock = _Clock(start_ns, time_scale)
    return [
        _record(task.id, task.name, task.cores, notes.ended.get(task_id, []), notes, clock)
        for task, task_id in zip(workflow.order, task_ids, strict=True)
    ]


def records_of_program(notes: Notes, start_ns: int, time_scale: float = 1.0) -> list[TaskRecord]:
    """A record for each task that the program ran, in the order in which they first ended."""
    clock = _Clock(start_ns, time_scale)
    return [
        _record(task_id.hex(), ended[0].name, 1, ended, notes, clock)
        for task_id, ended in notes.ended.items()
    ]


def makespan_s(notes: Notes, task_ids: Iterable[bytes], time_scale: float = 1.0) -> float | None:
    """From the first submission to the last first completion; None where no task completed."""
    ended = [notes.ended[task_id] for task_id in task_ids if task_id in notes.ended]
    ends = [finished.end_ns for attempts in ended if (finished := _first_finished(attempts))]
    if not ends:
        return None
    first_ns = min(attempts[0].submitted_ns for attempts in ended)
    return (max(ends) - first_ns) / (time_scale * NANOSECONDS["s"])


def _first_finished(attempts: Iterable[TaskEnded]) -> TaskEnded | None:
    return next((attempt for attempt in attempts if attempt.status == "finished"), None)


class _Clock:
    """From nanoseconds of the world's clock to seconds of the workload."""

    def __init__(self, start_ns: int, time_scale: float) -> None:
        self._start_ns = start_ns
        self._second_ns = time_scale * NANOSECONDS["s"]

    def seconds(self, at_ns: int) -> float:
        return (at_ns - self._start_ns) / self._second_ns


def _record(
    task_id: str, name: str, cores: float, ended: list[TaskEnded], notes: Notes, clock: _Clock
) -> TaskRecord:
    """What its attempts come to: the first that finished counts, or else the last one's reason."""
    if not ended:
        return TaskRecord(
            id=task_id, name=name, submitted_s=0.0, cores=cores, attempts=1, error="it never ended"
        )
    finished = _first_finished(ended)
    told = finished or ended[-1]
    ran = None
    if finished is not None:
        ran = Span(clock.seconds(finished.start_ns), clock.seconds(finished.end_ns))
    return TaskRecord(
        id=task_id,
        name=name,
        submitted_s=clock.seconds(ended[0].submitted_ns),
        ran=ran,
        cores=cores,
        node=notes.nodes.get(told.node_id, told.node_id.hex()[:8]),
        attempts=len(ended),
        error=None if finished else told.reason or told.status,
    )
