"""Which objects in memory nobody uses, in the order in which they go. Never takes one away: see store, spilling.

Those of which there is another copy, on this disk or at the holder of the primary one, may be evicted.
Primary copies that are not on disk have to be written there first.
"""

from raysim.policies.eviction import Eviction
from raysim.protocol.raylet.shelf import RankedShelf, Shelf
from raysim.protocol.raylet.stored import NOWHERE, StoredObject


class Cold:
    """`policy`: says who goes first. None: the one used longest ago."""

    __slots__ = ("evictable", "spillable")

    def __init__(self, policy: Eviction | None) -> None:
        self.evictable = Shelf() if policy is None else RankedShelf(policy)
        self.spillable = Shelf() if policy is None else RankedShelf(policy)

    def add(self, entry: StoredObject) -> bool:
        """Nobody uses it any more. Whether it has become evictable."""
        if entry.handle == NOWHERE or entry.writing:
            return False
        primary = entry.primary and entry.on_disk is None
        shelf = self.spillable if primary else self.evictable
        if entry in shelf:
            return False
        shelf.add(entry)
        return not primary

    def remove(self, entry: StoredObject) -> None:
        """Somebody uses it, or it goes."""
        if not self.spillable.remove(entry):
            self.evictable.remove(entry)

    def touch(self, entry: StoredObject) -> None:
        """Used for a moment."""
        for shelf in (self.spillable, self.evictable):
            if shelf.remove(entry):
                shelf.add(entry)
