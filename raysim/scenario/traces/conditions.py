"""Which tasks of a trace are replayed: `gpus <= 8`, `queue == batch`. Never changes a task."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from raysim.scenario.problems import nearest
from raysim.scenario.traces.task import TraceTask
from raysim.spec.units import NANOSECONDS, parse_duration, parse_size

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_WRITTEN: Final = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*(.*?)\s*")


def _seconds(text: str) -> float:
    return parse_duration(text) / NANOSECONDS["s"]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


_FIELDS: Final[dict[str, tuple[str, Callable[[str], float | str]]]] = {
    "submit": ("submit_s", _seconds),
    "duration": ("duration_s", _seconds),
    "requested": ("requested_s", _seconds),
    "cpus": ("cpus", _number),
    "gpus": ("gpus", _number),
    "memory": ("memory", parse_size),
    "priority": ("priority", _number),
    "id": ("id", str),
    "user": ("user", str),
    "group": ("group", str),
    "queue": ("queue", str),
}
"""What a condition may speak of: the attribute of a task, and how its values are written."""


@dataclass(frozen=True)
class Condition:
    """One thing that has to hold of a task. Where the trace does not say it, it does not hold."""

    text: str
    attribute: str
    compare: Callable[[Any, Any], bool]
    value: float | str

    def holds(self, task: TraceTask) -> bool:
        said = getattr(task, self.attribute)
        return said is not None and self.compare(said, self.value)


def parse_condition(text: str) -> Condition:
    """The condition in this text. Raises ValueError that says what is wrong and what was probably meant."""
    written = _WRITTEN.fullmatch(text)
    if written is None or not written[3]:
        raise ValueError(f"{text!r} is no condition on tasks; write it as `gpus <= 8`")
    name, sign, value = written.groups()
    if name not in _FIELDS:
        meant = nearest(name, _FIELDS)
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(_FIELDS)}"
        raise ValueError(f"unknown field {name!r} in {text!r}; {hint}")
    attribute, read = _FIELDS[name]
    try:
        return Condition(text, attribute, _OPERATORS[sign], read(value))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
