"""Which of a node's GPUs a lease has: whole ones for itself, a fraction together with others. Never how many are free.

A lease of one GPU needs a GPU that is wholly free, however much is free in all. Which of those that have
room it gets is decided in `policies/devices.py`. Ray: `NodeResourceInstanceSet`.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from raysim.policies.devices import pieces
from raysim.spec.ids import PlacementGroupId
from raysim.spec.node import NodeView
from raysim.spec.placement_group import base_name
from raysim.spec.resources import GPU, UNITS, Accelerators

UNIT_INSTANCES = (GPU,)
"""Resources that come in pieces with a number each. Ray: `predefined_unit_instance_resources`."""

Assigned: TypeAlias = dict[str, dict[int, int]]
"""Resource, to number of the piece, to units of it."""


class Instances:
    """`pools`: resource to the free units of each of its pieces. What is free of GPUs is told in the node's view."""

    def __init__(self, view: NodeView) -> None:
        self._view = view
        self.pools: Assigned = {
            name: _whole(view.total[name]) for name in UNIT_INSTANCES if view.total.get(name)
        }
        self._bundles: dict[str, list[str]] = {}
        """Name of a placement group's pieces to the pools of its bundles here."""
        self._tell()

    def fits(self, need: Mapping[str, int]) -> bool:
        if self._bundles and any(name in self._bundles for name in need):
            return all(
                self._bundle_for(name, need) is not None for name in self._bundles if name in need
            )
        return all(
            pieces(need[name], pool) is not None
            for name, pool in self.pools.items()
            if name in need
        )

    def lacking(self, need: Mapping[str, int]) -> list[str]:
        """Of what there is enough in all, but not in one piece."""
        return [n for n, pool in self.pools.items() if n in need and pieces(need[n], pool) is None]

    def take(self, need: Mapping[str, int], wanted: Sequence[int] = ()) -> Assigned:
        """What `fits` said there is, of the GPUs that are wanted as long as these have room."""
        taken: Assigned = {}
        if self._bundles:
            chosen = {name: self._bundle_for(name, need) for name in self._bundles if name in need}
            need = {chosen.get(name) or name: units for name, units in need.items()}
        for name, pool in self.pools.items():
            units = need.get(name)
            if units:
                found = pieces(units, pool, wanted)
                assert found is not None, f"no {name} for {units} units among {pool}"
                for index, part in found.items():
                    pool[index] -= part
                taken[name] = found
        if taken:
            self._tell()
        return taken

    def give_back(self, taken: Assigned) -> None:
        for name, parts in taken.items():
            # A bundle that was given back meanwhile: its pieces are the node's again.
            pool = self.pools.get(name) or self.pools[base_name(name)[0]]
            for index, part in parts.items():
                pool[index] += part
        if taken:
            self._tell()

    def _tell(self) -> None:
        pool = self.pools.get(GPU)
        if pool is not None:
            self._view.gpus = tuple(pool.values())

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
        return next((p for p in named or pools if pieces(units, self.pools[p]) is not None), None)


def numbers(taken: Assigned) -> Accelerators:
    """Resource to the numbers of its pieces: what the worker is told."""
    return {base_name(name)[0]: list(parts) for name, parts in taken.items()}


def _names(name: str, group_id: PlacementGroupId, index: int) -> tuple[str, str]:
    """Of a bundle's pieces, and of its group's."""
    group = group_id.hex()
    return f"{name}_group_{index}_{group}", f"{name}_group_{group}"


def _whole(units: int) -> dict[int, int]:
    whole, part = divmod(units, UNITS)
    return dict(enumerate([UNITS] * whole + ([part] if part else [])))
