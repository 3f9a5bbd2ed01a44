"""What came out of a run, in one record. Never runs anything, never prints.

The figures are named and explained in `figures.py`. Where one does not apply to a run, it is None:
a Python program has no critical path that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from raysim.scenario.expectation import Expectation, Figure, Judgement
from raysim.scenario.workflow import Workflow


class Span(msgspec.Struct, frozen=True):
    """From when to when, in seconds from the workload's start."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Seconds between the two."""
        return self.end_s - self.start_s


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How one task of the workload went; `ran` is the execution that completed, if one did."""

    id: str
    name: str
    submitted_s: float
    ran: Span | None = None
    cores: float = 1
    node: str | None = None
    attempts: int = 1
    error: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend knows of a run beyond its tasks."""

    backend: str
    seed: int
    nodes: int | None
    cpus: float | None
    wall_s: float
    makespan_s: float | None = None
    bytes_moved: int | None = None
    lost_objects: int | None = None
    digest: str | None = None
    command: str = ""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run: one line of a table, or the object that `--json` prints."""

    backend: str
    seed: int
    tasks: int
    edges: int | None
    failed: int
    work_s: float | None
    critical_path_s: float | None
    lower_bound_s: float | None
    makespan_s: float | None
    utilisation: float | None
    bytes_moved: int | None
    wall_s: float
    digest: str | None
    retried: int
    lost_objects: int | None
    nodes: int | None
    cpus: float | None
    command: str
    """The line that runs it again."""
    expectations: tuple[Judgement, ...] = ()

    @property
    def held(self) -> bool:
        """Whether everything that the scenario expected held."""
        return all(judgement.held for judgement in self.expectations)


def summarise(
    outcome: Outcome,
    records: Sequence[TaskRecord],
    workflow: Workflow | None = None,
    expectations: Iterable[Expectation] = (),
) -> Summary:
    """The summary of a run, its expectations judged."""
    busy_s = sum(record.ran.length_s * record.cores for record in records if record.ran)
    capacity_s = (outcome.cpus or 0) * (outcome.makespan_s or 0)
    summary = Summary(
        backend=outcome.backend,
        seed=outcome.seed,
        tasks=len(records),
        edges=workflow.edges if workflow else None,
        failed=sum(record.ran is None for record in records),
        work_s=workflow.work_s if workflow else None,
        critical_path_s=workflow.critical_path_s if workflow else None,
        lower_bound_s=workflow.lower_bound_s(outcome.cpus) if workflow and outcome.cpus else None,
        makespan_s=outcome.makespan_s,
        utilisation=busy_s / capacity_s if capacity_s else None,
        bytes_moved=outcome.bytes_moved,
        wall_s=outcome.wall_s,
        digest=outcome.digest,
        retried=sum(record.attempts - 1 for record in records),
        lost_objects=outcome.lost_objects,
        nodes=outcome.nodes,
        cpus=outcome.cpus,
        command=outcome.command,
    )
    figures = {**msgspec.structs.asdict(summary), **samples(records, workflow)}
    judged = tuple(expectation.judge(figures) for expectation in expectations)
    return msgspec.structs.replace(summary, expectations=judged)


def samples(
    records: Sequence[TaskRecord], workflow: Workflow | None = None
) -> Mapping[str, Figure]:
    """The figures that have one value for each completed task, in seconds."""
    done = [(record, record.ran) for record in records if record.ran]
    ends = {record.id: ran.end_s for record, ran in done}
    return {
        "task_wait": [ran.start_s - _ready_s(record, ends, workflow) for record, ran in done],
        "task_run": [ran.length_s for _, ran in done],
        "task_time": [ran.end_s - record.submitted_s for record, ran in done],
    }


def _ready_s(record: TaskRecord, ends: Mapping[str, float], workflow: Workflow | None) -> float:
    """When the last thing that the task waits for was there."""
    parents = workflow.tasks[record.id].parents if workflow else ()
    return max([record.submitted_s, *(ends.get(parent, 0.0) for parent in parents)])
