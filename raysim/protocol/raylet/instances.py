"""Which of a node's GPUs a lease has: whole ones for itself, a fraction together with others. Never how many are free.

A lease of one GPU needs a GPU that is wholly free, however much is free in all; a fraction goes where
the least is left that it fits into, so that whole ones stay whole. Ray: `NodeResourceInstanceSet`.
"""

from collections.abc import Mapping
from typing import TypeAlias

from raysim.spec.resources import GPU, UNITS, Accelerators, Resources

UNIT_INSTANCES = (GPU,)
"""Resources that come in pieces with a number each. Ray: `predefined_unit_instance_resources`."""

Assigned: TypeAlias = dict[str, dict[int, int]]
"""Resource, to number of the piece, to units of it."""


class Instances:
    """`pools`: resource to the free units of each of its pieces."""

    def __init__(self, total: Resources) -> None:
        self.pools: Assigned = {
            name: _pieces(total[name]) for name in UNIT_INSTANCES if total.get(name)
        }

    def fits(self, need: Mapping[str, int]) -> bool:
        return all(
            _pick(pool, need[name]) is not None for name, pool in self.pools.items() if name in need
        )

    def take(self, need: Mapping[str, int]) -> Assigned:
        """What `fits` said there is."""
        taken: Assigned = {}
        for name, pool in self.pools.items():
            units = need.get(name)
            if units:
                found = _pick(pool, units)
                assert found is not None, f"no {name} for {units} units among {pool}"
                for index, part in found.items():
                    pool[index] -= part
                taken[name] = found
        return taken

    def give_back(self, taken: Assigned) -> None:
        for name, parts in taken.items():
            pool = self.pools[name]
            for index, part in parts.items():
                pool[index] += part


def numbers(taken: Assigned) -> Accelerators:
    """Resource to the numbers of its pieces: what the worker is told."""
    return {name: list(parts) for name, parts in taken.items()}


def _pieces(units: int) -> dict[int, int]:
    whole, part = divmod(units, UNITS)
    return dict(enumerate([UNITS] * whole + ([part] if part else [])))


def _pick(pool: Mapping[int, int], units: int) -> dict[int, int] | None:
    """Pieces with so many units: whole ones first, in the order of their numbers."""
    whole, part = divmod(units, UNITS)
    found = {index: UNITS for index, free in pool.items() if free == UNITS}
    if len(found) < whole:
        return None
    found = dict(list(found.items())[:whole])
    if part:
        rest = [
            (free, index) for index, free in pool.items() if free >= part and index not in found
        ]
        if not rest:
            return None
        found[min(rest)[1]] = part
    return found
