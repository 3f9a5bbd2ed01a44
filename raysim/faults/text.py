"""Faults as people write them: `kill_node(at=5s, node=2)`. Never looks at a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from raysim.faults.model import FAULTS, Fault, Moment
from raysim.spec.units import parse_duration

_CALL: Final = re.compile(r"\s*([A-Za-z_][\w-]*)\s*(?:\((.*)\))?\s*", re.DOTALL)
_BY_NAME: Final[dict[str, type[Fault]]] = {
    str(fault.__struct_config__.tag): fault for fault in FAULTS
}


def parse_fault(text: str) -> Fault:
    """The fault in a text such as `kill_node(at=33%, node=2)`.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    call = _CALL.fullmatch(text)
    if call is None and "(" in text and ")" not in text:
        raise ValueError(f"{text!r}: its bracket is not closed; in a [list], put it in quotes")
    if call is None:
        raise ValueError(f"{text!r} is not a fault; write it as kill_node(at=5s, node=2)")
    arguments: dict[str, object] = {}
    for part in filter(str.strip, (call[2] or "").split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{part.strip()!r} in {text!r} has no name; write it as at=5s")
        if name.strip() in arguments:
            raise ValueError(f"{name.strip()!r} is given twice in {text!r}")
        arguments[name.strip()] = value.strip()
    return fault_from(call[1], arguments)


def fault_from(kind: str, arguments: Mapping[str, object]) -> Fault:
    """The fault of this kind with these arguments, whose values are texts or numbers.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    fault = _BY_NAME.get(kind)
    if fault is None:
        raise ValueError(f"unknown fault {kind!r}{_hint(kind, tuple(_BY_NAME))}")
    fields = {field.name: field for field in msgspec.structs.fields(fault)}
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in fields:
            raise ValueError(f"{kind} has no argument {name!r}{_hint(name, tuple(fields))}")
        values[name] = _PARSERS[fields[name].name](str(value).strip())
    for name, field in fields.items():
        if name not in values and field.required:
            raise ValueError(f"{kind} needs {name!r}; write it as {kind}(at=5s)")
    return fault(**values)


def parse_moment(text: str) -> Moment:
    """A moment such as `5s` or `33%`. Raises ValueError for anything else."""
    if not text.endswith("%"):
        return Moment(ns=parse_duration(text))
    try:
        percent = float(text[:-1])
    except ValueError:
        raise ValueError(f"{text!r} is not a moment; write it as 5s or 33%") from None
    if not 0 <= percent <= 100:
        raise ValueError(f"{text!r} is outside the run; write a share between 0% and 100%")
    return Moment(share=percent / 100)


def parse_node(text: str) -> int | None:
    """The index of a node, or None for `any`. Raises ValueError for anything else."""
    if text == "any":
        return None
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"node {text!r} is not a node's number (0 is the head) and not `any`")
    return int(text)


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {"at": parse_moment, "node": parse_node}


def _hint(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word.lower().replace("-", "_"), known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
