"""Objects that nobody uses, in the order in which they are to go. Never takes one away: see store, spilling."""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from raysim.policies.eviction import Eviction
from raysim.protocol.raylet.stored import StoredObject
from raysim.spec.ids import ObjectId

STALE = 4
"""Times as many places as objects, at which those that are no longer true are thrown away. Ours."""


class Shelf:
    """The one used longest ago first."""

    __slots__ = ("bytes", "objects")

    def __init__(self) -> None:
        self.objects: dict[ObjectId, StoredObject] = {}
        self.bytes = 0

    def __contains__(self, entry: StoredObject) -> bool:
        return entry.object_id in self.objects

    def add(self, entry: StoredObject) -> None:
        self.objects[entry.object_id] = entry
        self.bytes += entry.size

    def put_back(self, entries: Sequence[StoredObject]) -> None:
        """They were the first to go, and did not."""
        self.objects = {**{entry.object_id: entry for entry in entries}, **self.objects}
        self.bytes += sum(entry.size for entry in entries)

    def remove(self, entry: StoredObject) -> bool:
        """Whether it was here."""
        if self.objects.pop(entry.object_id, None) is None:
            return False
        self.bytes -= entry.size
        return True

    def first(self) -> StoredObject:
        return next(iter(self.objects.values()))

    def in_turn(self) -> Iterator[StoredObject]:
        return iter(self.objects.values())

    def went(self, entry: StoredObject) -> None:
        """It is about to go: its room was needed."""


class RankedShelf(Shelf):
    """In the order of a policy: see policies/eviction."""

    __slots__ = ("_arrivals", "_heap", "_policy", "_ranks")

    def __init__(self, policy: Eviction) -> None:
        super().__init__()
        self._policy = policy
        self._arrivals = 0
        self._ranks: dict[ObjectId, tuple[float, int, ObjectId]] = {}
        self._heap: list[tuple[float, int, ObjectId]] = []
        """With places that are no longer true, which are thrown away when they come up."""

    def add(self, entry: StoredObject) -> None:
        super().add(entry)
        self._arrivals += 1
        place = self._policy.rank(entry.size, entry.uses), self._arrivals, entry.object_id
        self._ranks[entry.object_id] = place
        heappush(self._heap, place)
        if len(self._heap) > STALE * len(self._ranks):
            self._heap = list(self._ranks.values())
            heapify(self._heap)

    def put_back(self, entries: Sequence[StoredObject]) -> None:
        for entry in entries:
            self.add(entry)

    def remove(self, entry: StoredObject) -> bool:
        self._ranks.pop(entry.object_id, None)
        return super().remove(entry)

    def first(self) -> StoredObject:
        heap, ranks = self._heap, self._ranks
        while ranks.get(heap[0][2]) is not heap[0]:
            heappop(heap)
        return self.objects[heap[0][2]]

    def in_turn(self) -> Iterator[StoredObject]:
        return iter([self.objects[place[2]] for place in sorted(self._ranks.values())])

    def went(self, entry: StoredObject) -> None:
        self._policy.went(self._ranks[entry.object_id][0])
