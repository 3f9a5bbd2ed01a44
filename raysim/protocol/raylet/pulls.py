"""Objects fetched from other nodes in chunks, and chunks served to them. Never which object stays: see store.

A pull asks one holder at a time. When that holder turns out not to have the object, or is lost, the
parts that are still missing are asked of the next one. A request may overtake the seal of its
object, which comes from another process: then it waits a little before it counts as missing.
"""

from functools import partial

from raysim.journal import ObjectMoved
from raysim.protocol.host import RayletHost
from raysim.protocol.messages import (
    AdoptionsFailed,
    CancelFetches,
    ChunkMissing,
    CopyAdded,
    CopyMoved,
    FetchFailed,
    FetchObject,
    FetchObjects,
    FetchReason,
    ObjectChunk,
    PullChunk,
)
from raysim.protocol.messages.state import SpanKind
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.pull import Pull, Source
from raysim.protocol.raylet.restores import Restores, owner_died
from raysim.protocol.raylet.store import Store
from raysim.protocol.raylet.stored import NOWHERE, StoredObject
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import NodeId, ObjectId, WorkerId

SOURCE_PULLS = 4
"""Times `chunks_in_flight` that parts are asked of one node at a time, for all pulls together. Ours."""


class Pulls:
    def __init__(self, host: RayletHost, store: Store, fence: Fence, restores: Restores) -> None:
        self._host = host
        self._store = store
        self._fence = fence
        self._restores = restores
        self._pulls: dict[ObjectId, Pull] = {}
        self._sources: dict[WorkerId, Source] = {}
        self._early: dict[ObjectId, list[tuple[Address, PullChunk]]] = {}
        """Requests for parts of objects whose seal may be under way."""
        self.bytes_pulled = 0

    # --- what processes of this node say ----------------------------------------------------------

    def on_fetch(self, sender: Address, fetch: FetchObjects) -> None:
        if self._fence.has(sender):
            return  # Its pins would never be released.
        store = self._store
        for wanted in fetch.objects:
            entry = store.get(wanted.object_id)
            if entry is None:
                self._want(sender, wanted, fetch.reason)
            elif entry.handle != NOWHERE:
                store.pin(sender, entry)
            else:
                self._restores.want(sender, entry, fetch.reason)

    def on_cancel(self, sender: Address, cancelled: CancelFetches) -> None:
        for object_id in cancelled.object_ids:
            pull = self._pulls.get(object_id)
            if pull is not None:
                pull.unwant(sender)
                if pull.unwanted:
                    self._drop(pull)
            else:
                self._restores.cancel(sender, object_id)

    def _want(self, process: Address, wanted: FetchObject, reason: FetchReason) -> None:
        if self._fence.has(wanted.owner):
            # A copy would have nobody to free it.
            died = owner_died(wanted.object_id, wanted.owner)
            self._host.send(process, FetchFailed(wanted.object_id, [], died))
            return
        pull = self._pulls.get(wanted.object_id)
        if pull is not None:
            pull.want(process)
            self._add_holders(pull, wanted.holders)
            if reason < pull.reason:
                self._hasten(pull, reason)
            if pull.timer is not None and pull.holders:
                self._next_holder(pull)
            return
        pull = self._pulls[wanted.object_id] = Pull(wanted, reason, self._host.now_ns())
        pull.want(process)
        self._add_holders(pull, wanted.holders)
        self._next_holder(pull)

    def adopt(self, source: Address, wanted: FetchObject) -> None:
        """Keep a copy in place of `source`, which is to go, and tell the owner."""
        entry = self._store.get(wanted.object_id)
        if entry is not None:
            self._keep(entry, source)
            return
        if self._fence.has(wanted.owner):
            return  # It goes there as well.
        pull = self._pulls.get(wanted.object_id)
        if pull is not None and pull.keep_for == source:
            return  # A second copy.
        is_new = pull is None
        if pull is None:
            pull = Pull(wanted, FetchReason.ARGUMENT, self._host.now_ns())
            self._pulls[wanted.object_id] = pull
        pull.keep_for = source
        self._add_holders(pull, wanted.holders)
        if is_new or (pull.timer is not None and pull.holders):
            self._next_holder(pull)

    def _keep(self, entry: StoredObject, source: Address) -> None:
        self._store.keep(entry)
        here = self._host.address
        self._host.send(entry.owner, CopyMoved(entry.object_id, here, source))

    def _add_holders(self, pull: Pull, holders: list[Address]) -> None:
        own = self._host.address.node_id
        for holder in holders:
            # That this node has it, as its owner thinks, is true only if a seal is under way.
            if holder.node_id == own or self._fence.has(holder):
                pull.missing(holder)
            elif holder != pull.holder and holder not in pull.holders:
                pull.holders.append(holder)

    def _hasten(self, pull: Pull, reason: FetchReason) -> None:
        source = self._sources.get(pull.holder.worker_id) if pull.holder is not None else None
        if source is not None and source.queues[pull.reason].pop(pull.object_id, None) is not None:
            source.queues[reason][pull.object_id] = pull
        if pull.waiting is not None:
            self._store.room.hasten(pull.waiting, reason)
        pull.reason = reason

    # --- asking -----------------------------------------------------------------------------------

    def _next_holder(self, pull: Pull) -> None:
        if pull.timer is not None:
            pull.timer.cancel()
            pull.timer = None
        if not pull.holders:
            self._no_holder(pull)
            return
        last = self._host.buggify("raylet.pull_from_last_holder")
        pull.holder = pull.holders.pop(-1 if last else 0)
        if pull.handle >= 0:
            self._ask_of(pull, pull.holder)
        elif pull.waiting is None:
            pull.waiting = self._store.room.take(
                pull.size,
                pull.reason,
                partial(self._room_given, pull),
                partial(self._no_room, pull),
            )

    def _room_given(self, pull: Pull, handle: int) -> None:
        pull.waiting = None
        pull.plan(handle, self._host.config.chunk_bytes)
        if pull.holder is not None:
            self._ask_of(pull, pull.holder)

    def _no_room(self, pull: Pull) -> None:
        pull.waiting = None
        self._fail(pull, self._store.full(pull.size), self._host.store.capacity)

    def _ask_of(self, pull: Pull, holder: Address) -> None:
        source = self._sources.get(holder.worker_id)
        if source is None:
            source = self._sources[holder.worker_id] = Source()
        source.add(pull)
        self._ask(holder, source)

    def _ask(self, holder: Address, source: Source) -> None:
        ahead = self._host.config.chunks_in_flight
        limit = SOURCE_PULLS * ahead
        while source.asked < limit:
            pull = source.next(ahead)
            if pull is None:
                return
            first = self._host.buggify("raylet.pull_last_part_first")
            offset = pull.to_ask.pop(0 if first else -1)
            pull.asked[offset] = None
            source.asked += 1
            if not pull.to_ask:
                del source.queues[pull.reason][pull.object_id]
            length = min(self._host.config.chunk_bytes, pull.size - offset)
            self._host.send(holder, PullChunk(pull.object_id, offset, length))

    def on_chunk(self, sender: Address, chunk: ObjectChunk) -> None:
        pull = self._pulls.get(chunk.object_id)
        if pull is None or chunk.offset not in pull.asked:
            return  # A second copy, or of a pull that is over.
        if chunk.total != pull.size:
            # Another attempt made it with another size: not the object that its owner means.
            self.on_missing(sender, ChunkMissing(chunk.object_id))
            return
        self._host.store.write_chunk(pull.handle, chunk.offset, chunk.data, chunk.length)
        del pull.asked[chunk.offset]
        holder = pull.holder
        assert holder is not None, "parts are under way from nobody"
        source = self._sources[holder.worker_id]
        source.asked -= 1
        if not pull.asked and not pull.to_ask:
            self._complete(pull, holder)
        self._ask(holder, source)

    def on_missing(self, sender: Address, missing: ChunkMissing) -> None:
        pull = self._pulls.get(missing.object_id)
        if pull is not None and pull.holder == sender:
            self._leave_holder(pull)
            self._next_holder(pull)

    def _leave_holder(self, pull: Pull) -> None:
        if pull.holder is not None:
            pull.missing(pull.holder)
        self._stop_asking(pull)

    def _stop_asking(self, pull: Pull) -> None:
        """What the holder has not sent is to be asked of another; its window is free for other pulls."""
        holder = pull.holder
        source = self._sources.get(holder.worker_id) if holder is not None else None
        if source is not None:
            source.remove(pull)
        pull.stop_asking()
        if source is not None and holder is not None:
            self._ask(holder, source)

    # --- ending -----------------------------------------------------------------------------------

    def _complete(self, pull: Pull, holder: Address) -> None:
        host = self._host
        del self._pulls[pull.object_id]
        self.bytes_pulled += pull.size
        self._store.add_pulled(pull.object_id, pull.handle, pull.size, pull.owner)
        self._hand_out(pull)
        if pull.keep_for is None:
            host.send(pull.owner, CopyAdded(pull.object_id, host.address))
        own = host.address.node_id
        self._store.spans.add(
            SpanKind.TRANSFER, pull.start_ns, [pull.object_id], pull.size, holder.node_id
        )
        host.note(ObjectMoved(pull.object_id, holder.node_id, own, pull.size, pull.start_ns))

    def _hand_out(self, pull: Pull) -> None:
        entry = self._store.objects[pull.object_id]
        if pull.keep_for is not None:
            self._keep(entry, pull.keep_for)
        for process, count in pull.wanted_by.values():
            for _ in range(count):
                self._store.pin(process, entry)

    def _no_holder(self, pull: Pull) -> None:
        """Unless its seal is under way from a process of this node, nobody has it."""
        own = self._host.address.node_id
        if not pull.waited and own in pull.missing_on and self._store.may_be_sealed():
            pull.waited = True
            pull.timer = self._host.call_later(
                self._host.config.seal_grace_ns, partial(self._next_holder, pull)
            )
        else:
            if own in pull.missing_on:
                self._store.denied(pull.object_id)
            self._fail(pull, None)

    def _fail(self, pull: Pull, failure: Failure | None, store_bytes: int = 0) -> None:
        self._drop(pull)
        if pull.keep_for is not None:
            self._host.send(pull.keep_for, AdoptionsFailed([pull.object_id]))
        for process, count in pull.wanted_by.values():
            for _ in range(count):
                failed = FetchFailed(pull.object_id, list(pull.missing_on), failure, store_bytes)
                self._host.send(process, failed)

    def _drop(self, pull: Pull) -> None:
        """Parts still under way will find no pull."""
        del self._pulls[pull.object_id]
        self._stop_asking(pull)
        if pull.timer is not None:
            pull.timer.cancel()
        if pull.waiting is not None:
            self._store.room.cancel(pull.waiting)
        if pull.handle >= 0:
            self._host.store.delete(pull.handle)
            self._store.room.serve()

    # --- what happens elsewhere -------------------------------------------------------------------

    def sealed(self, entry: StoredObject) -> None:
        """A process of this node made the object: nobody has to wait for a copy."""
        for sender, part in self._early.pop(entry.object_id, ()):
            self.on_pull(sender, part)
        pull = self._pulls.get(entry.object_id)
        if pull is not None:
            self._drop(pull)
            self._hand_out(pull)

    def freed(self, object_id: ObjectId) -> None:
        """Its owner says that nothing refers to it: those who wait ask the owner again."""
        pull = self._pulls.get(object_id)
        if pull is not None:
            self._fail(pull, None)

    def process_lost(self, process: Address) -> None:
        """As a holder, as one who waits, as an owner."""
        self._sources.pop(process.worker_id, None)
        for pull in list(self._pulls.values()):
            if pull.object_id not in self._pulls:
                continue
            if process.worker_id in pull.wanted_by:
                del pull.wanted_by[process.worker_id]
                if pull.unwanted:
                    self._drop(pull)
                    continue
            if pull.keep_for == process:
                pull.keep_for = None
                if pull.unwanted:
                    self._drop(pull)
                    continue
            if pull.owner == process:
                self._fail(pull, owner_died(pull.object_id, process))
                continue
            if process in pull.holders:
                pull.holders.remove(process)
                pull.missing(process)
            if pull.holder == process:
                self._leave_holder(pull)
                self._next_holder(pull)
        self._forget_early(process)

    def node_lost(self, node_id: NodeId) -> None:
        """Its raylet as a holder; owners that lived there."""
        lost = {
            address.worker_id: address
            for pull in self._pulls.values()
            for address in (pull.owner, pull.holder, *pull.holders)
            if address is not None and address.node_id == node_id
        }
        for address in lost.values():
            self.process_lost(address)

    def _forget_early(self, process: Address) -> None:
        for object_id, parts in list(self._early.items()):
            kept = [one for one in parts if one[0] != process]
            if kept:
                self._early[object_id] = kept
            else:
                del self._early[object_id]

    # --- serving ----------------------------------------------------------------------------------

    def on_pull(self, sender: Address, part: PullChunk) -> None:
        entry = self._store.get(part.object_id)
        if entry is None:
            self._not_here(sender, part)
            return
        if part.offset + part.length > entry.size:
            # Another attempt made it smaller than the asker was told: not the same object.
            self._host.send(sender, ChunkMissing(part.object_id))
            return
        if entry.handle == NOWHERE:
            self._restores.serve(sender, part, entry)
            return
        if not part.offset:
            self._store.used_now(entry)
        data = self._host.store.read_chunk(entry.handle, part.offset, part.length)
        chunk = ObjectChunk(part.object_id, part.offset, part.length, entry.size, data)
        self._host.send(sender, chunk)

    def _not_here(self, sender: Address, part: PullChunk) -> None:
        if not self._store.may_be_sealed():
            self._host.send(sender, ChunkMissing(part.object_id))
            return
        early = self._early.get(part.object_id)
        if early is None:
            early = self._early[part.object_id] = []
            self._host.call_later(
                self._host.config.seal_grace_ns, partial(self._still_missing, part.object_id, early)
            )
        early.append((sender, part))

    def _still_missing(self, object_id: ObjectId, early: list[tuple[Address, PullChunk]]) -> None:
        if self._early.get(object_id) is early:
            del self._early[object_id]
            for sender in {sender.worker_id: sender for sender, _ in early}.values():
                self._host.send(sender, ChunkMissing(object_id))
            self._store.denied(object_id)
