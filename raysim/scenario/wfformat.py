"""WfFormat 1.4 to 1.6 (wfcommons.org) -> Workflow. Never guesses at a name that is not there.

The format: https://github.com/wfcommons/WfFormat. Seconds, bytes; a missing core count is one core.
From 1.5 on a workflow has a specification (tasks, files, edges) and an execution (runtimes); 1.4
has both in one list, where a parent may be called by its name or its id. A workflow's own
`makespanInSeconds` includes its workflow system's overhead and is not read.
"""

from __future__ import annotations

from pathlib import Path as FilePath

from raysim.scenario.assembly import Assembly, DraftTask, Word
from raysim.scenario.document import Document, Path
from raysim.scenario.jsontext import parse_json
from raysim.scenario.problems import ScenarioError, nearest
from raysim.scenario.reading import read_text
from raysim.scenario.validation import validate
from raysim.scenario.wfschema import ExecutedTask, FlowOf14, FlowOf15, Header
from raysim.scenario.workflow import Workflow

VERSIONS = ("1.4", "1.5", "1.6")


def load_wfformat(file: FilePath) -> Workflow:
    """The workflow in this file. Raises ScenarioError with every problem and its place."""
    return parse_wfformat(read_text(file), str(file))


def parse_wfformat(text: str, file: str = "<workflow>") -> Workflow:
    """The workflow in this text. Raises ScenarioError with every problem and its place."""
    return read_wfformat(parse_json(text, file))


def read_wfformat(document: Document) -> Workflow:
    """The workflow in this document. Raises ScenarioError with every problem and its place."""
    header = validate(Header, document, open_ended=True)
    if header.schemaVersion not in VERSIONS:
        what = (
            f"WfFormat {header.schemaVersion!r} is not read; {', '.join(VERSIONS)} are. "
            "WfFormat's own wfcommons-migrate-instance.py converts older files"
        )
        raise ScenarioError([document.problem(("schemaVersion",), what)])
    if header.schemaVersion == "1.4":
        return _read_14(document)
    return _read_15(document)


def _read_15(document: Document) -> Workflow:
    flow = validate(FlowOf15, document, open_ended=True)
    specification, execution = flow.workflow.specification, flow.workflow.execution
    assembly = Assembly(document)
    files_at: Path = ("workflow", "specification", "files")
    for index, file in enumerate(specification.files):
        assembly.add_file(Word(file.id, (*files_at, index, "id")), file.sizeInBytes)
    ran = _executions(assembly, execution.tasks, {task.id for task in specification.tasks})
    for index, task in enumerate(specification.tasks):
        at: Path = ("workflow", "specification", "tasks", index)
        run = ran.get(task.id)
        if run is None:
            what = f"task {task.id!r} is not among workflow.execution.tasks, so it has no runtime"
            assembly.report((*at, "id"), what)
            continue
        assembly.add_task(
            DraftTask(
                id=Word(task.id, (*at, "id")),
                name=task.name,
                runtime_s=run.runtimeInSeconds,
                cores=run.coreCount,
                parents=_words(task.parents, (*at, "parents")),
                children=_words(task.children, (*at, "children")),
                inputs=_words(task.inputFiles, (*at, "inputFiles")),
                outputs=_words(task.outputFiles, (*at, "outputFiles")),
            )
        )
    return assembly.build(flow.name)


def _executions(
    assembly: Assembly, tasks: list[ExecutedTask], known: set[str]
) -> dict[str, ExecutedTask]:
    ran: dict[str, ExecutedTask] = {}
    for index, task in enumerate(tasks):
        at: Path = ("workflow", "execution", "tasks", index, "id")
        if task.id not in known:
            what = f"task {task.id!r} is not among workflow.specification.tasks"
            assembly.report(at, what, nearest(task.id, sorted(known)))
        elif task.id in ran:
            assembly.report(at, f"the execution of task {task.id!r} is given twice")
        ran.setdefault(task.id, task)
    return ran


def _read_14(document: Document) -> Workflow:
    flow = validate(FlowOf14, document, open_ended=True)
    assembly = Assembly(document)
    sizes: dict[str, int] = {}
    for index, task in enumerate(flow.workflow.tasks):
        at: Path = ("workflow", "tasks", index)
        for nth, file in enumerate(task.files):
            name_at: Path = (*at, "files", nth, "name")
            if file.name not in sizes:
                assembly.add_file(Word(file.name, name_at), file.sizeInBytes)
            elif file.sizeInBytes != sizes[file.name]:
                sizes_shown = f"{file.sizeInBytes} bytes here, {sizes[file.name]} above"
                what = f"file {file.name!r} has {sizes_shown}"
                assembly.report((*at, "files", nth, "sizeInBytes"), what)
            sizes.setdefault(file.name, file.sizeInBytes)
        links = {
            link: tuple(
                Word(file.name, (*at, "files", nth, "name"))
                for nth, file in enumerate(task.files)
                if file.link == link
            )
            for link in ("input", "output")
        }
        assembly.add_task(
            DraftTask(
                id=Word(task.id or task.name, (*at, "id" if task.id else "name")),
                name=task.name,
                runtime_s=task.runtimeInSeconds,
                cores=task.cores,
                parents=_words(task.parents, (*at, "parents")),
                children=_words(task.children, (*at, "children")),
                inputs=links["input"],
                outputs=links["output"],
            ),
            alias=task.name,
        )
    return assembly.build(flow.name)


def _words(names: list[str], at: Path) -> tuple[Word, ...]:
    return tuple(Word(name, (*at, nth)) for nth, name in enumerate(names))
