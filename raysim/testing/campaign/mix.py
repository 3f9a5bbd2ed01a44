"""What a program is mostly made of: drawn anew for each, as the kinds of its faults are. Never an operation itself.

Swarm testing (Groce et al., ISSTA 2012): a little of everything rarely comes to what needs much of one thing, a
chain of large values, say, spread over nodes of which one is lost.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from raysim.tape import Draws
from raysim.testing.campaign import operations as ops

WEIGHTS: Final = {
    ops.TASK: 16, ops.NESTED: 6, ops.TREE: 7, ops.PUT: 4, ops.BOOM: 1, ops.ACTOR: 3, ops.CALL: 9, ops.KEEP: 3,
    ops.GIVE: 3, ops.KILL: 1, ops.STREAM: 2, ops.INNER: 2, ops.THROUGH: 3, ops.RELAY: 2, ops.GROUP: 2,
    ops.UNGROUP: 1, ops.CANCEL: 2, ops.GET: 3, ops.WAIT: 2, ops.DROP: 3, ops.SLEEP: 4,
}  # fmt: skip
"""How often each kind is drawn. The first is the simplest."""

_ACTORS: Final = (ops.ACTOR, ops.CALL, ops.KEEP, ops.GIVE, ops.KILL)
_BORROWS: Final = (ops.NESTED, ops.INNER, ops.THROUGH, ops.RELAY)
_MORE: Final = 3
"""Times as many of those that a program has many of. Ours."""

_SIZES: Final = (10, 10, 150_000, 400_000)
"""Bytes of a value: within a message, or in the object store."""

_SECONDS: Final = (0.0, 0.001, 0.02, 0.2, 1.0)
"""That an operation takes."""

_LATEST: Final = 12
_CHAINED: Final = 3

_PLACES: Final = {
    "": 18, "no hdd": 2, "not in b": 2, "hard labels": 2, "best in b": 1, "spread": 1, "head": 1, "near": 1,
}  # fmt: skip
_SPREAD: Final = {**_PLACES, "spread": 12}


class Mix(NamedTuple):
    weights: dict[str, int]
    """How often each kind is drawn."""
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    latest: int
    """Arguments are picked among the results of so many operations, the latest."""
    places: dict[str, int]
    """How often each is drawn."""


def sample_mix(draws: Draws) -> Mix:
    # All in any case: each has its place on the tape.
    actors, borrows = draws.chance(0.3), draws.chance(0.3)
    large, chained, spread = draws.chance(0.4), draws.chance(0.4), draws.chance(0.5)
    slow = draws.chance(0.3)
    more = (_ACTORS if actors else ()) + (_BORROWS if borrows else ())
    return Mix(
        {kind: weight * (_MORE if kind in more else 1) for kind, weight in WEIGHTS.items()},
        _SIZES[1:] if large else _SIZES,
        _SECONDS[2:] if slow else _SECONDS,
        _CHAINED if chained else _LATEST,
        _SPREAD if spread else _PLACES,
    )
