"""Quantities of resources in fixed point, as Ray counts them. Never which node: see policies.

A `Resources` maps a name (`CPU`, `GPU`, `memory`, any custom one) to units of 1e-4, so that ten
tenths are exactly one. A name that is absent counts as zero.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypeAlias

import msgspec

Resources: TypeAlias = dict[str, int]
"""Name to units of 1e-4."""

Wanted: TypeAlias = dict[str, Annotated[int, msgspec.Meta(ge=0)]]
"""Resources that somebody asks for: a message that asks for less than nothing is none."""

Accelerators: TypeAlias = dict[str, list[int]]
"""Resource that comes in numbered pieces (`GPU`), to the numbers of those that somebody has."""

UNITS = 10_000
CPU = "CPU"
GPU = "GPU"
MEMORY = "memory"
OBJECT_STORE_MEMORY = "object_store_memory"
NODE_PREFIX = "node:"
"""With its address behind: 1 of each node, for what is to run just there."""

HEAD_NODE = "node:__internal_head__"
"""1 of the head."""


def to_units(quantity: float) -> int:
    """Units of 1e-4. Ray: `FixedPoint`."""
    return round(quantity * UNITS)


def from_units(units: int) -> float:
    return units / UNITS


def fixed(quantities: Mapping[str, float]) -> Resources:
    """Fixed-point resources without the zeros, in the order of the names."""
    return {name: to_units(quantities[name]) for name in sorted(quantities) if quantities[name]}


def floats(resources: Mapping[str, int]) -> dict[str, float]:
    return {name: units / UNITS for name, units in resources.items() if units}


def fits(need: Mapping[str, int], have: Mapping[str, int]) -> bool:
    for name, units in need.items():  # noqa: SIM110  (a generator costs twice as much here)
        if have.get(name, 0) < units:
            return False
    return True


def subtract(have: Resources, need: Mapping[str, int]) -> None:
    """Take `need` out of `have`. May leave a negative CPU: a blocked task that resumes oversubscribes."""
    for name, units in need.items():
        have[name] = have.get(name, 0) - units


def add(have: Resources, back: Mapping[str, int]) -> None:
    for name, units in back.items():
        have[name] = have.get(name, 0) + units


def total(many: Iterable[Mapping[str, int]]) -> Resources:
    result: Resources = {}
    for one in many:
        add(result, one)
    return result


def shortfall(need: Mapping[str, int], have: Mapping[str, int]) -> dict[str, float]:
    """What `have` lacks of `need`, in whole quantities: for messages to people."""
    return {
        name: from_units(units - have.get(name, 0))
        for name, units in need.items()
        if have.get(name, 0) < units
    }


def describe(resources: Mapping[str, int]) -> str:
    """`CPU=1, GPU=0.5`, or `nothing`."""
    return ", ".join(f"{k}={from_units(v):g}" for k, v in resources.items() if v) or "nothing"
