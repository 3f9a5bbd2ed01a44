"""Document -> pydantic model, with every problem at its place. Never stops at the first one."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from raysim.scenario.document import Document, Path
from raysim.scenario.problems import Problem, ScenarioError, listing, nearest

Model = TypeVar("Model", bound=BaseModel)

_QUIET = {"missing", "union_tag_not_found"}
"""Errors that only echo a misspelled key, where there is one in the same mapping."""


_WORDS = {
    "Input should be": "must be",
    "a valid integer": "a whole number",
    "a valid ": "a ",
    "a dictionary": "a mapping",
    " or instance of": " such as",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}
"""What pydantic says, and what a person who writes YAML says."""


def validate(model: type[Model], document: Document, *, open_ended: bool = False) -> Model:
    """The model of this document.

    An unknown key is a problem; where the format is `open_ended` (others may add keys to it), only
    if it looks like a known one. Raises ScenarioError with every problem.
    """
    problems: list[Problem] = []
    misspelled: set[Path] = set()
    for path, known in unknown_keys(model, document.data, ()):
        key = str(path[-1])
        meant = nearest(key, (name for name in known if not _given(document, path, name)))
        if meant is None:
            if open_ended:
                continue
            meant = nearest(key, known)  # Given as well: which of the two holds?
        misspelled.add(path[:-1])
        hint = "" if meant else f"; known here are {', '.join(known)}"
        problems.append(document.key_problem(path, f"unknown key {key!r}{hint}", meant))
    try:
        found = model.model_validate(document.data)
    except ValidationError as error:
        for path, details in _told_once(document, error):
            if details["type"] not in _QUIET or path not in misspelled:
                problems.append(_problem(document, path, details))
    if problems:
        raise ScenarioError(problems)
    return found


def _told_once(document: Document, error: ValidationError) -> Iterator[tuple[Path, ErrorDetails]]:
    """Of the errors that the members of a union have with one value, only the one to the point."""
    errors = [
        (_path_in(document.data, details["loc"]), details)
        for details in error.errors(include_url=False)
    ]
    told: set[Path] = set()
    for path, details in errors:
        kind_is_wrong = details["type"].endswith("_type") or details["type"] == "literal_error"
        if kind_is_wrong and isinstance(details["input"], (dict, list)):
            rest = (other for other in errors if other[1] is not details)
            if any(other[: len(path)] == path for other, _ in rest):
                continue  # The member that the value was meant for has more to say.
        if details["type"] == "literal_error" and any(
            at == path and other["type"].startswith("model_") for at, other in errors
        ):
            details["ctx"]["expected"] += " or a mapping of its parts"
        if path not in told or details["type"] == "missing":
            told.add(path)
            yield path, details


def unknown_keys(annotation: Any, data: Any, path: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """The paths of keys that the type does not know, each with the keys known there."""
    choices = _choices(annotation, data)
    if not choices and isinstance(data, dict):
        known = tuple(dict.fromkeys(_fields_of_all(annotation)))
        yield from (((*path, key), known) for key in data if key not in known)
    for choice in choices:
        if isinstance(choice, type) and issubclass(choice, BaseModel) and isinstance(data, dict):
            fields = {field.alias or name: field for name, field in choice.model_fields.items()}
            for key, value in data.items():
                if key in fields:
                    yield from unknown_keys(fields[key].annotation, value, (*path, key))
                else:
                    yield (*path, key), tuple(fields)
        elif get_origin(choice) in (list, tuple) and isinstance(data, list):
            for index, value in enumerate(data):
                yield from unknown_keys(get_args(choice)[0], value, (*path, index))


def _choices(annotation: Any, data: Any) -> list[Any]:
    """The types that this annotation allows for this value; of tagged models only the one meant."""
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0], data)
    if get_origin(annotation) in (Union, types.UnionType):
        members = [inner for member in get_args(annotation) for inner in _choices(member, data)]
        return [member for member in members if _tag_fits(member, data)]
    return [annotation]


def _fields_of_all(annotation: Any) -> Iterator[str]:
    """The keys of every member of a union whose tag is missing or wrong."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from annotation.model_fields
    for inner in get_args(annotation):
        yield from _fields_of_all(inner)


def _tag_fits(member: Any, data: Any) -> bool:
    if not (isinstance(member, type) and issubclass(member, BaseModel)):
        return True
    kind = member.model_fields.get("kind")
    if kind is None or get_origin(kind.annotation) is not Literal or not isinstance(data, dict):
        return True
    return data.get("kind") in get_args(kind.annotation)


def _given(document: Document, path: Path, name: str) -> bool:
    at: Any = document.data
    for step in path[:-1]:
        at = at[step]
    return name in at


def _path_in(data: Any, loc: Sequence[str | int]) -> Path:
    """The part of pydantic's location that is in the data: without names of unions' members."""
    path: list[str | int] = []
    for step in loc:
        inside = range(len(data)) if isinstance(data, list) else data
        if isinstance(data, (dict, list)) and step in inside:
            data = cast(Any, data)[step]
            path.append(step)
    return tuple(path)


def _problem(document: Document, path: Path, details: ErrorDetails) -> Problem:
    name = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    given, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "missing":
            return document.problem(path, f"{str(details['loc'][-1])!r} is missing{_inside(name)}")
        case "model_type" | "model_attributes_type" if given is None:
            what = f"there is nothing after {name!r}; indent its keys below it, or leave it out"
            return document.problem(path, what)
        case "model_type" | "model_attributes_type":
            subject = repr(name) if name else "this file"
            return document.problem(
                path, f"{subject} must be a mapping of keys, not {_shown(given)}"
            )
        case "list_type" if not isinstance(given, (dict, list)) and given is not None:
            what = f"{name!r} must be a list, not {_shown(given)}; write it as [{given}]"
            return document.problem(path, what)
        case "string_type" if isinstance(given, (int, float)):
            what = f"{name!r} must be a string, not {_shown(given)}; put it in quotes"
            return document.problem(path, what)
        case "value_error":
            return document.problem(path, str(context["error"]))
        case "too_short":
            return document.problem(path, f"{name!r} must not be empty")
        case "union_tag_not_found":
            return document.problem(path, f"'kind' is missing{_inside(name)}")
        case "union_tag_invalid":
            kinds = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
            what = f"unknown kind {context['tag']!r} of {name}"
            return _choice(document, (*path, "kind"), what, str(context["tag"]), kinds)
        case "literal_error":
            known = [
                word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")
            ]
            return _choice(document, path, f"unknown {name} {given!r}", str(given), known)
        case _:
            must = details["msg"]
            for pydantics, ours in _WORDS.items():
                must = must.replace(pydantics, ours)
            label = f"{name!r} " if name else "this "
            return document.problem(
                path, f"{label}{must[:1].lower()}{must[1:]}, not {_shown(given)}"
            )


def _choice(document: Document, path: Path, what: str, word: str, known: Sequence[str]) -> Problem:
    meant = nearest(word, known)
    hint = "" if meant else f"; known are {listing(known)}"
    return document.problem(path, what + hint, meant)


def _inside(name: str) -> str:
    return f" in {name!r}" if name else ""


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
