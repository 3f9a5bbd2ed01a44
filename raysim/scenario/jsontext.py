"""JSON text -> Document. Never accepts what RFC 8259 does not: no NaN, no key given twice."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, Final, NoReturn

from raysim.scenario.document import Document, Path, Places
from raysim.scenario.problems import Place, Problem, ScenarioError

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ATOM: Final = re.compile(r"[^\s,\]}]+")


def parse_json(text: str, file: str) -> Document:
    """The document in this text. Raises ScenarioError where it is not JSON."""
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            repeated.extend(found)
        return found

    try:
        data = json.loads(text, parse_constant=_refuse, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        problem = Problem(file, place, f"this is not JSON: {_lower_first(error.msg)}")
        raise ScenarioError([problem]) from None
    except _NotANumber as error:
        what = f"this is not JSON: {error} is not a number there"
        raise ScenarioError([Problem(file, _find_word(text, str(error)), what)]) from None
    except RecursionError:
        problem = Problem(file, None, "this JSON is nested too deeply to be a workflow")
        raise ScenarioError([problem]) from None
    if repeated:
        scan = _Scan(text)
        scan.places()
        raise ScenarioError(
            Problem(file, place, f"{key!r} is given twice") for key, place in scan.repeated
        )
    return Document(file, data, lambda: _Scan(text).places())


class _NotANumber(ValueError):
    """`NaN`, `Infinity` or `-Infinity`, which Python's reader would take."""


def _refuse(word: str) -> NoReturn:
    raise _NotANumber(word)


def _find_word(text: str, word: str) -> Place:
    bare = re.compile(rf'"(?:[^"\\]|\\.)*"|({re.escape(word)})', re.DOTALL)
    start = next(match.start(1) for match in bare.finditer(text) if match[1])
    return Place(text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


class _Scan:
    """A second walk over text that is known to be JSON, for the places only."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}
        self.repeated: list[tuple[str, Place]] = []

    def places(self) -> Places:
        try:
            self._value((), 0)
        except RecursionError:
            pass  # Deeper than any workflow: what lies deeper is placed at what was found.
        return Places(self.values, self.keys)

    def _place(self, at: int) -> Place:
        line = bisect_right(self.lines, at)
        return Place(line, at - self.lines[line - 1] + 1)

    def _skip(self, at: int) -> int:
        return _matched(_SPACE, self.text, at).end()

    def _value(self, path: Path, at: int) -> int:
        at = self._skip(at)
        self.values[path] = self._place(at)
        match self.text[at]:
            case "{":
                return self._object(path, at + 1)
            case "[":
                return self._array(path, at + 1)
            case '"':
                return _matched(_STRING, self.text, at).end()
            case _:
                return _matched(_ATOM, self.text, at).end()

    def _object(self, path: Path, at: int) -> int:
        at = self._skip(at)
        while self.text[at] != "}":
            key = _matched(_STRING, self.text, at)
            inner = (*path, str(json.loads(key[0])))
            if inner in self.keys:
                self.repeated.append((str(inner[-1]), self._place(at)))
            self.keys[inner] = self._place(at)
            at = self._value(inner, self._skip(key.end()) + 1)
            at = self._next(at)
        return at + 1

    def _array(self, path: Path, at: int) -> int:
        at = self._skip(at)
        index = 0
        while self.text[at] != "]":
            at = self._next(self._value((*path, index), at))
            index += 1
        return at + 1

    def _next(self, at: int) -> int:
        at = self._skip(at)
        return self._skip(at + 1) if self.text[at] == "," else at


def _matched(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str]:
    found = pattern.match(text, at)
    assert found is not None, f"the scan of JSON lost its way at offset {at}"
    return found
