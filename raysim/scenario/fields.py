"""How single values of a scenario are written, for the reader and for the schema. Never a part of a file: see model.

Durations become nanoseconds, sizes bytes, bandwidths bytes per second; texts such as faults what they stand for. Each
type says what an editor may offer as well: a schema that allows more than the reader does, never less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, Field, InstanceOf, WithJsonSchema

from raysim.config import Config
from raysim.faults.kinds import BY_NAME as FAULTS
from raysim.faults.model import Fault
from raysim.faults.text import fault_from, parse_fault
from raysim.policies import create, names
from raysim.policies.eviction import EVICTIONS, create_eviction
from raysim.policies.orders import create_order, order_names
from raysim.policies.scaling import SCALINGS, create_scaling
from raysim.scenario.arrivals import KINDS as ARRIVALS
from raysim.scenario.arrivals import Arrivals, parse_arrivals
from raysim.scenario.distributions import KINDS as DISTRIBUTIONS
from raysim.scenario.distributions import Distribution, parse_distribution
from raysim.scenario.expectation import Expectation, parse_expectation
from raysim.scenario.shapes import KINDS as SHAPES
from raysim.scenario.shapes import Shape, parse_shape
from raysim.spec.units import (
    BYTES,
    NANOSECONDS,
    parse_bandwidth,
    parse_duration,
    parse_number,
    parse_size,
)

_LONGEST_NS: Final = 100 * 365 * NANOSECONDS["d"]
_LARGEST: Final = BYTES["TiB"] * 10**6


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"a quantity was expected, not {_kind(value)}")
    return str(value)


def _kind(value: object) -> str:
    names = {dict: "a mapping", list: "a list", type(None): "nothing", bool: "true or false"}
    return names.get(type(value), repr(value))


def _read_fault(value: object) -> Fault:
    """`kill_node(at=5s)` or `{kill_node: {at: 5s}}`."""
    if isinstance(value, str):
        return parse_fault(value)
    if isinstance(value, dict) and len(value) == 1:
        ((kind, arguments),) = value.items()
        if isinstance(arguments, dict):
            return fault_from(str(kind), arguments)
    raise ValueError("a fault is written as `kill_node(at=5s)` or as `kill_node: {at: 5s}`")


def _read_policy(value: object) -> object:
    """One that has a file is looked for later: what it lies beside is not known here."""
    if isinstance(value, str) and ":" not in value:
        create(value, Config())
    return value


def _read_order(value: object) -> object:
    """The same."""
    if isinstance(value, str) and ":" not in value:
        create_order(value)
    return value


def _read_eviction(value: object) -> object:
    """The same."""
    if isinstance(value, str) and ":" not in value:
        create_eviction(value)
    return value


def _read_scaling(value: object) -> object:
    """The same."""
    if isinstance(value, str) and ":" not in value:
        create_scaling(value)
    return value


def _duration(text: str) -> int:
    """Raises ValueError where nanoseconds would not fit into 64 bits, with room for sums."""
    duration_ns = parse_duration(text)
    if duration_ns > _LONGEST_NS:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return duration_ns


def _size(text: str) -> int:
    size = parse_size(text)
    if size > _LARGEST:
        raise ValueError(f"{text!r} is more than a million TiB")
    return size


def _read_durations(value: object) -> int | Distribution:
    text = _text(value)
    if "(" not in text and text.strip() not in DISTRIBUTIONS:
        return _duration(text)
    return parse_distribution(text, _duration, "exponential(mean=2s)")


def _read_cpus(value: object) -> float | Distribution:
    text = _text(value)
    if "(" not in text and text.strip() not in DISTRIBUTIONS:
        return _amount(text)
    return parse_distribution(text, _amount, "empirical(values=1+1+4)")


def _amount(text: str) -> float:
    amount = parse_number(text)
    if not 0 <= amount < math.inf:
        raise ValueError(f"{text!r} is not a number of at least 0")
    return amount


def _read_arrivals(value: object) -> Arrivals:
    return parse_arrivals(_text(value))


def _read_shape(value: object) -> Shape:
    if not isinstance(value, str):
        raise ValueError(f"a shape is a text such as `fork_join(width=8)`, not {_kind(value)}")
    return parse_shape(value)


def _read_expectation(value: object) -> Expectation:
    if not isinstance(value, str):
        raise ValueError(f"an expectation is a text such as 'failed == 0', not {_kind(value)}")
    return parse_expectation(value)


# --- what an editor offers -----------------------------------------------------------------------

_NUMBER: Final = r"\d+(\.\d+)?"


def _quantity(units: Iterable[str], *examples: str, bare: bool) -> dict[str, Any]:
    """A number with a unit, or several in a row. `bare`: also without a unit; 0 needs none anywhere."""
    either = "|".join(units)
    pattern = rf"^\s*{_NUMBER}\s*({either})({_NUMBER}({either}))*\s*$"
    number = {"type": ["number", "string"]} if bare else {"enum": [0, "0"]}
    return {"anyOf": [{"type": "string", "pattern": pattern}, number], "examples": list(examples)}


def _call(kinds: Iterable[str], *examples: str) -> dict[str, Any]:
    """A name with arguments in brackets."""
    pattern = rf"^\s*({'|'.join(kinds)})\s*(\(.*\))?\s*$"
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


def _named(known: Iterable[str], example: str) -> dict[str, Any]:
    """One of these, or any with arguments or a place."""
    other = {"type": "string", "pattern": r"[:(]", "examples": [example, "mine.py:Mine"]}
    return {"anyOf": [{"enum": list(known)}, other]}


_TIME: Final = _quantity([*NANOSECONDS, "µs", "μs", "min"], "500ms", "2s", "1m30s", bare=False)
_BYTES: Final = _quantity([*BYTES, "KB", "bytes"], "64KiB", "2GB", bare=True)
_RATE: Final = {
    "type": "string",
    "pattern": r"\d.*[A-Za-z]/s\s*$",
    "examples": ["10Gbit/s", "1GiB/s"],
}
_FAULT: Final = {
    "anyOf": [
        _call(FAULTS, "kill_node(at=33%)", "kill_worker(at=5s, node=2)"),
        {
            "type": "object",
            "properties": {name: {"type": "object"} for name in FAULTS},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ]
}
_ASSERT: Final = {"type": "string", "examples": ["failed == 0", "p95(task_wait) < 500ms"]}
_POLICY: Final = _named(names(), "power_of_d(d=3)")
_ORDER: Final = _named(order_names(), "priority(preempt=true)")
_EVICTION: Final = _named(EVICTIONS.names(), "gdsf(by_bytes=true)")
_SCALING: Final = _named(SCALINGS.names(), "target_utilization(target=0.7)")
_TASK_TIME: Final = {"anyOf": [_call(DISTRIBUTIONS, "exponential(mean=2s)"), _TIME]}
_TASK_CPUS: Final = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*$"},
        _call(DISTRIBUTIONS, "empirical(values=1+1+4)"),
    ]
}

# --- the types ----------------------------------------------------------------------------------

Duration: TypeAlias = Annotated[
    int, BeforeValidator(lambda value: _duration(_text(value))), WithJsonSchema(_TIME)
]
Size: TypeAlias = Annotated[
    int, BeforeValidator(lambda value: _size(_text(value))), WithJsonSchema(_BYTES)
]
Bandwidth: TypeAlias = Annotated[
    int, BeforeValidator(lambda value: parse_bandwidth(_text(value))), WithJsonSchema(_RATE)
]
Amount: TypeAlias = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=1, le=100_000_000)]
"""Of tasks: so many take 10 GB."""
NodeCount: TypeAlias = Annotated[int, Field(ge=1, le=100_000)]
"""Simulated nodes have stores and tables of their own: so many take some GB."""
TaskDuration: TypeAlias = Annotated[
    int | InstanceOf[Distribution], BeforeValidator(_read_durations), WithJsonSchema(_TASK_TIME)
]
"""Nanoseconds, or a distribution of them."""
TaskCpus: TypeAlias = Annotated[
    float | InstanceOf[Distribution], BeforeValidator(_read_cpus), WithJsonSchema(_TASK_CPUS)
]
ReadArrivals: TypeAlias = Annotated[
    InstanceOf[Arrivals],
    BeforeValidator(_read_arrivals),
    WithJsonSchema(_call(ARRIVALS, "poisson(rate=10/s)")),
]
ReadShape: TypeAlias = Annotated[
    InstanceOf[Shape],
    BeforeValidator(_read_shape),
    WithJsonSchema(_call(SHAPES, "fork_join(width=8)", "layered(layers=5, width=20)")),
]
ReadPolicy: TypeAlias = Annotated[str, BeforeValidator(_read_policy), WithJsonSchema(_POLICY)]
ReadOrder: TypeAlias = Annotated[str, BeforeValidator(_read_order), WithJsonSchema(_ORDER)]
ReadEviction: TypeAlias = Annotated[str, BeforeValidator(_read_eviction), WithJsonSchema(_EVICTION)]
ReadScaling: TypeAlias = Annotated[str, BeforeValidator(_read_scaling), WithJsonSchema(_SCALING)]
ReadFault: TypeAlias = Annotated[
    InstanceOf[Fault], BeforeValidator(_read_fault), WithJsonSchema(_FAULT)
]
ReadExpectation: TypeAlias = Annotated[
    InstanceOf[Expectation], BeforeValidator(_read_expectation), WithJsonSchema(_ASSERT)
]
