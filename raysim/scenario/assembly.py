"""Tasks and files as a file gives them -> Workflow. Never builds one with a problem left.

What a schema cannot say is checked here: ids that must be unique and names that must exist, edges
that must not close a circle, files that must have one writer, which must come before each reader.
"""

from __future__ import annotations

from typing import NamedTuple

from raysim.scenario.document import Document, Path
from raysim.scenario.problems import Problem, ScenarioError, nearest
from raysim.scenario.workflow import CycleError, Workflow, WorkflowFile, WorkflowTask


class Word(NamedTuple):
    """A name and where it stands."""

    text: str
    at: Path


class DraftTask(NamedTuple):
    """A task whose names are not yet known to mean anything."""

    id: Word
    name: str
    runtime_s: float
    cores: float
    parents: tuple[Word, ...]
    children: tuple[Word, ...]
    inputs: tuple[Word, ...]
    outputs: tuple[Word, ...]


class Assembly:
    """Collects tasks and files, then builds the workflow or says everything that is wrong."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: list[Problem] = []
        self._drafts: dict[str, DraftTask] = {}
        self._files: dict[str, WorkflowFile] = {}
        self._writers: dict[str, str] = {}
        self._aliases: dict[str, str] = {}

    def report(self, at: Path, what: str, meant: str | None = None) -> None:
        """Note a problem at this place."""
        self._problems.append(self._document.problem(at, what, meant))

    def add_file(self, word: Word, size_bytes: int) -> None:
        """A file and its size."""
        if word.text in self._files:
            self.report(word.at, f"two files have the id {word.text!r}")
        self._files[word.text] = WorkflowFile(word.text, size_bytes)

    def add_task(self, draft: DraftTask, alias: str | None = None) -> None:
        """A task, and the other name that edges may call it by."""
        if draft.id.text in self._drafts:
            self.report(draft.id.at, f"two tasks have the id {draft.id.text!r}")
        self._drafts[draft.id.text] = draft
        if alias is not None:
            self._aliases.setdefault(alias, draft.id.text)

    def build(self, name: str) -> Workflow:
        """The workflow. Raises ScenarioError with every problem that was noted or found now."""
        parents = self._parents()
        self._check_files()
        self._raise_problems()
        tasks = [
            WorkflowTask(
                id=draft.id.text,
                name=draft.name,
                runtime_s=draft.runtime_s,
                cores=draft.cores,
                parents=tuple(parents[draft.id.text]),
                inputs=tuple(dict.fromkeys(word.text for word in draft.inputs)),
                outputs=tuple(word.text for word in draft.outputs),
            )
            for draft in self._drafts.values()
        ]
        try:
            workflow = Workflow(name, tasks, self._files.values())
        except CycleError as error:
            at = self._drafts[error.cycle[0]].id.at
            raise ScenarioError([self._document.problem(at, str(error))]) from None
        self._check_readers(workflow)
        self._raise_problems()
        return workflow

    def _raise_problems(self) -> None:
        if self._problems:
            raise ScenarioError(self._problems)

    def _parents(self) -> dict[str, dict[str, None]]:
        """Each task's parents in the order given; an edge counts once, whichever end names it."""
        parents: dict[str, dict[str, None]] = {task_id: {} for task_id in self._drafts}
        for task_id, draft in self._drafts.items():
            for word in draft.parents:
                if parent := self._task(word):
                    parents[task_id][parent] = None
        for task_id, draft in self._drafts.items():
            for word in draft.children:
                if child := self._task(word):
                    parents[child][task_id] = None
        return parents

    def _task(self, word: Word) -> str | None:
        if word.text in self._drafts:
            return word.text
        if word.text in self._aliases:
            return self._aliases[word.text]
        known = (*self._drafts, *self._aliases)
        self.report(word.at, f"there is no task {word.text!r}", nearest(word.text, known))
        return None

    def _check_files(self) -> None:
        for task_id, draft in self._drafts.items():
            for word in (*draft.inputs, *draft.outputs):
                if word.text not in self._files:
                    what = f"there is no file {word.text!r} in the list of files"
                    self.report(word.at, what, nearest(word.text, self._files))
            for word in draft.outputs:
                other = self._writers.setdefault(word.text, task_id)
                if other != task_id:
                    what = f"file {word.text!r} is written by {other!r} already; give it one writer"
                    self.report(word.at, what)

    def _check_readers(self, workflow: Workflow) -> None:
        """A file must be there when its reader starts: its writer is an ancestor of the reader."""
        for task in workflow.order:
            for word in self._drafts[task.id].inputs:
                writer = self._writers.get(word.text)
                if writer is not None and not _waits_for(workflow, task, writer):
                    what = (
                        f"{task.id!r} reads file {word.text!r} but does not wait for {writer!r}, "
                    )
                    self.report(word.at, what + "which writes it; add the edge")


def _waits_for(workflow: Workflow, task: WorkflowTask, other: str) -> bool:
    """Whether `other` ends before this task starts; mostly it is a parent, so that comes first."""
    if other in task.parents:
        return True
    seen: set[str] = set()
    ahead = list(task.parents)
    while ahead:
        ancestor = ahead.pop()
        if ancestor == other:
            return True
        if ancestor not in seen:
            seen.add(ancestor)
            ahead.extend(workflow.tasks[ancestor].parents)
    return False
