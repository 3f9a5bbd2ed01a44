"""A document with a `sweep` -> one document for each combination of values. Never says what a value means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

from raysim.scenario.document import Document
from raysim.scenario.document import Path as DocumentPath
from raysim.scenario.patching import Patchwork, value_at
from raysim.scenario.problems import Problem, ScenarioError

KEY: Final = "sweep"
MOST_CASES: Final = 10_000
"""Combinations of one file: as many folders are made, and each is checked before the first one runs."""

_LONGEST_NAME: Final = 48
"""Of one value in the name of a case, which becomes the name of a folder."""
_PLAIN: Final = re.compile(r"[^\w.+-]+")


class Case(NamedTuple):
    """One combination: its name, such as `policy=best_fit,nodes=8`, and the scenario with its values."""

    name: str
    document: Document


class Axis(NamedTuple):
    """One field with the values that it takes."""

    field: str
    path: DocumentPath
    values: Sequence[Any]


def cases_of(document: Document) -> list[Case]:
    """Of a document without a `sweep` itself, without a name. Raises ScenarioError with every problem of the sweep."""
    if not isinstance(document.data, dict) or KEY not in document.data:
        return [Case("", document)]
    axes = _axes(document)
    plain = Document(
        document.file,
        {key: value for key, value in document.data.items() if key != KEY},
        lambda: document.places,
    )
    labels = _labels(axes)
    return [
        Case(
            ",".join(labels[nth][index] for nth, index in enumerate(indices)),
            _filled(plain, document, axes, indices),
        )
        for indices in product(*(range(len(axis.values)) for axis in axes))
    ]


def _filled(
    plain: Document, document: Document, axes: Sequence[Axis], indices: Sequence[int]
) -> Document:
    made = Patchwork(document.file)
    made.lay(plain)
    for axis, index in zip(axes, indices, strict=True):
        key: DocumentPath = (KEY, axis.field)
        try:
            made.put(axis.path, document, (*key, index), key)
        except LookupError as error:
            (found,) = error.args
            what = f"there is no {axis.field!r}: {_there(plain, found)}"
            raise ScenarioError([document.key_problem(key, what)]) from None
    return made.document()


def _there(document: Document, path: DocumentPath) -> str:
    """What stands on the way to a field."""
    value = value_at(document.data, path)
    shown = (
        f"has {len(value)} items, counted from 0" if isinstance(value, list) else f"is {value!r}"
    )
    return f"{'.'.join(map(str, path))!r} {shown}"


def _axes(document: Document) -> list[Axis]:
    said = document.data[KEY]
    if not isinstance(said, dict) or not said:
        what = "'sweep' maps fields to lists of values, such as `policy: [hybrid, best_fit]`"
        raise ScenarioError([document.problem((KEY,), what)])
    problems = [
        problem for field, values in said.items() for problem in _problems(document, field, values)
    ]
    if problems:
        raise ScenarioError(problems)
    axes = [Axis(field, tuple(field.split(".")), values) for field, values in said.items()]
    problems = list(_overlaps(document, axes))
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_CASES:
        what = f"these are {count} combinations; at most {MOST_CASES} are run, so leave some out"
        problems.append(document.key_problem((KEY,), what))
    if problems:
        raise ScenarioError(problems)
    return axes


def _problems(document: Document, field: str, values: object) -> Iterator[Problem]:
    at: DocumentPath = (KEY, field)
    if not all(field.split(".")):
        yield document.key_problem(at, f"{field!r} is no field; write it as `cluster.nodes`")
    if field.split(".")[0] in (KEY, "include", "name"):
        yield document.key_problem(at, f"{field!r} is the same for all runs and cannot be swept")
    if not isinstance(values, list):
        yield document.problem(
            at, f"{field!r} needs a list of values, such as [{_word(values)}, ...]"
        )
        return
    if not values:
        yield document.problem(at, f"the list of values of {field!r} must not be empty")
    shown = [json.dumps(value, sort_keys=True) for value in values]
    for index, value in enumerate(shown):
        if value in shown[:index]:
            yield document.problem((*at, index), f"{field!r} has the value {value} twice")


def _overlaps(document: Document, axes: Sequence[Axis]) -> Iterator[Problem]:
    """One field inside another: which of the two holds?"""
    for axis in axes:
        for other in axes:
            if other is not axis and axis.path[: len(other.path)] == other.path:
                what = f"{axis.field!r} lies inside {other.field!r}, which is swept as well"
                yield document.key_problem((KEY, axis.field), what)


def _labels(axes: Sequence[Axis]) -> list[list[str]]:
    """Of each value of each axis. The last word of a field, where no other one ends so."""
    last = [axis.path[-1] for axis in axes]
    labels: list[list[str]] = []
    for axis in axes:
        name = axis.path[-1] if last.count(axis.path[-1]) == 1 else axis.field
        words = [_word(value) for value in axis.values]
        labels.append(
            [
                f"{name}={word if words.count(word) == 1 else f'{word}_{index}'}"
                for index, word in enumerate(words)
            ]
        )
    return labels


def _word(value: object) -> str:
    """A value as a part of a file's name."""
    text = value if isinstance(value, str) else json.dumps(value)
    return _PLAIN.sub("_", text).strip("_.")[:_LONGEST_NAME] or "empty"
