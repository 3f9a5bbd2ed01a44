"""A scenario file with the parts of others that it includes -> one Document. Never says what a part means."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from raysim.scenario.document import Document
from raysim.scenario.document import Path as DocumentPath
from raysim.scenario.patching import Patchwork
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.reading import nearest_beside, read_text
from raysim.scenario.yamltext import parse_yaml

KEY: Final = "include"


def document_of(text: str, file: Path) -> Document:
    """The document in this text, laid over those that it includes; `include` is no longer in it.

    Raises ScenarioError with every problem of any of the files.
    """
    return _Reader().whole(text, file)


class _Reader:
    def __init__(self) -> None:
        self._around: list[Path] = []
        """The files that are being read, each included by the one before."""
        self._done: dict[Path, Document] = {}

    def whole(self, text: str, file: Path) -> Document:
        own = parse_yaml(text, str(file))
        if not isinstance(own.data, dict) or KEY not in own.data:
            return own
        self._around.append(_identity(file))
        laid = Patchwork(str(file))
        problems: list[Problem] = []
        for at, name in _names(own):
            try:
                laid.lay(self._included(own, at, name))
            except ScenarioError as error:
                problems += error.problems
        self._around.pop()
        if problems:
            raise ScenarioError(dict.fromkeys(problems))
        laid.lay(own)
        document = laid.document()
        del document.data[KEY]
        return document

    def _included(self, own: Document, at: DocumentPath, name: str) -> Document:
        file = Path(own.file).parent / name
        if not file.is_file():
            what = f"there is no file {name!r} beside this one"
            raise ScenarioError([own.problem(at, what, nearest_beside(Path(own.file), name))])
        identity = _identity(file)
        if identity in self._around:
            circle = self._around[self._around.index(identity) :]
            names = " -> ".join(one.name for one in (*circle, identity))
            raise ScenarioError([own.problem(at, f"a file cannot include itself: {names}")])
        if identity not in self._done:
            document = self.whole(read_text(file), file)
            if not isinstance(document.data, dict):
                raise ScenarioError([document.problem((), "a file that is included is a mapping")])
            self._done[identity] = document
        return self._done[identity]


def _names(document: Document) -> list[tuple[DocumentPath, str]]:
    """What it includes, in order. Raises ScenarioError where that is no file's name."""
    said: Any = document.data[KEY]
    listed = isinstance(said, list)
    names: list[tuple[DocumentPath, Any]] = [
        ((KEY, index) if listed else (KEY,), name)
        for index, name in enumerate(said if listed else [said])
    ]
    wrong = [at for at, name in names if not isinstance(name, str) or not name]
    if wrong or not names:
        what = "'include' is the name of a file beside this one, or a list of such names"
        raise ScenarioError(document.problem(at, what) for at in wrong or [(KEY,)])
    return names


def _identity(file: Path) -> Path:
    return file.resolve()
