"""Runs an experiment in a world and sums it up. Never prints, never knows which worlds there are.

A run ends in a Run: the summary, a record for each task, and the journal that both come from. What a
scenario asks for and the world at hand cannot give is either a problem (a fault that it cannot
perform) or told in `Run.notes` (a network that is what it is).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, cast

import msgspec

from raysim.backend import Backend, InitOptions, NodeOptions, World, load
from raysim.config import MS, Config
from raysim.faults import PlannedFault, plan_faults, scaled
from raysim.faults.support import CLUSTER, RAY, SIM, problem
from raysim.journal import FaultInjected, Journal, NodeJoined, Note
from raysim.scenario.loading import Experiment
from raysim.scenario.model import Network, NodeGroup, Scenario
from raysim.scenario.planned import plans
from raysim.scenario.preparation import await_nodes, start_workers
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.records import Notes, makespan_s, records_of_workflow
from raysim.scenario.submission import submit_workflow, where_of
from raysim.scenario.summary import Outcome, Summary, summarise
from raysim.scenario.task_records import Records
from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.usage import NodeLife, capacity_of, hours_of, node_lives
from raysim.spec.labels import ACCELERATOR_TYPE
from raysim.spec.units import NANOSECONDS

SIMULATED = frozenset({SIM})
"""Worlds in virtual time: they take `network` and `faults` themselves, and their digest repeats."""

_STEPS_OF_PROGRESS = 50
"""How often a run tells how far it is."""

_SHARE_LATE = 4
"""One in so many of the tasks of a step may take longer than those behind them, and hold up no step."""


@dataclass(frozen=True)
class RunOptions:
    """How to run an experiment, beyond what its scenario says."""

    backend: str = "sim"
    time_scale: float = 1.0
    """Durations are multiplied by it, and times that are told divided by it. Files are as much smaller, so
    that transfers keep their share of the time. On a simulated world it shows what a real one would do."""
    command: str = ""
    """The line that runs it again, for the summary."""
    journal: Journal = field(default_factory=Journal)
    """Of this run alone: the next one needs another."""
    progress: Callable[[int, int], None] | None = None
    """Told (tasks that ended, tasks) now and then."""


@dataclass(frozen=True)
class Run:
    """What a run leaves."""

    experiment: Experiment
    summary: Summary
    records: Records
    journal: Journal
    start_ns: int
    """When the workload began, on the world's clock: zero of the records."""
    notes: tuple[str, ...] = ()
    """What the scenario asks for and this world does not have, and what a program did beyond the simulation."""


NEVER_NS = 1 << 62
"""As the period of something that is not to come."""


class Stopwatch:
    """Real seconds since it was made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._begun


class _Strikes(Protocol):
    """A real world that performs faults."""

    def arm(self, faults: Sequence[PlannedFault]) -> None:
        """From now on they strike, each at its time from now."""


def run_workflow(experiment: Experiment, options: RunOptions) -> Run:
    """Run the experiment's workflow. Raises ScenarioError where this world cannot."""
    workflow = experiment.workflow
    assert workflow is not None, f"{experiment.file} is a program: see programs.py"
    check_world(experiment, options)
    stopwatch = Stopwatch()
    world = load(options.backend)(init_options(experiment, options))
    try:
        backend = world.connect()
        nodes = _prepare(experiment, options, backend)
        notes = Notes(options.journal)
        planned = planned_faults(experiment, options)
        watch = _Watch(world, backend, options, planned if options.backend == RAY else (), nodes)
        notes.begun_ns = watch.start_ns
        if options.backend == CLUSTER:
            cast(_Strikes, world).arm(planned)
        scenario = experiment.scenario
        where = where_of(workflow, scenario.cluster, scenario.policy, backend)
        submitted = submit_workflow(workflow, backend, options.time_scale, watch.sleep_until, where)
        watch.until_all_ended(submitted.tokens)
        pulled = bytes_pulled(backend, options)
        task_ids = submitted.task_ids
        del submitted  # Its references end before their world does.
    finally:
        world.stop()
    wall_s = stopwatch.seconds()  # After stop: until then a simulated clock may stand in its place.
    records = records_of_workflow(workflow, task_ids, notes, notes.start_ns, options.time_scale)
    makespan = makespan_s(notes, task_ids, options.time_scale)
    outcome = outcome_of(experiment, options, notes, wall_s, makespan, pulled)
    expected = experiment.scenario.expectations
    summary = summarise(outcome, records, workflow, expected, experiment.title)
    told = what_differs(experiment, options)
    return Run(experiment, summary, records, options.journal, notes.start_ns, told)


def _prepare(experiment: Experiment, options: RunOptions, backend: Backend) -> list[str]:
    """The nodes' ids in hex, once the whole cluster stands; in virtual time it does at once."""
    if options.backend in SIMULATED and options.time_scale == 1:
        return []
    groups = experiment.scenario.cluster.node_groups()
    nodes = await_nodes(backend, len(groups))
    if options.time_scale != 1:
        start_workers(backend, options.journal, nodes, groups)
    _note_nodes(options.journal, backend, nodes, groups)
    return nodes


def _note_nodes(
    journal: Journal, backend: Backend, node_ids: Sequence[str], groups: Sequence[NodeGroup]
) -> None:
    """Real nodes are noted by a GCS in another process: say it here. What stood before was preparation."""
    journal.forget()
    for index, (node_id, group) in enumerate(zip(node_ids, groups, strict=True)):
        _note(journal, backend, NodeJoined(bytes.fromhex(node_id), f"node-{index}", group.cpus))


def _note(journal: Journal, backend: Backend, note: Note) -> None:
    journal.write(round(backend.now() * NANOSECONDS["s"]), "runner", "note", note)


def init_options(experiment: Experiment, options: RunOptions) -> InitOptions:
    """The cluster that the scenario describes, in the port's words."""
    scenario = experiment.scenario
    groups = scenario.cluster.node_groups()
    return InitOptions(
        nodes=[_node(group, f"node-{index}") for index, group in enumerate(groups)],
        config=_config(scenario, options),
        seed=scenario.seed,
        entrypoint=options.command,
        journal=options.journal,
        world=world_options(experiment, options),
    )


def _config(scenario: Scenario, options: RunOptions) -> Config:
    """The protocol's short delays shrink with the tasks, or they would count as seconds."""
    config = Config(policy=scenario.policy, queue=scenario.queue, eviction=scenario.eviction)
    if (
        options.backend in SIMULATED
        and isinstance(scenario.workload, TraceWorkload)
        and not scenario.faults
    ):
        # A trace lasts months, in which a thousand nodes that nothing happens to would be asked how they are.
        config = msgspec.structs.replace(config, health_check_period_ns=NEVER_NS)
    if plans(scenario.policy):
        # Who comes next on a lane is known: nobody else of its kind will.
        config = msgspec.structs.replace(config, idle_lease_keep_ns=0)
    if options.time_scale >= 1:
        return config
    return msgspec.structs.replace(
        config,
        resource_report_period_ns=_scaled(config.resource_report_period_ns, options),
        idle_lease_keep_ns=_scaled(config.idle_lease_keep_ns, options),
    )


def _scaled(delay_ns: int, options: RunOptions) -> int:
    """Not below a millisecond: what a process can keep."""
    return max(MS, round(delay_ns * options.time_scale))


def world_options(experiment: Experiment, options: RunOptions) -> dict[str, Any]:
    """What only a simulated world is told: its links, and what goes wrong."""
    if options.backend not in SIMULATED:
        return {}
    cluster = experiment.scenario.cluster
    network = cluster.network
    grows = {} if cluster.autoscaler is None else {"autoscaler": cluster.autoscaler.market()}
    links: object = network
    if isinstance(network, Network):
        links = network.model_dump(exclude_defaults=True, exclude={"resets"})
    return {
        "network": links,
        "connection_resets": isinstance(network, Network) and network.resets,
        "faults": experiment.scenario.faults,
        "expected_makespan_ns": experiment.expected_makespan_ns,
        **grows,
    }


def planned_faults(experiment: Experiment, options: RunOptions) -> tuple[PlannedFault, ...]:
    """Decided here for a real world, where the workload begins after its preparation, in real durations."""
    if options.backend in SIMULATED:
        return ()
    planned = plan_faults(
        experiment.scenario.faults,
        nodes=len(experiment.scenario.cluster.node_groups()),
        expected_makespan_ns=experiment.expected_makespan_ns,
        rng=Random(f"{experiment.scenario.seed}/faults"),
    )
    return tuple(scaled(fault, options.time_scale) for fault in planned)


def check_world(experiment: Experiment, options: RunOptions) -> None:
    """Raises ScenarioError for what would make the run another experiment than the one asked for."""
    assert options.journal.count == 0, "a journal is of one run; give each run its own RunOptions"
    problems: list[str] = []
    if options.time_scale <= 0:
        problems.append(f"--time-scale is a factor above 0, not {options.time_scale:g}")
    if options.backend in SIMULATED and options.time_scale != 1 and experiment.scenario.faults:
        problems.append(
            f"--time-scale {options.time_scale:g} and faults do not go together on {options.backend}, "
            "where these count from the start of the cluster; durations cost no time there: leave it out"
        )
    if experiment.scenario.cluster.autoscaler is not None and options.backend not in SIMULATED:
        problems.append(
            f"cluster.autoscaler: no machines can be started on {options.backend}; use sim"
        )
    said = (problem(options.backend, fault) for fault in experiment.scenario.faults)
    problems.extend(what for what in said if what is not None)
    if problems:
        raise ScenarioError(Problem(str(experiment.file), None, what) for what in problems)


def what_differs(experiment: Experiment, options: RunOptions) -> tuple[str, ...]:
    """What the scenario says and this world cannot follow, for the reader of the summary."""
    if options.backend in SIMULATED or experiment.scenario.cluster.network == Network():
        return ()
    return (f"network: {options.backend} uses the links that there are, not those of the scenario",)


def bytes_pulled(backend: Backend, options: RunOptions) -> int | None:
    """What the nodes of a real world say that they pulled, in the workflow's bytes; None in virtual
    time, and where they do not say it (Ray's)."""
    if options.backend in SIMULATED:
        return None
    backend.sleep(
        2 * Config().resource_report_period_ns / NANOSECONDS["s"]
    )  # Until all have reported.
    nodes = backend.nodes()
    if not all("BytesPulled" in row for row in nodes):
        return None
    pulled: int = sum(row["BytesPulled"] for row in nodes)
    return round(pulled / options.time_scale)


def outcome_of(
    experiment: Experiment,
    options: RunOptions,
    notes: Notes,
    wall_s: float,
    makespan: float | None,
    pulled: int | None = None,
) -> Outcome:
    """What is known of the run beyond its tasks; None for what this world does not write down."""
    simulated = options.backend in SIMULATED
    cluster = experiment.scenario.cluster
    journal, scale = options.journal, options.time_scale
    lives = node_lives(journal)
    hours = hours_of(lives, notes.first_submitted_ns, makespan, scale)
    return Outcome(
        backend=options.backend,
        seed=experiment.scenario.seed,
        nodes=len(cluster.node_groups()),
        cpus=cluster.total_cpus(),
        most_cpus=cluster.most_cpus(),
        core_s=_core_seconds(lives, hours) if cluster.autoscaler else None,
        gpus=cluster.total_gpus(),
        wall_s=wall_s,
        makespan_s=makespan,
        capacity=capacity_of(lives, notes.start_ns, scale),
        messages=journal.messages,
        bytes_moved=notes.bytes_moved if simulated else pulled,
        spilled_bytes=notes.spilled_bytes if simulated else None,
        restored_bytes=notes.restored_bytes if simulated else None,
        lost_objects=notes.lost_objects,
        lost_work_s=notes.ended.lost_ns / (scale * NANOSECONDS["s"]),
        node_hours=sum(hours.values()) if hours else None,
        cost=cluster.cost_of(hours) if hours else None,
        digest=journal.digest() if simulated else None,
        command=options.command,
    )


def _core_seconds(lives: Sequence[NodeLife], hours: Mapping[str, float]) -> float:
    """Of all nodes, while they were there."""
    return sum(life.cpus * hours.get(life.name, 0) for life in lives) * 3600


def _labels(group: NodeGroup) -> dict[str, str]:
    model = {ACCELERATOR_TYPE: group.gpu_model} if group.gpu_model else {}
    return {**model, **group.labels}


def _node(group: NodeGroup, name: str) -> NodeOptions:
    return NodeOptions(
        num_cpus=group.cpus,
        num_gpus=group.gpus,
        memory=group.memory,
        resources=dict(group.resources),
        labels=_labels(group),
        object_store_memory=group.object_store,
        name=name,
    )


class _Watch:
    """Waits for tokens, tells the progress, and kills nodes where no world performs faults."""

    def __init__(
        self,
        world: World,
        backend: Backend,
        options: RunOptions,
        kills: Sequence[PlannedFault],
        node_ids: Sequence[str],
    ) -> None:
        self._world = world
        self._backend = backend
        self._options = options
        self._kills = list(kills)
        self._node_ids = node_ids
        self._start_s = backend.now()

    @property
    def start_ns(self) -> int:
        """When the workload began, on the world's clock."""
        return round(self._start_s * NANOSECONDS["s"])

    def until_all_ended(self, tokens: deque[Any]) -> None:
        """Take every token that is ready, its task having ended well or not, until none is left.

        Only so many are waited for at a time, the first ones, or each step would look at all.
        """
        count = len(tokens)
        step = max(1, count // _STEPS_OF_PROGRESS)
        waiting: list[Any] = []
        while tokens or waiting:
            while tokens and len(waiting) < step + step // _SHARE_LATE:
                waiting.append(tokens.popleft())
            _, waiting = self._backend.wait(
                waiting, min(step, len(waiting)), self._seconds_to_next_kill(), False
            )
            self._kill_what_is_due()
            if self._options.progress is not None:
                self._options.progress(count - len(tokens) - len(waiting), count)

    def sleep_until(self, at_s: float) -> None:
        """Seconds from the start, real ones where the world is."""
        while (left_s := self._start_s + at_s - self._backend.now()) > 0:
            kill_s = self._seconds_to_next_kill()
            self._backend.sleep(left_s if kill_s is None else min(left_s, kill_s))
            self._kill_what_is_due()

    def _seconds_to_next_kill(self) -> float | None:
        if not self._kills:
            return None
        due_s = self._kills[0].at_ns / NANOSECONDS["s"]
        return max(0.0, self._start_s + due_s - self._backend.now())

    def _kill_what_is_due(self) -> None:
        while self._kills and self._seconds_to_next_kill() == 0:
            node = self._kills.pop(0).node
            self._world.kill_node(self._node_ids[node])
            note = FaultInjected("kill_node", f"node-{node}")
            _note(self._options.journal, self._backend, note)
