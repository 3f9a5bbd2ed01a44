"""Who borrows what from this process, and which of its own borrows their owners know. Never an object's state."""

from collections import deque
from collections.abc import Callable, Collection

from raysim.protocol.messages import BorrowEpoch
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, ObjectId, WorkerId


class Borrowers:
    """The owner's side. Epochs tell a late copy of an old registration from a new borrow."""

    def __init__(self) -> None:
        self.epochs: dict[ObjectId, dict[WorkerId, int]] = {}
        """Of each registration that stands; minus the epoch, minus 1, of one that ended."""
        self._of: dict[WorkerId, tuple[Address, dict[ObjectId, None]]] = {}

    def add(self, borrower: Address, borrow: BorrowEpoch) -> bool:
        """Whether the object has one borrower more."""
        epochs = self.epochs.setdefault(borrow.object_id, {})
        known = epochs.get(borrower.worker_id)
        if known is not None and abs(known) - (known < 0) >= borrow.epoch:
            return False  # A late copy: that registration stands, or has ended.
        epochs[borrower.worker_id] = borrow.epoch
        self._index(borrower, borrow.object_id)
        return known is None or known < 0

    def remove(self, borrower: Address, borrow: BorrowEpoch) -> bool:
        """Whether the object has one borrower less."""
        epochs = self.epochs.setdefault(borrow.object_id, {})
        known = epochs.get(borrower.worker_id)
        if known is not None and abs(known) - (known < 0) > borrow.epoch:
            return False  # A later borrow took its place.
        # Also where the removal overtook its registration: that one counts for nothing then.
        epochs[borrower.worker_id] = -borrow.epoch - 1
        self._index(borrower, borrow.object_id)
        return known is not None and known >= 0

    def _index(self, borrower: Address, object_id: ObjectId) -> None:
        self._of.setdefault(borrower.worker_id, (borrower, {}))[1][object_id] = None

    def forget(self, object_id: ObjectId) -> None:
        """The object is gone."""
        for worker_id in self.epochs.pop(object_id, ()):
            objects = self._of[worker_id][1]
            del objects[object_id]
            if not objects:
                del self._of[worker_id]

    def lost(self, worker_id: WorkerId) -> list[ObjectId]:
        """The process is gone: what it still borrowed."""
        _, objects = self._of.pop(worker_id, (None, {}))
        return [object_id for object_id in objects if self._end(object_id, worker_id)]

    def _end(self, object_id: ObjectId, worker_id: WorkerId) -> bool:
        epochs = self.epochs[object_id]
        epoch = epochs.pop(worker_id)
        if not epochs:
            del self.epochs[object_id]
        return epoch >= 0

    def on_node(self, node_id: NodeId) -> list[Address]:
        return [borrower for borrower, _ in self._of.values() if borrower.node_id == node_id]


class Acknowledgements:
    """The borrower's side: borrows that are on their way, and what has to wait for them."""

    def __init__(self) -> None:
        self._open: dict[int, Address] = {}
        """Epoch to owner, in the order of the epochs."""
        self._after: deque[tuple[int, Callable[[], None]]] | None = None
        """Made when it is first needed: an empty one takes 600 bytes."""
        self._latest = 0

    def expect(self, epoch: int, owner: Address) -> None:
        self._open[epoch] = owner
        self._latest = epoch

    def under_way(self) -> Collection[int]:
        """The epochs of those that are on their way: a live view."""
        return self._open.keys()

    def after(self, action: Callable[[], None]) -> None:
        """Run `action` once all borrows that are on their way now are known to their owners."""
        if self._open:
            if self._after is None:
                self._after = deque()
            self._after.append((self._latest, action))
        else:
            action()

    def arrived(self, borrows: list[BorrowEpoch]) -> None:
        for borrow in borrows:
            self._open.pop(borrow.epoch, None)
        self._go_on()

    def owner_lost(self, worker_id: WorkerId) -> None:
        """Nobody is left to acknowledge; what it owned is lost anyway."""
        gone = [e for e, owner in self._open.items() if owner.worker_id == worker_id]
        for epoch in gone:
            del self._open[epoch]
        self._go_on()

    def _go_on(self) -> None:
        after = self._after
        while after:
            first = next(iter(self._open), None)
            if first is not None and first <= after[0][0]:
                return
            after.popleft()[1]()

    def owners_on(self, node_id: NodeId) -> list[Address]:
        return [owner for owner in self._open.values() if owner.node_id == node_id]
