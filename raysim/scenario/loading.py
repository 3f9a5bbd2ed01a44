"""A scenario or workflow file -> Experiment, with all its mistakes at once. Never runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from raysim.faults import Fault, parse_fault
from raysim.policies import located
from raysim.scenario.bag import Bag
from raysim.scenario.document import Document
from raysim.scenario.document import Path as DocumentPath
from raysim.scenario.fitting import expected_makespan_ns, misfits
from raysim.scenario.including import document_of
from raysim.scenario.jsontext import parse_json
from raysim.scenario.machines import beside, with_machines
from raysim.scenario.matrix import is_matrix, read_matrix
from raysim.scenario.model import (
    GraphWorkload,
    ProgramWorkload,
    Scenario,
    ServiceWorkload,
    TasksWorkload,
    WorkflowWorkload,
)
from raysim.scenario.part import Part
from raysim.scenario.problems import Problem, ScenarioError, nearest
from raysim.scenario.reading import nearest_beside, nearest_file, read_text
from raysim.scenario.replay import Replay
from raysim.scenario.service import Requests
from raysim.scenario.shaped import Shaped
from raysim.scenario.sweeping import KEY as SWEEP
from raysim.scenario.sweeping import Case, cases_of
from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.reading import read_trace
from raysim.scenario.traces.requests import TracedRequest, read_requests
from raysim.scenario.traces.task import TraceTask
from raysim.scenario.validation import validate
from raysim.scenario.wfformat import read_wfformat
from raysim.scenario.workflow import Workflow

_Part = TypeVar("_Part", bound=Part)

SCENARIOS: Final = (".yaml", ".yml")
"""How the names of scenario files end."""

OWN_CLASSES: Final = (
    ("policy",),
    ("queue",),
    ("eviction",),
    ("cluster", "autoscaler", "policy"),
)
"""Where a scenario may name a class of one's own."""


@dataclass(frozen=True)
class Experiment:
    """A scenario with what its files hold: either a workflow to run, or a program's path."""

    scenario: Scenario
    file: Path
    workflow: Workflow | None = None
    program: Path | None = None
    case: str = ""
    """Of a file that sweeps: which of its runs this is, such as `policy=spread,nodes=8`."""

    @property
    def name(self) -> str:
        """The scenario's name, or its file's."""
        return self.scenario.name or self.file.stem

    @property
    def title(self) -> str:
        """With the case, where there is one."""
        return f"{self.name}, {self.case}" if self.case else self.name

    @property
    def expected_makespan_ns(self) -> int | None:
        """The lower bound on the whole cluster, which shares such as `at=33%` are of."""
        return expected_makespan_ns(self.scenario, self.workflow)

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
            for _, what in misfits(varied.scenario, varied.workflow)
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


def load_experiment(
    file: Path, args: Sequence[str] = (), case: str = "", **changes: Any
) -> Experiment:
    """The experiment in a scenario (`.yaml`), a program (`.py`) or a workflow (`.json`).

    `args` are the program's; `case` is the one wanted of a scenario that sweeps; `changes` are those of
    `Experiment.varied`. Raises ScenarioError.
    """
    if file.suffix.lower() in SCENARIOS:
        experiment = load_scenario(file, case)
        return experiment.varied(**changes) if changes else experiment
    if case:
        raise ScenarioError(
            [Problem(str(file), None, f"only a scenario has cases, such as {case!r}")]
        )
    match file.suffix.lower():
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


def load_scenario(file: Path, case: str = "") -> Experiment:
    """The experiment in this YAML file. Raises ScenarioError with every problem and its place."""
    return parse_scenario(read_text(file), file, case)


def parse_scenario(text: str, file: Path, case: str = "") -> Experiment:
    """The experiment in this text; the files it names are beside `file`."""
    cases = cases_of(document_of(text, file))
    for one in cases:
        if one.name == case:
            return _experiment(one, file)
    names = [one.name for one in cases if one.name]
    if not names:
        what = f"it has no `sweep`, so there is no case {case!r}"
    elif case:
        what = f"there is no case {case!r}; there are {len(names)}, such as {names[0]!r}"
    else:
        what = (
            f"it sweeps over {len(names)} runs, and one is needed here; `raysim run` runs them all, "
            f"or one of them with --case {names[0]!r}"
        )
    raise ScenarioError([Problem(str(file), None, what, nearest(case, names) if case else None)])


def sweeps(file: Path) -> bool:
    """Whether this file is several runs. Raises ScenarioError where it is no document, or a wrong sweep."""
    return file.suffix.lower() in SCENARIOS and bool(swept_fields(file))


def swept_fields(file: Path) -> list[str]:
    """Fields that its runs differ in. Raises ScenarioError as `sweeps` does."""
    document = document_of(read_text(file), file)
    (first, *_) = cases_of(document)
    return list(document.data[SWEEP]) if first.name else []


def case_names(file: Path, args: Sequence[str] = ()) -> list[str]:
    """Of the runs in a file: `['']` where it does not sweep. Raises ScenarioError with the problems of all of them."""
    if file.suffix.lower() not in SCENARIOS:
        load_experiment(file, args)
        return [""]
    cases = cases_of(document_of(read_text(file), file))
    problems: dict[Problem, None] = {}
    for case in cases:
        try:
            _experiment(case, file)
        except ScenarioError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise ScenarioError(problems)
    return [case.name for case in cases]


def _experiment(case: Case, file: Path) -> Experiment:
    document = case.document
    scenario = validate(Scenario, document)
    for at in OWN_CLASSES:
        scenario = _with_own(scenario, at, document)
    scenario = with_machines(scenario, document)
    workflow, program = _open_workload(scenario, document)
    problems = [document.problem(at, what) for at, what in misfits(scenario, workflow)]
    if problems:
        raise ScenarioError(problems)
    return Experiment(scenario, file, workflow, program, case.name)


def experiment_of_workflow(file: Path, **changes: Any) -> Experiment:
    """A scenario that only runs this WfFormat file, on a default cluster with these changes."""
    workload = WorkflowWorkload(kind="workflow", file=str(file))
    experiment = Experiment(Scenario(workload=workload), file, workflow=_load_workflow(file))
    return experiment.varied(**changes)


def experiment_of_program(file: Path, args: Sequence[str], **changes: Any) -> Experiment:
    """A scenario that only runs this Python program, on a default cluster with these changes."""
    workload = ProgramWorkload(kind="program", file=str(file), args=list(args))
    if not file.is_file():
        what = "there is no such file"
        raise ScenarioError([Problem(str(file), None, what, nearest_file(file))])
    return Experiment(Scenario(workload=workload), file, program=file).varied(**changes)


def _with_own(scenario: Scenario, path: Sequence[str], document: Document) -> Scenario:
    """A policy or an order of one's own is found from everywhere, though its file is named by what it lies beside.

    Raises ScenarioError where there is no such file.
    """
    return _replaced(scenario, path, lambda named: _own(named, tuple(path), document))


def _replaced(whole: _Part, path: Sequence[str], change: Callable[[str], str]) -> _Part:
    """The same with another text at that place, if there is such a place."""
    key, *deeper = path
    value = getattr(whole, key)
    if value is None:
        return whole
    changed = _replaced(value, deeper, change) if deeper else change(value)
    return whole.model_copy(update={key: changed})


def _own(named: str, at: DocumentPath, document: Document) -> str:
    name, colon, _ = named.partition(":")
    if not colon or not name.endswith(".py"):
        return named
    beside = Path(document.file_of(at))
    if not (beside.parent / name).is_file():
        what = f"there is no file {name!r} beside this one"
        raise ScenarioError([document.problem(at, what, nearest_beside(beside, name))])
    return located(named, beside.parent)


def _open_workload(scenario: Scenario, document: Document) -> tuple[Workflow | None, Path | None]:
    workload = scenario.workload
    if isinstance(workload, TasksWorkload):
        return Bag(workload, scenario.seed), None
    if isinstance(workload, GraphWorkload):
        return Shaped(workload, scenario.seed), None
    if isinstance(workload, ServiceWorkload):
        return Requests(workload, scenario.seed, _traced(workload, document)), None
    inner = beside(workload.file, document, ("workload", "file"))
    if isinstance(workload, WorkflowWorkload):
        return _load_workflow(inner), None
    if isinstance(workload, TraceWorkload):
        return _replay(scenario, workload, read_trace(inner, workload)), None
    return None, inner


def _traced(workload: ServiceWorkload, document: Document) -> Sequence[TracedRequest]:
    trace = workload.trace
    if trace is None:
        return ()
    return read_requests(beside(trace.file, document, ("workload", "trace", "file")), trace)


def _load_workflow(file: Path) -> Workflow:
    document = parse_json(read_text(file), str(file))
    if is_matrix(document.data):
        return read_matrix(document, file.stem)
    return read_wfformat(document)


def _redrawn(scenario: Scenario, workflow: Workflow | None) -> Workflow | None:
    """The same workload for another seed, on other nodes."""
    if isinstance(scenario.workload, TasksWorkload):
        return Bag(scenario.workload, scenario.seed)
    if isinstance(scenario.workload, GraphWorkload):
        return Shaped(scenario.workload, scenario.seed)
    if isinstance(scenario.workload, ServiceWorkload):
        traced = workflow.traced if isinstance(workflow, Requests) else ()
        return Requests(scenario.workload, scenario.seed, traced)
    if isinstance(workflow, Replay):
        return _replay(scenario, workflow.workload, workflow.traced)
    return workflow


def _replay(scenario: Scenario, workload: TraceWorkload, traced: Sequence[TraceTask]) -> Replay:
    with_memory = scenario.cluster.counts_memory()
    return Replay(workload, traced, with_memory)
