"""What came out of a run, in one record. Never runs anything, never prints.

The figures are named and explained in `figures.py`. Where one does not apply to a run, it is None:
a Python program has no critical path that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from raysim.scenario.expectation import Expectation, Judgement
from raysim.scenario.expression import Figure
from raysim.scenario.fairness import fairness
from raysim.scenario.figures import SAMPLES
from raysim.scenario.samples import Spread, sample, spread
from raysim.scenario.task_records import Records
from raysim.scenario.usage import Change, fragmentation
from raysim.scenario.workflow import Workflow


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend knows of a run beyond its tasks."""

    backend: str
    seed: int
    nodes: int | None
    cpus: float | None
    gpus: float | None = None
    wall_s: float
    makespan_s: float | None = None
    most_cpus: float | None = None
    """That the cluster may have at once, where it may grow; None: no more than at the start."""
    core_s: float | None = None
    """Core-seconds of the nodes within the makespan, where they come and go; None: all stayed."""
    capacity: Sequence[Change] = ()
    """The cores of nodes that are known, as they came and went."""
    messages: int | None = None
    bytes_moved: int | None = None
    spilled_bytes: int | None = None
    restored_bytes: int | None = None
    lost_objects: int | None = None
    lost_work_s: float | None = None
    node_hours: float | None = None
    cost: float | None = None
    digest: str | None = None
    command: str = ""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run: one line of a table, or the object that `--json` prints."""

    name: str = ""
    """Of what ran."""
    backend: str
    seed: int
    tasks: int
    edges: int | None
    failed: int
    work_s: float | None
    critical_path_s: float | None
    lower_bound_s: float | None
    makespan_s: float | None
    throughput: float | None
    utilisation: float | None
    utilisation_gpu: float | None
    fragmentation: float | None
    fairness_jain: float | None
    fairness_max_min: float | None
    fairness_finish_time: float | None
    deadline_misses: int | None
    messages: int | None
    bytes_moved: int | None
    locality: float | None
    spilled_bytes: int | None
    restored_bytes: int | None
    node_hours: float | None
    cost: float | None
    wall_s: float
    digest: str | None
    retried: int
    lost_work_s: float | None
    lost_objects: int | None
    nodes: int | None
    cpus: float | None
    gpus: float | None
    command: str
    """The line that runs it again."""
    samples: dict[str, Spread] = {}
    """How what has a value for each task is spread."""
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
    name: str = "",
) -> Summary:
    """The summary of a run, its expectations judged."""
    makespan_s = outcome.makespan_s
    core_s = outcome.core_s or (outcome.cpus or 0) * (makespan_s or 0)
    gpu_s = (outcome.gpus or 0) * (makespan_s or 0)
    most_cpus = outcome.most_cpus or outcome.cpus
    fair = fairness(records, workflow.users if workflow else None, outcome.cpus)
    failed = records.failed
    summary = Summary(
        name=name,
        backend=outcome.backend,
        seed=outcome.seed,
        tasks=len(records),
        edges=workflow.edges if workflow else None,
        failed=failed,
        work_s=workflow.work_s if workflow else None,
        critical_path_s=workflow.critical_path_s if workflow else None,
        lower_bound_s=workflow.lower_bound_s(most_cpus) if workflow and most_cpus else None,
        makespan_s=makespan_s,
        throughput=(len(records) - failed) / makespan_s if makespan_s else None,
        utilisation=_utilisation(records, records.cores, core_s),
        utilisation_gpu=_utilisation(records, records.gpus, gpu_s),
        fragmentation=fragmentation(records, outcome.capacity),
        fairness_jain=fair.jain,
        fairness_max_min=fair.max_min,
        fairness_finish_time=fair.finish_time,
        deadline_misses=_deadline_misses(records, workflow),
        messages=outcome.messages,
        bytes_moved=outcome.bytes_moved,
        locality=_locality(outcome.bytes_moved, workflow),
        spilled_bytes=outcome.spilled_bytes,
        restored_bytes=outcome.restored_bytes,
        node_hours=outcome.node_hours,
        cost=outcome.cost,
        wall_s=outcome.wall_s,
        digest=outcome.digest,
        retried=sum(records.attempts) - len(records),
        lost_work_s=outcome.lost_work_s,
        lost_objects=outcome.lost_objects,
        nodes=outcome.nodes,
        cpus=outcome.cpus,
        gpus=outcome.gpus,
        command=outcome.command,
    )
    return _with_samples(summary, records, expectations)


def _with_samples(
    summary: Summary,
    records: Records,
    expectations: Iterable[Expectation],
) -> Summary:
    """Each sample is made once, and let go before the next one unless an expectation speaks of it."""
    asked = list(expectations)
    wanted = {name for one in asked for name in one.names}
    figures: dict[str, Figure] = msgspec.structs.asdict(summary)
    spreads: dict[str, Spread] = {}
    for name in SAMPLES:
        values = sample(name, records)
        found = spread(values)
        if found is not None:
            spreads[name] = found
        if name in wanted:
            figures[name] = values
    judged = tuple(expectation.judge(figures) for expectation in asked)
    return msgspec.structs.replace(summary, samples=spreads, expectations=judged)


def _utilisation(records: Records, amounts: Sequence[float] | None, there_s: float) -> float | None:
    """Of one resource, of which there was so much over the makespan; None where there was none."""
    if not there_s:
        return None
    held = () if amounts is None else records.held(amounts)
    return sum((end_s - start_s) * amount for start_s, end_s, amount in held) / there_s


def _deadline_misses(records: Records, workflow: Workflow | None) -> int | None:
    if workflow is None or workflow.deadlines_s is None:
        return None
    rows = zip(records.submitted_s, records.end_s, workflow.deadlines_s, strict=True)
    return sum(not end_s - came_s <= within_s for came_s, end_s, within_s in rows)


def _locality(moved: int | None, workflow: Workflow | None) -> float | None:
    if moved is None or workflow is None or not workflow.bytes_read:
        return None
    return max(0.0, 1 - moved / workflow.bytes_read)
