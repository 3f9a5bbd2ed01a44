"""A scenario or workflow file -> Experiment, with all its mistakes at once. Never runs it."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from raysim.config import Config
from raysim.faults import Fault, parse_fault, plan_faults
from raysim.policies import create, located
from raysim.scenario.bag import Bag
from raysim.scenario.document import Document
from raysim.scenario.document import Path as DocumentPath
from raysim.scenario.model import (
    Cluster,
    ProgramWorkload,
    Scenario,
    TasksWorkload,
    WorkflowWorkload,
)
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.reading import nearest_file, read_text
from raysim.scenario.replay import Replay
from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.reading import read_trace
from raysim.scenario.traces.task import TraceTask
from raysim.scenario.validation import validate
from raysim.scenario.wfformat import load_wfformat
from raysim.scenario.workflow import Workflow
from raysim.scenario.yamltext import parse_yaml
from raysim.spec.units import NANOSECONDS

_NOUNS: Final = (
    ("cores", "give the nodes more cpus"),
    ("GPUs", "give nodes more gpus, or leave such tasks out of a trace with `where`"),
    ("bytes of memory", "give nodes more memory"),
)


@dataclass(frozen=True)
class Experiment:
    """A scenario with what its files hold: either a workflow to run, or a program's path."""

    scenario: Scenario
    file: Path
    workflow: Workflow | None = None
    program: Path | None = None

    @property
    def name(self) -> str:
        """The scenario's name, or its file's."""
        return self.scenario.name or self.file.stem

    @property
    def expected_makespan_ns(self) -> int | None:
        """The lower bound on the whole cluster, which shares such as `at=33%` are of."""
        return _expected_makespan_ns(self.scenario, self.workflow)

    def varied(self, **changes: Any) -> Experiment:
        """The same with other parts of its scenario; `nodes`, `cpus`, `network` are the cluster's.

        Raises ScenarioError where the parts do not fit together.
        """
        inside: dict[str, Any] = {
            key: changes.pop(key) for key in ("nodes", "cpus", "network") if key in changes
        }
        if inside:
            cluster = self.scenario.cluster
            if not isinstance(cluster.nodes, int) and "nodes" not in inside:
                inside["nodes"] = len(cluster.node_groups())
            changes["cluster"] = cluster.model_copy(update=inside)
        varied = replace(self, scenario=self.scenario.model_copy(update=changes))
        varied = replace(varied, workflow=_redrawn(varied.scenario, self.workflow))
        problems = [
            Problem(str(self.file), None, what)
            for _, what in _misfits(varied.scenario, varied.workflow)
        ]
        if problems:
            raise ScenarioError(problems)
        return varied

    def with_faults(self, texts: Sequence[str]) -> Experiment:
        """The same with these faults as well, written as `kill_node(at=5s)`.

        Raises ScenarioError for those that cannot be read, or that this cluster cannot have.
        """
        faults: list[Fault] = []
        problems: list[Problem] = []
        for text in texts:
            try:
                faults.append(parse_fault(text))
            except ValueError as error:
                problems.append(Problem("--fault", None, str(error)))
        if problems:
            raise ScenarioError(problems)
        return self.varied(faults=[*self.scenario.faults, *faults])


def load_experiment(file: Path, args: Sequence[str] = (), **changes: Any) -> Experiment:
    """The experiment in a scenario (`.yaml`), a program (`.py`) or a workflow (`.json`).

    `args` are the program's; `changes` are those of `Experiment.varied`. Raises ScenarioError.
    """
    match file.suffix.lower():
        case ".yaml" | ".yml":
            experiment = load_scenario(file)
            return experiment.varied(**changes) if changes else experiment
        case ".json":
            return experiment_of_workflow(file, **changes)
        case ".py":
            return experiment_of_program(file, args, **changes)
        case suffix:
            what = (
                f"a name that ends in {suffix!r} is neither a scenario (.yaml), "
                "nor a program (.py), nor a workflow (.json)"
            )
            raise ScenarioError([Problem(str(file), None, what)])


def load_scenario(file: Path) -> Experiment:
    """The experiment in this YAML file. Raises ScenarioError with every problem and its place."""
    return parse_scenario(read_text(file), file)


def parse_scenario(text: str, file: Path) -> Experiment:
    """The experiment in this text; the files it names are beside `file`."""
    document = parse_yaml(text, str(file))
    scenario = validate(Scenario, document)
    policy = located(scenario.policy, file.parent)
    if policy != scenario.policy:
        scenario = scenario.model_copy(update={"policy": policy})
    workflow, program = _open_workload(scenario, document, file)
    problems = [document.problem(at, what) for at, what in _misfits(scenario, workflow)]
    if problems:
        raise ScenarioError(problems)
    return Experiment(scenario, file, workflow, program)


def experiment_of_workflow(file: Path, **changes: Any) -> Experiment:
    """A scenario that only runs this WfFormat file, on a default cluster with these changes."""
    workload = WorkflowWorkload(kind="workflow", file=str(file))
    experiment = Experiment(Scenario(workload=workload), file, workflow=load_wfformat(file))
    return experiment.varied(**changes)


def experiment_of_program(file: Path, args: Sequence[str], **changes: Any) -> Experiment:
    """A scenario that only runs this Python program, on a default cluster with these changes."""
    workload = ProgramWorkload(kind="program", file=str(file), args=list(args))
    if not file.is_file():
        what = "there is no such file"
        raise ScenarioError([Problem(str(file), None, what, nearest_file(file))])
    return Experiment(Scenario(workload=workload), file, program=file).varied(**changes)


def _open_workload(
    scenario: Scenario, document: Document, file: Path
) -> tuple[Workflow | None, Path | None]:
    workload = scenario.workload
    if isinstance(workload, TasksWorkload):
        return Bag(workload, scenario.seed), None
    inner = file.parent / workload.file
    if not inner.is_file():
        meant = nearest_file(inner)
        shown = Path(workload.file).with_name(Path(meant).name) if meant else None
        what = f"there is no file {workload.file!r} beside this one"
        at: DocumentPath = ("workload", "file")
        raise ScenarioError([document.problem(at, what, str(shown) if shown else None)])
    if isinstance(workload, WorkflowWorkload):
        return load_wfformat(inner), None
    if isinstance(workload, TraceWorkload):
        return _replay(scenario, workload, read_trace(inner, workload)), None
    return None, inner


def _redrawn(scenario: Scenario, workflow: Workflow | None) -> Workflow | None:
    """The same workload for another seed, on other nodes."""
    if isinstance(scenario.workload, TasksWorkload):
        return Bag(scenario.workload, scenario.seed)
    if isinstance(workflow, Replay):
        return _replay(scenario, workflow.workload, workflow.traced)
    return workflow


def _replay(scenario: Scenario, workload: TraceWorkload, traced: Sequence[TraceTask]) -> Replay:
    with_memory = any(group.memory for group in scenario.cluster.groups())
    return Replay(workload, traced, with_memory)


def _expected_makespan_ns(scenario: Scenario, workflow: Workflow | None) -> int | None:
    cpus = scenario.cluster.total_cpus()
    if workflow is None or cpus <= 0:
        return None
    return round(workflow.lower_bound_s(cpus) * NANOSECONDS["s"])


def _misfits(scenario: Scenario, workflow: Workflow | None) -> Iterator[tuple[DocumentPath, str]]:
    """What each part says that another part cannot have."""
    try:
        create(scenario.policy, Config())
    except ValueError as error:
        yield ("policy",), str(error)
    groups = scenario.cluster.node_groups()
    if workflow is not None:
        yield from ((("cluster",), what) for what in _too_large(workflow, scenario.cluster))
    for index, fault in enumerate(scenario.faults):
        try:
            plan_faults(
                [fault],
                nodes=len(groups),
                expected_makespan_ns=_expected_makespan_ns(scenario, workflow),
                rng=Random(0),
            )
        except ValueError as error:
            yield ("faults", index), str(error)


def _too_large(workflow: Workflow, cluster: Cluster) -> Iterator[str]:
    """The first task that no node can ever have."""
    nodes = [(group.cpus, group.gpus, group.memory) for group in cluster.groups()]
    for need, task in workflow.needs.items():
        if any(all(map(operator.le, need, node)) for node in nodes):
            continue
        most = [max(of) for of in zip(*nodes, strict=True)]
        for asked, has, (noun, more) in zip(need, most, _NOUNS, strict=True):
            if asked > has:
                yield f"task {task!r} needs {asked:g} {noun}, but the largest node has {has:g}; {more}"
                return
        shown = ", ".join(
            f"{asked:g} {noun}" for asked, (noun, _) in zip(need, _NOUNS, strict=True) if asked
        )
        yield f"task {task!r} needs {shown}, and no node has them together; add such a node"
        return
