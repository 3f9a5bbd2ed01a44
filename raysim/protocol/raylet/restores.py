"""Objects brought back from disk for this node, and parts of them read for others. Never what is written: see spilling.

What was read is compared with the checksums that were taken when it was written. A copy that cannot
be read, or is not what was written, is a lost copy: its owner is told and decides.
"""

from collections.abc import Sequence
from functools import partial

from raysim.journal import ObjectRestored
from raysim.protocol.disk import PartsRead
from raysim.protocol.host import RayletHost
from raysim.protocol.messages import ChunkMissing, FetchFailed, FetchReason, ObjectChunk, PullChunk
from raysim.protocol.messages.state import SpanKind
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.room import Waiting
from raysim.protocol.raylet.store import Store
from raysim.protocol.raylet.stored import OnDisk, StoredObject
from raysim.protocol.raylet.wanted import Wanted
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ObjectId
from raysim.spec.node import StoreStats


class Restore(Wanted):
    """One object on its way back, for all who want it."""

    __slots__ = ("entry", "handle", "over", "reason", "start_ns", "waiting")

    def __init__(self, entry: StoredObject, reason: FetchReason, start_ns: int) -> None:
        super().__init__()
        self.entry = entry
        self.reason = reason
        self.start_ns = start_ns
        self.handle = -1
        self.waiting: Waiting | None = None
        """For room in the store."""
        self.over = False
        """The object was freed while it was read."""


class Restores:
    def __init__(self, host: RayletHost, store: Store, fence: Fence) -> None:
        self._host = host
        self._store = store
        self._fence = fence
        self._open: dict[ObjectId, Restore] = {}
        self.handles: dict[int, None] = {}
        """Places of the store that are being filled."""
        self.bytes_restored = self.objects_restored = self.restore_ns = 0
        """Since the start."""
        store.on_gone = self._gone

    def stats(self, bytes_pulled: int) -> StoreStats:
        """Of the store, and of its disk."""
        spilling = self._store.spilling
        return StoreStats(
            self._host.store.used(),
            len(self._store.objects),
            bytes_pulled,
            spilling.bytes_spilled,
            spilling.objects_spilled,
            spilling.spill_ns,
            self.bytes_restored,
            self.objects_restored,
            self.restore_ns,
            spilling.bytes_on_disk,
        )

    # --- for processes of this node ---------------------------------------------------------------

    def want(self, process: Address, entry: StoredObject, reason: FetchReason) -> None:
        """Have it in memory, and pin it for the process."""
        restore = self._open.get(entry.object_id)
        if restore is not None:
            restore.want(process)
            if reason < restore.reason:
                restore.reason = reason
                if restore.waiting is not None:
                    self._store.room.hasten(restore.waiting, reason)
            return
        restore = self._open[entry.object_id] = Restore(entry, reason, self._host.now_ns())
        restore.want(process)
        restore.waiting = self._store.room.take(
            entry.size,
            reason,
            partial(self._room_given, restore),
            partial(self._no_room, restore),
        )

    def cancel(self, process: Address, object_id: ObjectId) -> None:
        restore = self._open.get(object_id)
        if restore is not None:
            restore.unwant(process)
            self._drop_unwanted(restore)

    def process_lost(self, process: Address) -> None:
        for restore in list(self._open.values()):
            if restore.wanted_by.pop(process.worker_id, None) is not None:
                self._drop_unwanted(restore)

    def _drop_unwanted(self, restore: Restore) -> None:
        """What is being read stays in memory for a while: it is wanted again, perhaps."""
        if restore.waiting is not None and not restore.wanted_by:
            del self._open[restore.entry.object_id]
            self._store.room.cancel(restore.waiting)

    def _room_given(self, restore: Restore, handle: int) -> None:
        restore.waiting = None
        restore.handle = handle
        self.handles[handle] = None
        entry, on_disk = restore.entry, restore.entry.on_disk
        assert on_disk is not None, "an object that is nowhere"
        self._store.spilling.read_begins(on_disk.file)
        self._host.disk.fill(
            on_disk.file.number,
            on_disk.position,
            (handle, entry.size),
            self._host.config.chunk_bytes,
            partial(self._filled, restore, on_disk),
        )

    def _no_room(self, restore: Restore) -> None:
        """The object stays where it is."""
        del self._open[restore.entry.object_id]
        capacity = self._host.store.capacity
        self._refuse(restore, self._store.full(restore.entry.size), capacity)

    def _filled(self, restore: Restore, on_disk: OnDisk, read: PartsRead) -> None:
        entry = restore.entry
        del self.handles[restore.handle]
        self._store.spilling.read_ended(on_disk.file)
        if restore.over:
            self._give_back(restore)
            return
        del self._open[entry.object_id]
        why = _problem(read, on_disk.checksums)
        if why:
            self._store.lost_on_disk(entry, why)
            self._refuse(restore, None)
            self._give_back(restore)
            return
        entry.handle = restore.handle
        self.bytes_restored += entry.size
        self.objects_restored += 1
        self.restore_ns += self._host.now_ns() - restore.start_ns
        own = self._host.address.node_id
        self._store.spans.add(SpanKind.RESTORE, restore.start_ns, [entry.object_id], entry.size)
        self._host.note(ObjectRestored(entry.object_id, own, entry.size, restore.start_ns))
        for process, count in restore.wanted_by.values():
            for _ in range(count):
                self._store.pin(process, entry)
        if not entry.pins:
            self._store.let_go(entry)

    def _give_back(self, restore: Restore) -> None:
        self._host.store.delete(restore.handle)
        self._store.room.serve()

    def _gone(self, entry: StoredObject) -> None:
        """Freed, or lost: those who wait ask its owner."""
        restore = self._open.pop(entry.object_id, None)
        if restore is None:
            return
        if restore.waiting is not None:
            self._store.room.cancel(restore.waiting)
        else:
            restore.over = True
        self._refuse(restore, None)

    def _refuse(self, restore: Restore, failure: Failure | None, store_bytes: int = 0) -> None:
        entry, host = restore.entry, self._host
        if failure is None and self._fence.has(entry.owner):
            failure = owner_died(entry.object_id, entry.owner)
        missing_on = [] if failure is not None else [host.address.node_id]
        for process, count in restore.wanted_by.values():
            for _ in range(count):
                host.send(process, FetchFailed(entry.object_id, missing_on, failure, store_bytes))

    # --- for other nodes --------------------------------------------------------------------------

    def serve(self, sender: Address, part: PullChunk, entry: StoredObject) -> None:
        """From the disk straight away: their reader must not wait for room here."""
        on_disk = entry.on_disk
        assert on_disk is not None, "an object that is nowhere"
        step = self._host.config.chunk_bytes
        begin = part.offset - part.offset % step
        end = min(entry.size, -(-(part.offset + part.length) // step) * step)
        sums = on_disk.checksums[begin // step : -(-end // step)]
        self._store.spilling.read_begins(on_disk.file)

        def done(read: PartsRead) -> None:
            self._store.spilling.read_ended(on_disk.file)
            why = _problem(read, sums)
            if why and entry.on_disk is on_disk:
                self._store.lost_on_disk(entry, why)
            if why:
                self._host.send(sender, ChunkMissing(part.object_id))
                return
            data = read.data[part.offset - begin : part.offset - begin + part.length]
            chunk = ObjectChunk(part.object_id, part.offset, part.length, entry.size, data)
            self._host.send(sender, chunk)

        self._host.disk.read(on_disk.file.number, on_disk.position + begin, end - begin, step, done)


def _problem(read: PartsRead, checksums: Sequence[int]) -> str:
    """Why this is not what was written; empty: it is."""
    if read.problem:
        return f"its spilled copy could not be read: {read.problem}"
    if list(read.checksums) != list(checksums):
        return "its spilled copy is corrupt: it has not the checksum that it was written with"
    return ""


def owner_died(object_id: ObjectId, owner: Address) -> Failure:
    text = (
        f"The owner of object {object_id.hex()}, process {owner.worker_id.hex()[:12]} on node "
        f"{owner.node_id.hex()[:12]}, has died, and the object with it."
    )
    return Failure(FailureKind.OWNER_DIED, text)
