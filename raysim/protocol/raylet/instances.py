"""Which of a node's GPUs a lease has: whole ones for itself, a fraction together with others. Never how many are free.

A lease of one GPU needs a GPU that is wholly free, however much is free in all; a fraction goes where
the least is left that it fits into, so that whole ones stay whole. Ray: `NodeResourceInstanceSet`.
"""

from collections.abc import Mapping
from typing import TypeAlias

from raysim.spec.ids import PlacementGroupId
from raysim.spec.placement_group import base_name
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
        self._bundles: dict[str, list[str]] = {}
        """Name of a placement group's pieces to the pools of its bundles here."""

    def fits(self, need: Mapping[str, int]) -> bool:
        if self._bundles and any(name in self._bundles for name in need):
            return all(
                self._bundle_for(name, need) is not None for name in self._bundles if name in need
            )
        return all(
            _pick(pool, need[name]) is not None for name, pool in self.pools.items() if name in need
        )

    def lacking(self, need: Mapping[str, int]) -> list[str]:
        """Of what there is enough in all, but not in one piece."""
        return [n for n, pool in self.pools.items() if n in need and _pick(pool, need[n]) is None]

    def take(self, need: Mapping[str, int]) -> Assigned:
        """What `fits` said there is."""
        taken: Assigned = {}
        if self._bundles:
            chosen = {name: self._bundle_for(name, need) for name in self._bundles if name in need}
            need = {chosen.get(name) or name: units for name, units in need.items()}
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
            # A bundle that was given back meanwhile: its pieces are the node's again.
            pool = self.pools.get(name) or self.pools[base_name(name)[0]]
            for index, part in parts.items():
                pool[index] += part

    # Bundles of placement groups.

    def offer(self, group_id: PlacementGroupId, index: int, pieces: Assigned) -> None:
        """These pieces were taken for a bundle, and are offered in it."""
        for name, parts in pieces.items():
            pool, group = _names(name, group_id, index)
            self.pools[pool] = dict(parts)
            self._bundles.setdefault(group, []).append(pool)

    def end_offer(self, group_id: PlacementGroupId, index: int, pieces: Assigned) -> None:
        """The bundle is no more: what is free of its pieces is the node's again."""
        for name in pieces:
            pool, group = _names(name, group_id, index)
            self._bundles[group].remove(pool)
            if not self._bundles[group]:
                del self._bundles[group]
            self.give_back({name: self.pools.pop(pool)})

    def _bundle_for(self, group: str, need: Mapping[str, int]) -> str | None:
        """The bundle with these pieces: the one that is asked for, else the first that has them."""
        units = need[group]
        pools = self._bundles[group]
        named = [pool for pool in pools if pool in need]
        return next((p for p in named or pools if _pick(self.pools[p], units) is not None), None)


def numbers(taken: Assigned) -> Accelerators:
    """Resource to the numbers of its pieces: what the worker is told."""
    return {base_name(name)[0]: list(parts) for name, parts in taken.items()}


def _names(name: str, group_id: PlacementGroupId, index: int) -> tuple[str, str]:
    """Of a bundle's pieces, and of its group's."""
    group = group_id.hex()
    return f"{name}_group_{index}_{group}", f"{name}_group_{group}"


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
