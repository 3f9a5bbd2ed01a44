"""The objects that a process owns or borrows: what they are, who refers to them. Never bytes in the store.

Two rules keep an object alive exactly as long as needed:
1. Whoever passes a reference holds it until the receiver says that it holds it itself
   (BorrowersAdded), or that it is done with what carried the reference.
2. An owned object is freed when nothing here refers to it and no borrower is registered.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host
from raysim.protocol.messages import (
    AddBorrowers,
    BorrowEpoch,
    BorrowersAdded,
    ContainedRef,
    ObjectsResolved,
    RemoveBorrowers,
    ResolveObjects,
)
from raysim.protocol.owner.borrows import Acknowledgements, Borrowers
from raysim.protocol.owner.cascade import Cascade
from raysim.protocol.owner.copies import Copies
from raysim.protocol.owner.entries import FREED, INLINE, PENDING, Entry, ObjectState
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.resolvers import Resolvers
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NodeId, ObjectId, WorkerId, is_put

if TYPE_CHECKING:
    from raysim.protocol.owner.together import Together


class ObjectTable:
    """Entries, their counts, and the messages between owners and borrowers."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.address = host.address
        """Of this process, which owns what has no other owner."""
        self.entries: dict[ObjectId, Entry] = {}
        self.rebuild: Callable[[Entry], bool] = lambda entry: False
        """Set by the task table: run again what made this object. False where that is impossible."""
        self.release_task: Callable[[TaskRecord], None] = lambda record: None
        self.unhandled: Callable[[bytes | str], None] = lambda error: None
        """Set by the process: an error of user code is gone, and nobody has looked at it."""
        self.on_out_of_scope: dict[ObjectId, Callable[[], None]] = {}
        """Objects that stand for something else (an actor's handles)."""
        self._waiting: dict[ObjectId, list[Callable[[], None]]] = {}
        self._expected: dict[ObjectId, tuple[Together, ...]] = {}
        """Owned and pending ones that user code waits for."""
        self._resolvers = Resolvers(host)
        self._asked_for = self._resolvers.waiting
        """Theirs: looked at for each object that becomes ready."""
        self._borrowers = Borrowers()
        self._acknowledgements = Acknowledgements()
        self.after_acknowledgements = self._acknowledgements.after
        self.unacknowledged = self._acknowledgements.under_way()
        """Borrows of this process that their owners may not know yet."""
        self.cascade = Cascade()
        self.copies = Copies(host, self)
        self._from_owner: dict[WorkerId, dict[ObjectId, None]] = {}
        self._epoch = 0
        self._dead_nodes: dict[NodeId, None] = {}
        self._owned = 0
        self._when_nothing_owned: Callable[[], None] | None = None
        self._add: Batcher[BorrowEpoch] = Batcher(host, AddBorrowers)
        self._remove: Batcher[BorrowEpoch] = Batcher(host, RemoveBorrowers)
        self._resolve: Batcher[ObjectId] = Batcher(host, ResolveObjects)

    # Entries

    def create(self, object_id: ObjectId, local: int = 0) -> Entry:
        """A new owned object, pending, with so many references here."""
        entry = self.entries[object_id] = Entry(object_id, local=local)
        self._owned += 1
        return entry

    def find(self, object_id: ObjectId, owner: Address) -> Entry:
        """The entry, made where it is not known yet (unresolved, and not registered as a borrow)."""
        entry = self.entries.get(object_id)
        if entry is None:
            entry = self.entries[object_id] = Entry(object_id)
            if owner.worker_id == self._host.address.worker_id:
                # A reference of ours came back after the object was freed: the sender broke rule 1,
                # or died while it held it.
                self._owned += 1
                self.fail(entry, FailureKind.OBJECT_FREED, "was freed by its owner")
            else:
                self._belongs(entry, owner)
                if owner.node_id in self._dead_nodes:
                    # Nobody there answers, and nothing will break: no connection was ever made.
                    self._owner_lost(entry, owner.worker_id)
        return entry

    def _owner_lost(self, entry: Entry, owner: WorkerId) -> None:
        text = f"cannot be had: its owner, process {owner.hex()[:8]}, is gone"
        self.fail(entry, FailureKind.OWNER_DIED, text)

    def _belongs(self, entry: Entry, owner: Address) -> None:
        entry.owner = owner
        self._from_owner.setdefault(owner.worker_id, {})[entry.object_id] = None

    def recall(self, object_id: ObjectId, owner: Address, payload: bytes) -> Entry:
        """The entry of a value that a call carries; made again where nothing else has kept it."""
        entry = self.entries.get(object_id)
        if entry is None:
            entry = self.entries[object_id] = Entry(object_id)
            if owner.worker_id == self._host.address.worker_id:
                self._owned += 1
            else:
                self._belongs(entry, owner)
            self.set_inline(entry, payload, is_error=False)
        return entry

    @property
    def owns_any(self) -> bool:
        return self._owned > 0

    def when_nothing_owned(self, action: Callable[[], None]) -> None:
        """Run `action` once the last object of this process is gone."""
        self._when_nothing_owned = action
        self._look_owned()

    def _look_owned(self) -> None:
        if self._owned == 0 and self._when_nothing_owned is not None:
            action, self._when_nothing_owned = self._when_nothing_owned, None
            action()

    def borrow(self, object_id: ObjectId, owner: Address) -> Entry:
        """Find, and register as a borrower with the owner if that is another process."""
        entry = self.find(object_id, owner)
        if entry.owner is not None and entry.epoch < 0:
            self._epoch += 1
            entry.epoch = self._epoch
            if not _owner_died(entry):
                self._acknowledgements.expect(entry.epoch, entry.owner)
                self._add.add(entry.owner, BorrowEpoch(object_id, entry.epoch))
        return entry

    # Counts

    def drop_local(self, object_id: ObjectId) -> None:
        entry = self.entries.get(object_id)
        if entry is not None:
            entry.local -= 1
            if entry.local <= 0:
                self.check(entry)

    def drop_locals(self, released: deque[ObjectId]) -> None:
        """References of this process that went, one each."""
        entries = self.entries
        while released:
            entry = entries.get(released.popleft())
            if entry is not None:
                entry.local -= 1
                if entry.local or entry.held or entry.uses or entry.borrowed:
                    continue
                if entry.owner is None:
                    self._free_owned(entry)
                else:
                    self._forget_borrowed(entry)

    def use(self, entry: Entry) -> None:
        entry.uses += 1

    def drop_use(self, object_id: ObjectId) -> None:
        entry = self.entries.get(object_id)
        if entry is not None:
            entry.uses -= 1
            if not (entry.uses or entry.local):
                self.check(entry)

    def hold(self, contained: Iterable[ContainedRef]) -> None:
        for ref in contained:
            self.borrow(ref.object_id, ref.owner).held += 1

    def drop_holds(self, contained: Iterable[ContainedRef]) -> None:
        for ref in contained:
            entry = self.entries.get(ref.object_id)
            if entry is not None:
                entry.held -= 1
                self.check(entry)

    def carry(self, entry: Entry, contained: Sequence[ContainedRef]) -> None:
        """The value has these references inside, instead of those of an earlier attempt."""
        before, entry.contained = entry.contained, contained
        self.hold(contained)
        self.drop_holds(before)

    def hold_lineage(self, entry: Entry) -> None:
        """A retained call has this argument. Of a borrowed object the owner cannot know: hold its value."""
        if entry.owner is None:
            entry.lineage += 1
        else:
            entry.uses += 1

    def drop_lineage(self, object_id: ObjectId) -> None:
        entry = self.entries.get(object_id)
        if entry is not None and entry.owner is not None:
            entry.uses -= 1
            self.check(entry)
        elif entry is not None:
            entry.lineage -= 1
            self.check(entry)

    def check(self, entry: Entry) -> None:
        """Free or forget the object if nothing refers to it any more."""
        if entry.local or entry.uses or entry.held or entry.borrowed:
            return
        if entry.owner is not None:
            self._forget_borrowed(entry)
        else:
            self._free_owned(entry)

    def _forget_borrowed(self, entry: Entry) -> None:
        assert entry.owner is not None
        if entry.object_id in self._waiting:
            return  # A fetch under way looks at it again when it is resolved.
        del self.entries[entry.object_id]
        siblings = self._from_owner.get(entry.owner.worker_id)
        if siblings is not None:
            siblings.pop(entry.object_id, None)
            if not siblings:
                del self._from_owner[entry.owner.worker_id]
        if entry.epoch >= 0 and not _owner_died(entry):
            owner, borrow = entry.owner, BorrowEpoch(entry.object_id, entry.epoch)
            # What this object carried may be on its way to be borrowed itself: let go only after that.
            self.after_acknowledgements(lambda: self._remove.add(owner, borrow))

    def _free_owned(self, entry: Entry) -> None:
        object_id = entry.object_id
        if (entry.is_error or entry.failure is not None) and not entry.seen:
            self._report_unhandled(entry)
        if entry.state is INLINE and not (entry.contained or entry.holders):
            entry.payload = None
        else:
            self._drop_value(entry)
        if entry.state is not PENDING:
            entry.state = FREED
        if entry.lineage or self.entries.pop(object_id, None) is None:
            return
        self._gone(entry)

    def _drop_value(self, entry: Entry) -> None:
        """With its copies, and the references inside."""
        contained, entry.contained = entry.contained, ()
        if contained:
            drop = partial(self.cascade.run, partial(self.drop_holds, contained))
            self.after_acknowledgements(drop)
        if entry.state is not PENDING:
            self.copies.free_all(entry)
            entry.payload = None

    def _report_unhandled(self, entry: Entry) -> None:
        if entry.state == ObjectState.INLINE and entry.payload is not None:
            self.unhandled(entry.payload)
        elif entry.failure is not None and entry.failure.kind == FailureKind.WORKER_CRASHED:
            self.unhandled(entry.failure.text)

    def free(self, entry: Entry) -> None:
        """By hand, whoever refers to it: whoever asks for it from now on learns that. Of an owned object that
        is there; the others are left alone."""
        if entry.owner is not None or entry.state not in (ObjectState.INLINE, ObjectState.STORED):
            return
        self._drop_value(entry)
        record, entry.task = entry.task, None
        entry.is_error = False
        self.fail(entry, FailureKind.OBJECT_FREED, "was freed by hand")
        if record is not None:
            self.cascade.run(partial(self.release_task, record))

    def _gone(self, entry: Entry) -> None:
        """The entry was taken out: so is all that was noted for it."""
        object_id = entry.object_id
        if self._borrowers.epochs:
            self._borrowers.forget(object_id)
        if self._waiting:
            self._waiting.pop(object_id, None)  # Of a wait that was given up.
        if self._asked_for:
            self._resolvers.gone(object_id)
        if self.on_out_of_scope:
            callback = self.on_out_of_scope.pop(object_id, None)
            if callback is not None:
                callback()
        if entry.task is not None:
            record, entry.task = entry.task, None
            self.cascade.run(partial(self.release_task, record))
        self._owned -= 1
        if self._owned == 0:
            self._look_owned()

    # States

    def set_inline(self, entry: Entry, payload: bytes, is_error: bool) -> None:
        entry.payload = payload
        entry.size = len(payload)
        entry.is_error = is_error
        self._set_ready(entry, INLINE)

    def set_returned(self, object_id: ObjectId, payload: bytes) -> None:
        """As `set_inline`, of a call's only return: no error, and nothing inside. Nearly all are."""
        entry = self.entries.get(object_id)
        if entry is None or entry.state is not PENDING:
            return  # Out of scope; or whole still, and made once more for the sake of another return.
        if entry.contained:
            self.carry(entry, ())
        entry.payload = payload
        entry.size = len(payload)
        entry.is_error = False
        if self._expected or self._waiting or self._asked_for:
            self._set_ready(entry, INLINE)
        else:
            entry.state = INLINE
        if not entry.local:
            self.check(entry)

    def set_stored(self, entry: Entry, size: int, holders: Iterable[Address]) -> None:
        entry.size = size
        for raylet in holders:
            self.copies.add(entry, raylet)
        self._set_ready(entry, ObjectState.STORED)

    def set_failed(self, entry: Entry, failure: Failure) -> None:
        entry.failure = failure
        self._set_ready(entry, ObjectState.FAILED)

    def set_pending(self, entry: Entry) -> None:
        """It is being made again."""
        entry.state = ObjectState.PENDING
        entry.holders = ()

    def fail(self, entry: Entry, kind: FailureKind, what: str) -> None:
        self.set_failed(entry, Failure(kind, f"Object {entry.object_id.hex()} {what}."))

    def _set_ready(self, entry: Entry, state: ObjectState) -> None:
        entry.state = state
        if self._asked_for:
            self._resolvers.tell(entry)
        if self._expected:
            for together in self._expected.pop(entry.object_id, ()):
                together.ready(entry)
        if self._waiting:
            self._tell_waiting(entry)

    def _tell_waiting(self, entry: Entry) -> None:
        waiting = self._waiting.pop(entry.object_id, None)
        if waiting is not None:
            for action in waiting:
                self.cascade.run(action)
            self.cascade.run(partial(self._look_again, entry))

    def _look_again(self, entry: Entry) -> None:
        if not entry.in_use() and self.entries.get(entry.object_id) is entry:
            self.check(entry)

    def when_ready(self, entry: Entry, action: Callable[[], None]) -> None:
        """Run `action` as soon as the object is not pending: now, if that is so already."""
        if entry.state != ObjectState.PENDING:
            action()
            return
        waiting = self._waiting.get(entry.object_id)
        if waiting is not None:
            waiting.append(action)
            return
        self._waiting[entry.object_id] = [action]
        if entry.owner is not None:
            self._resolve.add(entry.owner, entry.object_id)

    def expect(self, entry: Entry, together: "Together") -> None:
        """Tell `together` of this one of ours, which is pending, as soon as that is over."""
        expected = self._expected.get(entry.object_id)
        one = together.alone
        self._expected[entry.object_id] = one if expected is None else expected + one

    def expect_no_more(self, entry: Entry, together: "Together") -> None:
        expected = self._expected.pop(entry.object_id, ())
        others = tuple(one for one in expected if one is not together)
        if others:
            self._expected[entry.object_id] = others

    def revive(self, entry: Entry) -> None:
        """A freed step of a lineage is needed again."""
        if entry.state == ObjectState.FREED and not self.rebuild(entry):
            self.fail(
                entry, FailureKind.RECONSTRUCTION_FAILED, "was freed and cannot be made again"
            )

    def copies_missing(self, entry: Entry, nodes: list[NodeId]) -> None:
        """These nodes turned out to have no copy: the owner rebuilds, a borrower asks the owner again."""
        if entry.owner is None:
            for node_id in nodes:
                self.copies.lost(entry, node_id)
        elif entry.state == ObjectState.STORED:
            entry.state = ObjectState.PENDING
            entry.holders = ()
            self._waiting.setdefault(entry.object_id, [])
            self._host.send(entry.owner, ResolveObjects([entry.object_id], nodes))

    def said_missing(self, entry: Entry, nodes: list[NodeId]) -> None:
        """Somebody else found no copy there, perhaps before the seal arrived that this process sent.

        Its own raylet says itself when it loses what was put here, behind that seal.
        """
        self.copies_missing(entry, [node for node in nodes if not self._was_put_at(entry, node)])

    def _was_put_at(self, entry: Entry, node_id: NodeId) -> bool:
        if entry.owner is not None or not is_put(entry.object_id):
            return False
        return node_id == self._host.address.node_id

    # Owners and borrowers

    def on_resolve(self, sender: Address, asked: ResolveObjects) -> None:
        for object_id in asked.object_ids:
            entry = self.entries.get(object_id)
            if entry is None or entry.owner is not None:
                self._resolvers.refuse(object_id, sender)
                continue
            self.said_missing(entry, asked.lost_on)
            self._resolvers.ask(entry, sender)

    def on_resolved(self, sender: Address, resolved: ObjectsResolved) -> None:
        for status in resolved.objects:
            entry = self.entries.get(status.object_id)
            if entry is None or entry.owner is None or entry.ready:
                continue
            if status.failure is not None:
                self.set_failed(entry, status.failure)
            elif status.payload is not None:
                self.set_inline(entry, status.payload, status.is_error)
            else:
                self.set_stored(entry, status.size, status.holders)

    def on_add_borrowers(self, sender: Address, added: AddBorrowers) -> None:
        for borrow in added.borrows:
            entry = self.entries.get(borrow.object_id)
            if entry is not None and entry.owner is None and self._borrowers.add(sender, borrow):
                entry.borrowed += 1
        self._host.send(sender, BorrowersAdded(added.borrows))

    def on_borrowers_added(self, sender: Address, added: BorrowersAdded) -> None:
        self._acknowledgements.arrived(added.borrows)

    def on_remove_borrowers(self, sender: Address, removed: RemoveBorrowers) -> None:
        for borrow in removed.borrows:
            entry = self.entries.get(borrow.object_id)
            if entry is not None and entry.owner is None and self._borrowers.remove(sender, borrow):
                entry.borrowed -= 1
                self.check(entry)

    def peer_lost(self, peer: Address) -> None:
        """A borrower lets go of everything; what a lost owner owned is lost with it (Ray: owner death)."""
        for object_id in self._borrowers.lost(peer.worker_id):
            entry = self.entries[object_id]
            entry.borrowed -= 1
            self.cascade.run(partial(self._look_again, entry))
        self._resolvers.peer_lost(peer.worker_id)
        for object_id in list(self._from_owner.get(peer.worker_id, ())):
            # One failure may end calls that held the next of these.
            lost = self.entries.get(object_id)
            if lost is not None and _needs_owner(lost):
                self._owner_lost(lost, peer.worker_id)
        self._acknowledgements.owner_lost(peer.worker_id)

    def node_lost(self, node_id: NodeId) -> None:
        self._dead_nodes[node_id] = None
        self.copies.node_lost(node_id)

    def peers_on(self, node_id: NodeId) -> list[Address]:
        """Owners and borrowers on a node that this process deals with: lost with the node."""
        peers = self._borrowers.on_node(node_id) + self._acknowledgements.owners_on(node_id)
        for objects in self._from_owner.values():
            owner = self.entries[next(iter(objects))].owner
            if owner is not None and owner.node_id == node_id:
                peers.append(owner)
        return list({peer.worker_id: peer for peer in peers}.values())


def _needs_owner(entry: Entry) -> bool:
    """A small value that a task returned outlives its owner where it is known; one that was put does not (Ray)."""
    if entry.state == ObjectState.INLINE:
        return is_put(entry.object_id)
    return entry.state in (ObjectState.PENDING, ObjectState.STORED)


def _owner_died(entry: Entry) -> bool:
    return entry.failure is not None and entry.failure.kind == FailureKind.OWNER_DIED
