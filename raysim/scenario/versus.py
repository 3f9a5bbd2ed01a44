"""Two runs, or two comparisons, figure by figure: what differs, and how surely. Never prints, never runs anything."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose
from random import Random
from statistics import fmean
from typing import Final

import msgspec

from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.saved import Key, Saved, Values
from raysim.scenario.statistics import Interval, paired

_ROUNDING: Final = 1e-9
"""As a share: sums of the same numbers in another order differ by less."""


class Side(msgspec.Struct, frozen=True):
    """One figure of both."""

    of: Key
    one: float | None
    """A mean, where there are several seeds."""
    other: float | None
    difference: Interval | None = None
    """other - one, seed by seed; None where either has no value, or where there is one seed only."""

    @property
    def change(self) -> float | None:
        """other - one."""
        return None if self.one is None or self.other is None else self.other - self.one

    @property
    def relative(self) -> float | None:
        """The change, as a share of the first."""
        return self.change / abs(self.one) if self.change is not None and self.one else None

    @property
    def shown(self) -> bool:
        """Whether they differ: surely, where there are seeds to tell it by."""
        if self.difference is not None:
            return self.difference.excludes_zero
        if self.one is None or self.other is None:
            return self.one != self.other
        return not isclose(self.one, self.other, rel_tol=_ROUNDING)


class Versus(msgspec.Struct, frozen=True):
    """What two of a kind have in common, and what only one of them has."""

    one: str
    other: str
    sides: tuple[Side, ...]
    only_one: tuple[str, ...]
    only_other: tuple[str, ...]
    same: tuple[str, ...]
    """Runs with equal digests: event by event the same."""


def versus(one: Saved, other: Saved) -> Versus:
    """Raises ScenarioError where the two have nothing in common."""
    if one.kind != other.kind:
        what = f"is of {other.kind}, and {one.path} of {one.kind}: give two of a kind"
        raise ScenarioError([Problem(other.path, None, what)])
    mine, theirs = _whole(one, other)
    shared = [key for key in mine if key in theirs]
    if not shared:
        what = (
            f"has no figure in common with {one.path}: {_first(theirs)} here, {_first(mine)} there"
        )
        raise ScenarioError([Problem(other.path, None, what)])
    return Versus(
        one.path,
        other.path,
        tuple(_side(key, mine[key], theirs[key]) for key in shared),
        tuple(_alone(mine, theirs)),
        tuple(_alone(theirs, mine)),
        tuple(run for run, digest in one.digests.items() if other.digests.get(run) == digest),
    )


def _whole(one: Saved, other: Saved) -> tuple[Values, Values]:
    """Two single runs are compared whatever their seeds are; runs of many by seed."""
    if one.kind == "comparison":
        return one.values, other.values
    return _seedless(one.values), _seedless(other.values)


def _seedless(values: Values) -> Values:
    return {key: {0: next(iter(by_seed.values()))} for key, by_seed in values.items()}


def _side(key: Key, mine: dict[int, float | None], theirs: dict[int, float | None]) -> Side:
    pairs = [
        (value, others)
        for seed, value in mine.items()
        if value is not None and (others := theirs.get(seed)) is not None
    ]
    if not pairs:
        return Side(key, _mean(mine), _mean(theirs))
    first, second = [value for value, _ in pairs], [value for _, value in pairs]
    if len(pairs) == 1:
        return Side(key, first[0], second[0])
    difference = paired(second, first, Random("/".join(key)))
    return Side(key, fmean(first), fmean(second), difference)


def _mean(values: dict[int, float | None]) -> float | None:
    known = [value for value in values.values() if value is not None]
    return fmean(known) if known else None


def _alone(mine: Values, theirs: Values) -> Iterator[str]:
    """What one has of which the other has nothing at all: runs, or policies of a scenario."""
    there = {_subject(key) for key in theirs}
    yield from dict.fromkeys(_subject(key) for key in mine if _subject(key) not in there)


def _subject(key: Key) -> str:
    return key[0] if len(key) == 2 else f"{key[0]}: {key[2]}"


def _first(values: Values) -> str:
    return " ".join(next(iter(values), ("nothing",)))
