"""Which object that nobody uses goes first, where a store is short of room. Never takes one away: see raylet/store.

A copy is evicted and a primary one is written to disk in this order.
"""

from types import MappingProxyType
from typing import Final, Protocol

from raysim.policies.catalogue import Catalogue


class Eviction(Protocol):
    """One object per raylet; it may remember."""

    name: str

    def rank(self, size: int, uses: int) -> float:
        """Least goes first, of equals the one used longest ago. Asked whenever somebody has ceased to use an object of
        so many bytes, which was used so many times since it came to this node."""

    def went(self, rank: float) -> None:
        """The one of this rank had to go."""


class LeastRecentlyUsed:
    """Ray's: the one used longest ago."""

    name = "lru"

    def rank(self, size: int, uses: int) -> float:
        return 0.0

    def went(self, rank: float) -> None:
        pass


class LargestFirst:
    """Williams et al., SIGCOMM 1996 (SIZE): for one large object, many small ones stay."""

    name = "largest_first"

    def rank(self, size: int, uses: int) -> float:
        return -float(size)

    def went(self, rank: float) -> None:
        pass


class GreedyDualSize:
    """Cherkasova 1998 (GDSF): uses by size, and what went raises the rank of all that is used from then on.

    So an object that was used much, long ago, goes in the end. `by_bytes`: a miss costs its bytes, and
    not one fetch (LFU with dynamic aging, Arlitt et al. 1999).
    """

    name = "gdsf"

    def __init__(self, by_bytes: bool = False) -> None:
        self._by_bytes = by_bytes
        self._age = 0.0

    def rank(self, size: int, uses: int) -> float:
        return self._age + (uses if self._by_bytes else uses / max(1, size))

    def went(self, rank: float) -> None:
        self._age = max(self._age, rank)


EVICTIONS: Final[Catalogue[Eviction]] = Catalogue(
    "order of eviction",
    "raysim.evictions",
    "gdsf(by_bytes=true)",
    ("rank",),
    MappingProxyType(
        {made.name: made for made in (LeastRecentlyUsed, LargestFirst, GreedyDualSize)}
    ),
)


def create_eviction(text: str) -> Eviction | None:
    """A new one, as written. None: `lru`, for which nobody is asked.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    made = EVICTIONS.create(text)
    return None if isinstance(made, LeastRecentlyUsed) else made
