"""Which objects in memory nobody uses, the one used longest ago first. Never takes one away: see store, spilling.

Those of which there is another copy, on this disk or at the holder of the primary one, may be evicted.
Primary copies that are not on disk have to be written there first.
"""

from raysim.protocol.raylet.stored import NOWHERE, StoredObject
from raysim.spec.ids import ObjectId


class Cold:
    """Sizes in bytes."""

    __slots__ = ("evictable", "evictable_bytes", "spillable", "spillable_bytes")

    def __init__(self) -> None:
        self.evictable: dict[ObjectId, StoredObject] = {}
        self.evictable_bytes = 0
        self.spillable: dict[ObjectId, StoredObject] = {}
        self.spillable_bytes = 0

    def add(self, entry: StoredObject) -> bool:
        """Nobody uses it any more. Whether it has become evictable."""
        if entry.handle == NOWHERE or entry.writing:
            return False
        if entry.primary and entry.on_disk is None:
            if entry.object_id not in self.spillable:
                self.spillable[entry.object_id] = entry
                self.spillable_bytes += entry.size
            return False
        if entry.object_id in self.evictable:
            return False
        self.evictable[entry.object_id] = entry
        self.evictable_bytes += entry.size
        return True

    def add_first(self, entries: list[StoredObject]) -> None:
        """They were to be written, and could not be."""
        back = {entry.object_id: entry for entry in entries}
        self.spillable = {**back, **self.spillable}
        self.spillable_bytes += sum(entry.size for entry in entries)

    def remove(self, entry: StoredObject) -> None:
        """Somebody uses it, or it goes."""
        if self.spillable.pop(entry.object_id, None) is not None:
            self.spillable_bytes -= entry.size
        elif self.evictable.pop(entry.object_id, None) is not None:
            self.evictable_bytes -= entry.size

    def touch(self, entry: StoredObject) -> None:
        """Used for a moment."""
        for cold in (self.spillable, self.evictable):
            if cold.pop(entry.object_id, None) is not None:
                cold[entry.object_id] = entry
