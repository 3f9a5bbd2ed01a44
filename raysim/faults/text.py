"""Faults as people and files write them: `kill_node(at=5s, node=2)`, or a mapping. Never looks at a cluster."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

import msgspec

from raysim.faults.kinds import BY_NAME
from raysim.faults.links import WAYS
from raysim.faults.model import ANY, HALF, HEAD, REST, Fault, NodeName
from raysim.faults.moment import exact_duration, parse_moment
from raysim.protocol.messages import MESSAGES
from raysim.protocol.messages.repeats import ASKED_AGAIN, REPLIES
from raysim.spec.call_text import hint, parse_call
from raysim.spec.units import (
    parse_bandwidth,
    parse_duration,
    parse_number,
    parse_share,
    parse_size,
)

_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")


def parse_fault(text: str) -> Fault:
    """The fault in a text such as `kill_node(at=33%, node=2)`.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    call = parse_call(text, "fault", "kill_node(at=5s, node=2)")
    return fault_from(call.name, call.arguments)


def fault_from(kind: str, arguments: Mapping[str, object]) -> Fault:
    """The fault of this kind with these arguments, whose values are texts or numbers.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    fault = BY_NAME.get(kind)
    if fault is None:
        raise ValueError(f"unknown fault {kind!r}{hint(kind, BY_NAME)}")
    fields = {field.name: field for field in msgspec.structs.fields(fault)}
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in fields:
            raise ValueError(f"{kind} has no argument {name!r}{hint(name, fields)}")
        values[name] = _FORMS[name].parse(_plain(value))
    for name, field in fields.items():
        if name not in values and field.required:
            raise ValueError(f"{kind} needs {name!r}; write it as {kind}(at=5s)")
    made = fault(**values)
    _check_message(made)
    return made


def arguments_of(fault: Fault) -> dict[str, str]:
    """What was given, as texts: `fault_from(fault.tag(), arguments_of(fault))` is the same fault again."""
    return {
        field.name: _FORMS[field.name].show(value)
        for field in msgspec.structs.fields(type(fault))
        if (value := getattr(fault, field.name)) != field.default
    }


def shown_default(field: msgspec.structs.FieldInfo) -> str:
    """The value that an argument has where it is left out, as it would be written; `any` where one is drawn."""
    shown = _FORMS[field.name].show(field.default)
    return ANY if field.default is None and shown == str(None) else shown


def format_fault(fault: Fault) -> str:
    """As `parse_fault` reads it."""
    given = [f"{name}={value}" for name, value in arguments_of(fault).items()]
    return f"{fault.tag()}({', '.join(given)})"


def fault_to_json(fault: Fault) -> dict[str, str]:
    """Such as {"kind": "kill_node", "at": "5s"}."""
    return {"kind": fault.tag(), **arguments_of(fault)}


def fault_from_json(written: Mapping[str, object]) -> Fault:
    """The fault of `fault_to_json`. Raises ValueError."""
    arguments = dict(written)
    kind = arguments.pop("kind", None)
    if not isinstance(kind, str):
        raise ValueError(
            f"{written!r} has no 'kind'; write it as {{'kind': 'kill_node', 'at': '5s'}}"
        )
    return fault_from(kind, arguments)


def _check_message(fault: Fault) -> None:
    """Raises ValueError for a message that no such fault can strike by itself."""
    name = getattr(fault, "message", None)
    if name is None or fault.tag() == "delay":
        return
    may = REPLIES if fault.tag() == "fail_rpc" else ASKED_AGAIN
    names = sorted(kind.__name__ for kind in may)
    if name not in names:
        raise ValueError(
            f"{fault.tag()}: {name} goes with its connection: nobody asks for it again, so that it cannot be "
            f"lost or doubled by itself. Those that can: {', '.join(names)}"
        )


# --- one form for each name of a field ---


class _Form(NamedTuple):
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def parse_node(text: str) -> NodeName | None:
    """The index of a node, its name, or None for `any`. Raises ValueError for anything else."""
    if text == ANY:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    if text == HEAD or (_NAME.fullmatch(text) and any(sign in text for sign in "-_.0123456789")):
        return text
    raise ValueError(
        f"node {text!r} is not a node's number (0 is the head), not a name such as node-2, and not `any`"
    )


def parse_nodes(text: str) -> str:
    """Several nodes: `any` (one), `half`, `rest`, or some joined by +, as `0+2` or `head+node-3`."""
    if text not in (ANY, HALF, REST):
        for part in text.split("+"):
            parse_node(part)
    return text


def _duration(text: str) -> int | None:
    return None if text == "none" else parse_duration(text)


def _signed_duration(text: str) -> int:
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)


def _share(text: str) -> float:
    share = parse_share(text)
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not a share; write it as 5% or 0.05")
    return share


def _factor(text: str) -> float:
    factor = parse_number(text)
    if not 1 <= factor < math.inf:
        raise ValueError(f"{text!r} is not a factor of at least 1")
    return factor


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{text!r} is not a count of at least 1")
    return int(text)


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def _message(text: str) -> str:
    names = tuple(kind.__name__ for kind in MESSAGES)
    if text not in names:
        close = get_close_matches(text, names, n=1)
        meant = f"; did you mean {close[0]}?" if close else ", see docs/architecture.md"
        raise ValueError(f"there is no message {text!r}{meant}")
    return text


def _way(text: str) -> str:
    if text not in WAYS:
        raise ValueError(f"unknown way {text!r}{hint(text, WAYS)}")
    return text


def _actor(text: str) -> str | None:
    return None if text == ANY else text


def _number(value: float) -> str:
    return f"{value:.15g}"


def _shown_switch(value: bool) -> str:
    return "true" if value else "false"


def _shown_duration(ns: int | None) -> str:
    return "none" if ns is None else exact_duration(ns)


_FORMS: Final[dict[str, _Form]] = {
    "at": _Form(parse_moment),
    "lasting": _Form(_duration, _shown_duration),
    "deadline": _Form(_duration, _shown_duration),
    "node": _Form(parse_node),
    "nodes": _Form(parse_nodes),
    "others": _Form(parse_nodes),
    "actor": _Form(_actor),
    "factor": _Form(_factor, _number),
    "rate": _Form(_share, lambda share: f"{_number(share * 100)}%"),
    "count": _Form(_count),
    "durable": _Form(_switch, _shown_switch),
    "one_way": _Form(_switch, _shown_switch),
    "latency": _Form(parse_duration, exact_duration),
    "jitter": _Form(parse_duration, exact_duration),
    "skew": _Form(_signed_duration, exact_duration),
    "bandwidth": _Form(parse_bandwidth, lambda value: f"{value}B/s"),
    "size": _Form(parse_size),
    "message": _Form(_message),
    "way": _Form(_way),
}
"""A name means the same in all kinds."""
