"""Which objects are on this node, who pins them, what goes when room is needed. Never moves bytes between nodes.

A primary copy stays, in memory or on disk (see spilling), until its owner frees it or is lost. Another
copy may be evicted while nobody pins it: which one first, `Config.eviction` says. Extents are lent to a
process by its own number.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.policies.eviction import create_eviction
from raysim.protocol.host import RayletHost
from raysim.protocol.messages import (
    CopyAdded,
    CopyRemoved,
    ExtentLent,
    ExtentRefused,
    ObjectLocal,
    ReleasePins,
    RequestExtent,
    SealObject,
)
from raysim.protocol.raylet import fullness
from raysim.protocol.raylet.cold import Cold
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.room import Room, Waiting
from raysim.protocol.raylet.spilling import Spilling
from raysim.protocol.raylet.stored import NOWHERE, StoredObject
from raysim.protocol.spans import Spans
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import NodeId, ObjectId, WorkerId

DENIED = 1024
"""Objects freed, or asked for in vain, before they were sealed here that are remembered, the latest ones. Ours."""

EXTENT_PRIORITY = -1
"""Before every pull: who writes a result holds CPUs while it waits. Ours."""


class Holder:
    """What one process of this node has of the store."""

    __slots__ = ("extents", "pins", "waiting")

    def __init__(self) -> None:
        self.extents: dict[int, int] = {}
        """Number to handle."""
        self.waiting: dict[int, Waiting] = {}
        self.pins: dict[ObjectId, int] = {}


class OwnedObjects(msgspec.Struct, gc=False):
    owner: Address
    objects: dict[ObjectId, StoredObject] = {}


class Store:
    def __init__(self, host: RayletHost, fence: Fence, changed: Callable[[], None]) -> None:
        self._host = host
        self._fence = fence
        self._changed = changed
        self._holders: dict[WorkerId, Holder] = {}
        self._owners: dict[WorkerId, OwnedObjects] = {}
        self._spill_above = host.config.object_spilling_threshold
        self._cold = Cold(create_eviction(host.config.eviction))
        self._denied: dict[ObjectId, None] = {}
        self._lent = 0
        self.objects: dict[ObjectId, StoredObject] = {}
        self.room = Room(host, self._evict_one)
        self.spans = Spans(host)
        """What took a while: transfers to here, spilling, restoring."""
        self.spilling = Spilling(host, self._cold, self.room, self.spans)
        self.room.short = self.spilling.look
        self.room.makes_room = self.spilling.makes_room
        self.on_gone: Callable[[StoredObject], None] = lambda entry: None
        """Told of an object that goes while it is on disk only: somebody may wait for it."""

    def get(self, object_id: ObjectId) -> StoredObject | None:
        entry = self.objects.get(object_id)
        return None if entry is None or entry.freed else entry

    def may_be_sealed(self) -> bool:
        """Whether a seal can be under way: some extent is lent."""
        return self._lent > 0

    # --- writing ----------------------------------------------------------------------------------

    def on_request_extent(self, sender: Address, wish: RequestExtent) -> None:
        if self._fence.has(sender):
            return
        holder = self._holder(sender)
        number = wish.number
        if number in holder.waiting:
            return  # A second copy: the answer comes when there is room.
        handle = holder.extents.get(number)
        if handle is not None:
            self._host.send(sender, ExtentLent(number, handle))
            return
        waiting = self.room.take(
            wish.size,
            EXTENT_PRIORITY,
            partial(self._lend, sender, holder, number),
            partial(self._refuse, sender, holder, wish),
        )
        if waiting is not None:
            holder.waiting[number] = waiting

    def _lend(self, sender: Address, holder: Holder, number: int, handle: int) -> None:
        holder.waiting.pop(number, None)
        holder.extents[number] = handle
        self._lent += 1
        self._host.send(sender, ExtentLent(number, handle))
        self._changed()

    def _refuse(self, sender: Address, holder: Holder, wish: RequestExtent) -> None:
        holder.waiting.pop(wish.number, None)
        self._host.send(sender, ExtentRefused(wish.number, self.full(wish.size)))

    def on_seal(self, sender: Address, seal: SealObject) -> StoredObject | None:
        """The object, unless nobody wants it any more."""
        holder = self._holders.get(sender.worker_id)
        handle = holder.extents.pop(seal.number, None) if holder is not None else None
        if handle is None:
            return None  # A second copy, or the extent was taken back with its process.
        self._lent -= 1
        if self._fence.has(seal.owner):
            self._host.store.delete(handle)
            self.room.serve()
            return None
        entry = self._add(seal.object_id, handle, seal.size, seal.owner, sender.worker_id)
        if seal.object_id in self._denied:
            # This one was freed, or given up as lost, or one before it was and is made again: its owner knows.
            del self._denied[seal.object_id]
            self._host.send(seal.owner, CopyAdded(seal.object_id, self._host.address))
        return entry

    def add_pulled(self, object_id: ObjectId, handle: int, size: int, owner: Address) -> None:
        """A whole copy came from another node."""
        self._add(object_id, handle, size, owner, None)

    def _add(
        self,
        object_id: ObjectId,
        handle: int,
        size: int,
        owner: Address,
        creator: WorkerId | None,
    ) -> StoredObject:
        entry = self.objects.get(object_id)
        if entry is not None:
            # Another attempt of its task, or a rebuild, made it again: one copy is enough.
            self._host.store.delete(handle)
            entry.freed = False
        else:
            entry = StoredObject(object_id, handle, size, owner, False, creator)
            self.objects[object_id] = entry
            owned = self._owners.get(owner.worker_id)
            if owned is None:
                owned = self._owners[owner.worker_id] = OwnedObjects(owner)
            owned.objects[object_id] = entry
        if creator is not None:
            self._cold.remove(entry)
            entry.primary = True
            entry.creator = creator
        if not entry.pins:
            self.let_go(entry)
        if entry.handle != handle:
            self.room.serve()
        self._changed()
        return entry

    def keep(self, entry: StoredObject) -> None:
        """As the primary copy, from now on."""
        if not entry.primary:
            self._cold.remove(entry)
            entry.primary = True
            if not entry.pins:
                self.let_go(entry)

    # --- pins -------------------------------------------------------------------------------------

    def pin(self, process: Address, entry: StoredObject) -> None:
        """Hand the object to a process of this node."""
        assert entry.handle != NOWHERE, "handed out from nowhere: it is on disk only"
        if not entry.pins:
            self._cold.remove(entry)
        entry.pins += 1
        entry.uses += 1
        pins = self._holder(process).pins
        pins[entry.object_id] = pins.get(entry.object_id, 0) + 1
        self._host.send(process, ObjectLocal(entry.object_id, entry.handle, entry.size))

    def on_release_pins(self, sender: Address, released: ReleasePins) -> None:
        holder = self._holders.get(sender.worker_id)
        if holder is None:
            return
        for object_id in released.object_ids:
            count = holder.pins.get(object_id, 0)
            if not count:
                continue  # Not its pin: a second copy.
            if count > 1:
                holder.pins[object_id] = count - 1
            else:
                del holder.pins[object_id]
            self._unpin(self.objects[object_id], 1)
        self.room.serve()

    def _unpin(self, entry: StoredObject, count: int) -> None:
        entry.pins -= count
        if not entry.pins:
            if entry.freed:
                self._delete(entry)
            else:
                self.let_go(entry)

    def used_now(self, entry: StoredObject) -> None:
        """By another node."""
        entry.uses += 1
        if not entry.pins:
            self._cold.touch(entry)

    # --- freeing and evicting ---------------------------------------------------------------------

    def free(self, object_id: ObjectId) -> None:
        """Its owner says that nothing refers to it."""
        entry = self.objects.get(object_id)
        if entry is not None:
            self._free(entry)
        # It may have overtaken a seal, the first one or that of a rebuild, which must then not stay for ever.
        self.denied(object_id)

    def denied(self, object_id: ObjectId) -> None:
        """Its owner takes it for not being here: should it be sealed after all, the owner is asked."""
        if not self._lent:
            return  # No seal can be under way.
        self._denied[object_id] = None
        if len(self._denied) > DENIED:
            del self._denied[next(iter(self._denied))]

    def _free(self, entry: StoredObject) -> None:
        if entry.pins:
            entry.freed = True
            entry.primary = False
            self.spilling.forget(entry)
        else:
            self._delete(entry)

    def _delete(self, entry: StoredObject) -> None:
        self._cold.remove(entry)
        del self.objects[entry.object_id]
        owned = self._owners[entry.owner.worker_id]
        del owned.objects[entry.object_id]
        if not owned.objects:
            del self._owners[entry.owner.worker_id]
        if entry.on_disk is not None or entry.writing:
            self.spilling.forget(entry)
        if entry.handle == NOWHERE:
            self.on_gone(entry)
        else:
            self._host.store.delete(entry.handle)
        self._changed()

    def _evict_one(self, size: int) -> bool:
        store, cold = self._host.store, self._cold
        evictable = cold.evictable
        if store.capacity - store.used() + evictable.bytes < size or not evictable.objects:
            return False
        entry = evictable.first()
        evictable.went(entry)
        if entry.on_disk is None:
            self._delete(entry)
            self._host.send(entry.owner, CopyRemoved(entry.object_id, self._host.address))
        else:
            cold.remove(entry)
            store.delete(entry.handle)
            entry.handle = NOWHERE
            self._changed()
        return True

    def let_go(self, entry: StoredObject) -> None:
        """Nobody needs it in memory: it may be evicted, or spilled."""
        if self._cold.add(entry):
            if self._host.buggify("raylet.evict_early"):
                self._host.call_later(0, self._evict_early)
        elif self._host.store.used() > self._spill_above * self._host.store.capacity:
            self.spilling.look()

    def _evict_early(self) -> None:
        """As if room were short."""
        self._evict_one(0)

    def lost_on_disk(self, entry: StoredObject, why: str) -> None:
        """The copy there cannot be read, or is not what was written."""
        self.spilling.forget(entry)
        if entry.handle != NOWHERE:
            self._cold.remove(entry)
            if not entry.pins:
                self.let_go(entry)
        elif self.objects.get(entry.object_id) is entry:
            self._delete(entry)
            self._host.send(entry.owner, CopyRemoved(entry.object_id, self._host.address, why))

    # --- losses -----------------------------------------------------------------------------------

    def process_lost(self, process: Address) -> None:
        """Its extents, pins and objects go. What it sealed for others they may not know of yet."""
        holder = self._holders.pop(process.worker_id, None)
        if holder is not None:
            for waiting in holder.waiting.values():
                self.room.cancel(waiting)
            for handle in holder.extents.values():
                self._host.store.delete(handle)
            self._lent -= len(holder.extents)
            for object_id, count in holder.pins.items():
                self._unpin(self.objects[object_id], count)
        owned = self._owners.get(process.worker_id)
        if owned is not None:
            for entry in list(owned.objects.values()):
                self._free(entry)
        if holder is not None:
            self._tell_owners(process.worker_id)
        self.room.serve()

    def node_lost(self, node_id: NodeId) -> None:
        for owned in list(self._owners.values()):
            if owned.owner.node_id == node_id:
                for entry in list(owned.objects.values()):
                    self._free(entry)
        self.room.serve()

    def _tell_owners(self, creator: WorkerId) -> None:
        """The word that would have told them of these objects may have died with the process."""
        for entry in self.objects.values():
            if entry.creator == creator and not entry.freed:
                self._host.send(entry.owner, CopyAdded(entry.object_id, self._host.address))

    # --- errors -----------------------------------------------------------------------------------

    def full(self, size: int) -> Failure:
        """Why so many bytes do not fit, naming what fills the store."""
        pinned_by: dict[ObjectId, list[WorkerId]] = {}
        for worker_id, holder in self._holders.items():
            for object_id in holder.pins:
                pinned_by.setdefault(object_id, []).append(worker_id)
        objects, spillable = self.objects.values(), self._cold.spillable.bytes
        return fullness.full(self._host, size, objects, pinned_by, self.spilling, spillable)

    def _holder(self, process: Address) -> Holder:
        holder = self._holders.get(process.worker_id)
        if holder is None:
            holder = self._holders[process.worker_id] = Holder()
        return holder
