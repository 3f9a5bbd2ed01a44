"""Which of a node's GPUs a request gets: whole ones for itself, a share beside others. Never which node."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol, runtime_checkable

from raysim.spec.node import NodeView
from raysim.spec.resources import GPU, UNITS, Resources


@runtime_checkable
class PicksDevices(Protocol):
    """A policy that chooses among the GPUs of the node as well. Others leave it to `pieces`."""

    def pick_gpus(self, need: Resources, view: NodeView, rng: Random) -> Sequence[int]:
        """Numbers of GPUs of a node with room, whole ones first and that of the share last. None: as `pieces` does."""


def pieces(
    units: int, pool: Mapping[int, int], wanted: Sequence[int] = ()
) -> dict[int, int] | None:
    """So many units: number of a GPU to units of it; None where there is no room.

    `pool`: what is free of each. The `wanted` ones, if they have room. Else whole ones in the order of their
    numbers, and a share where least is left that it fits into, so that whole ones stay whole.
    """
    whole, share = divmod(units, UNITS)
    if wanted:
        parts = [UNITS] * whole + ([share] if share else [])
        found = dict(zip(wanted, parts, strict=False))
        if len(found) == len(parts) and all(pool.get(i, 0) >= found[i] for i in found):
            return found
    found = {index: UNITS for index, free in pool.items() if free == UNITS}
    if len(found) < whole:
        return None
    found = dict(list(found.items())[:whole])
    if share:
        rest = [(free, i) for i, free in pool.items() if free >= share and i not in found]
        if not rest:
            return None
        found[min(rest)[1]] = share
    return found


def without(need: Mapping[str, int], view: NodeView, wanted: Sequence[int]) -> tuple[int, ...]:
    """What would be free of each GPU of the node, were this taken there."""
    units = need.get(GPU, 0)
    taken = pieces(units, dict(enumerate(view.gpus)), wanted) if units and view.gpus else None
    if not taken:
        return view.gpus
    return tuple(free - taken.get(index, 0) for index, free in enumerate(view.gpus))
