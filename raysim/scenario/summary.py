"""What came out of a run, in one record. Never runs anything, never prints.

The figures are named and explained in `figures.py`. Where one does not apply to a run, it is None:
a Python program has no critical path that is known beforehand.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import isnan

import msgspec

from raysim.scenario.expectation import Expectation, Judgement
from raysim.scenario.expression import Figure
from raysim.scenario.figures import SAMPLES
from raysim.scenario.task_records import Records
from raysim.scenario.workflow import Workflow


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
    records: Records,
    workflow: Workflow | None = None,
    expectations: Iterable[Expectation] = (),
) -> Summary:
    """The summary of a run, its expectations judged."""
    busy_s = sum((end_s - start_s) * cores for start_s, end_s, cores in records.completed())
    capacity_s = (outcome.cpus or 0) * (outcome.makespan_s or 0)
    summary = Summary(
        backend=outcome.backend,
        seed=outcome.seed,
        tasks=len(records),
        edges=workflow.edges if workflow else None,
        failed=records.failed,
        work_s=workflow.work_s if workflow else None,
        critical_path_s=workflow.critical_path_s if workflow else None,
        lower_bound_s=workflow.lower_bound_s(outcome.cpus) if workflow and outcome.cpus else None,
        makespan_s=outcome.makespan_s,
        utilisation=busy_s / capacity_s if capacity_s else None,
        bytes_moved=outcome.bytes_moved,
        wall_s=outcome.wall_s,
        digest=outcome.digest,
        retried=sum(records.attempts) - len(records),
        lost_objects=outcome.lost_objects,
        nodes=outcome.nodes,
        cpus=outcome.cpus,
        command=outcome.command,
    )
    judged = _judged(summary, records, workflow, expectations)
    return msgspec.structs.replace(summary, expectations=judged)


def _judged(
    summary: Summary,
    records: Records,
    workflow: Workflow | None,
    expectations: Iterable[Expectation],
) -> tuple[Judgement, ...]:
    """Figures that have a value for each task are computed only where somebody asks for them."""
    asked = list(expectations)
    figures: dict[str, Figure] = msgspec.structs.asdict(summary)
    for name in dict.fromkeys(name for one in asked for name in one.names if name in SAMPLES):
        figures[name] = sample(name, records, workflow)
    return tuple(expectation.judge(figures) for expectation in asked)


def sample(name: str, records: Records, workflow: Workflow | None = None) -> Sequence[float]:
    """The values of one of SAMPLES, one for each completed task; times are in seconds."""
    if name == "slowdown":
        both = zip(records.submitted_s, records.start_s, records.end_s, strict=True)
        return array(
            "d", ((end - came) / (end - start) for came, start, end in both if end > start)
        )
    since: Iterable[float]
    until: Iterable[float] = records.end_s
    match name:
        case "task_wait":
            since, until = _ready_s(records, workflow), records.start_s
        case "task_run":
            since = records.start_s
        case "task_time":
            since = records.submitted_s
        case _:
            raise ValueError(f"{name!r} is not one of {', '.join(SAMPLES)}")
    pairs = zip(until, since, records.end_s, strict=True)
    return array("d", (to_s - from_s for to_s, from_s, end_s in pairs if end_s == end_s))


def _ready_s(records: Records, workflow: Workflow | None) -> Iterable[float]:
    """When the last thing that each task waits for was there."""
    if workflow is None or not workflow.edges:
        return records.submitted_s
    ends = dict(zip(records.ids, records.end_s, strict=True))
    return array(
        "d",
        (
            max([submitted_s, *(_end_s(ends[parent]) for parent in task.parents)])
            for submitted_s, task in zip(records.submitted_s, workflow.order, strict=True)
        ),
    )


def _end_s(end_s: float) -> float:
    """Of a parent that never completed: nobody waited for it."""
    return 0.0 if isnan(end_s) else end_s
