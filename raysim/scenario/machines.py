"""A list of machines that a scenario names -> the nodes of its cluster. Never says what runs on them."""

from __future__ import annotations

from pathlib import Path

from raysim.scenario.document import Document
from raysim.scenario.document import Path as DocumentPath
from raysim.scenario.model import NodeGroup, Scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.reading import nearest_beside
from raysim.scenario.traces.openb import read_openb_nodes


def with_machines(scenario: Scenario, document: Document) -> Scenario:
    """The same with a group for each machine of its list, if it has one. Raises ScenarioError."""
    machines = scenario.cluster.machines
    if machines is None:
        return scenario
    groups = [
        NodeGroup(cpus=one.cpus, gpus=one.gpus, memory=one.memory, gpu_model=one.model)
        for one in read_openb_nodes(
            beside(machines.file, document, ("cluster", "machines", "file"))
        )
        if one.gpus or not machines.with_gpus
    ]
    if not groups:
        what = f"there is no such machine in {machines.file!r}"
        raise ScenarioError([document.problem(("cluster", "machines"), what)])
    cluster = scenario.cluster.model_copy(update={"nodes": groups, "machines": None})
    return scenario.model_copy(update={"cluster": cluster})


def beside(name: str, document: Document, at: DocumentPath) -> Path:
    """The file of this name beside the one that names it. Raises ScenarioError where there is none."""
    here = Path(document.file_of(at))
    inner = here.parent / name
    if inner.is_dir():
        raise ScenarioError([document.problem(at, f"{name!r} is a folder, not a file")])
    if not inner.is_file():
        what = f"there is no file {name!r} beside this one"
        raise ScenarioError([document.problem(at, what, nearest_beside(here, name))])
    return inner
