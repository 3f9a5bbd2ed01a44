"""How much of a node's free GPUs is of no use to the requests that are typical. Never which node.

Source: Weng et al., USENIX ATC 2023, section 3: for each typical request what it could not take there counts,
weighted by how often it comes. All that is free, if it would not fit there, or needs no GPU; else what is free
of GPUs that have less than it needs of one.
"""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from operator import mul
from typing import TypeAlias, TypeVar

import msgspec

from raysim.spec.resources import UNITS

POPULAR = 0.95
"""Share of the requests that count as typical, the most frequent first. Its simulator: `podPopularityThreshold`."""

KEPT = 20_000
"""States of nodes whose figures are kept. Ours."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Shape: TypeAlias = tuple[int, int]
"""Units of CPU and of GPU that are asked for."""


class _Demand(msgspec.Struct):
    """Typical requests for the same GPUs."""

    least: int
    """Units of each GPU."""
    count: int
    cores: list[int]
    """That they need, ascending."""
    shares: list[float]
    """Of all typical requests, those that need no more than so many of these; begins with none."""


class Fragments:
    """`seen`: how often each shape of request came."""

    def __init__(self, seen: Mapping[Shape, int]) -> None:
        self._demands = _demands(_typical(seen))
        self._shares: dict[int, list[float]] = {}
        """By free cores, of each demand the share that these suffice for."""
        self._usable: dict[tuple[int, ...], list[int]] = {}
        """By what is free of GPUs, what each demand could take of it."""

    def of(self, cores: int, gpus: tuple[int, ...]) -> float:
        """Units of GPUs that are free on such a node and of no use."""
        shares = self._shares.get(cores)
        if shares is None:
            shares = [one.shares[bisect_right(one.cores, cores)] for one in self._demands]
            _keep(self._shares, cores, shares)
        gpus = tuple(sorted(gpus))
        usable = self._usable.get(gpus)
        if usable is None:
            usable = [_usable(one, gpus) for one in self._demands]
            _keep(self._usable, gpus, usable)
        of_use: float = sum(map(mul, shares, usable))
        return sum(gpus) - of_use


def _usable(demand: _Demand, gpus: tuple[int, ...]) -> int:
    fitting = [free for free in gpus if free >= demand.least]
    return sum(fitting) if len(fitting) >= demand.count else 0


def _keep(known: dict[_Key, list[_Value]], key: _Key, value: list[_Value]) -> None:
    if len(known) == KEPT:
        known.clear()
    known[key] = value


def _typical(seen: Mapping[Shape, int]) -> dict[Shape, float]:
    """The most frequent ones, each with its share of them."""
    wanted = POPULAR * sum(seen.values())
    chosen: dict[Shape, int] = {}
    count = 0
    for shape, often in sorted(seen.items(), key=lambda one: (one[1], one[0]), reverse=True):
        if count >= wanted:
            break
        chosen[shape] = often
        count += often
    return {shape: often / count for shape, often in sorted(chosen.items())}


def _demands(typical: Mapping[Shape, float]) -> list[_Demand]:
    by_units: dict[int, list[tuple[int, float]]] = {}
    for (cores, units), share in typical.items():
        if units:
            by_units.setdefault(units, []).append((cores, share))
    return [
        _Demand(
            min(units, UNITS),
            max(1, units // UNITS),
            [cores for cores, _ in some],
            list(accumulate((share for _, share in some), initial=0.0)),
        )
        for units, some in by_units.items()
    ]
