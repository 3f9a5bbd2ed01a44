"""Which objects are written to disk, when, and in which files. Never reads them back: see restores.

Objects that nobody uses are written, in the order of eviction (see cold), several to a file: when somebody
waits for room, and ahead of that when the store is nearly full. One that is on disk stays in memory
until its room is needed. A file is deleted with the last object of which it is the copy.
"""

from collections.abc import Sequence
from functools import partial

from raysim.journal import ObjectsSpilled
from raysim.protocol.disk import Written
from raysim.protocol.host import RayletHost
from raysim.protocol.messages.state import SpanKind
from raysim.protocol.raylet.cold import Cold
from raysim.protocol.raylet.room import Room
from raysim.protocol.raylet.stored import OnDisk, SpillFile, StoredObject
from raysim.protocol.spans import Spans
from raysim.spec.units import format_size

STORE_SHARE = 4
"""A file has at least this part of the store, where that is less than `min_spilling_size`: else a small
store would be written as a whole. Ours."""


class Spilling:
    """Sizes in bytes. `host.disk` performs."""

    def __init__(self, host: RayletHost, cold: Cold, room: Room, spans: Spans) -> None:
        self._host = host
        self._cold = cold
        self._room = room
        self._spans = spans
        self._count = 0
        self._under_way = 0
        self._waits = False
        """The disk took nothing lately: it is asked again after a while."""
        self.problem = ""
        """Why the last file could not be written."""
        self.writing: dict[int, SpillFile] = {}
        self.files: dict[int, SpillFile] = {}
        """Whole ones, by number."""
        self.bytes_on_disk = 0
        """Of `files`, with what is left in them of objects that are freed."""
        self.bytes_spilled = self.objects_spilled = self.spill_ns = 0
        """Since the start."""

    def look(self) -> None:
        """Begin to write what has to go."""
        config = self._host.config
        if self._waits or not config.automatic_object_spilling_enabled:
            return
        while len(self.writing) < config.max_io_workers:
            wanted = self._wanted()
            if wanted <= 0 or not self._is_worth_a_file():
                return
            problem = self._full() or self._begin()
            if problem:
                self._try_later(problem)
                return

    def makes_room(self) -> bool:
        """Some file is being written, and may still become one."""
        since_ns = self._host.now_ns() - self._host.config.spill_stuck_ns
        return any(file.start_ns >= since_ns for file in self.writing.values())

    def _wanted(self) -> int:
        """Bytes to write besides those that are being written."""
        store, cold = self._host.store, self._cold
        used = store.used() - cold.evictable.bytes
        waiting = self._room.wanted()
        if waiting:
            # If there is enough room, it is in pieces: the next object may join two of them.
            return max(1, used + waiting - store.capacity) - self._under_way
        threshold = self._host.config.object_spilling_threshold * store.capacity
        return used - int(threshold) - self._under_way

    def _is_worth_a_file(self) -> bool:
        cold = self._cold
        if cold.spillable.bytes >= self._least():
            return bool(cold.spillable.objects)
        return bool(cold.spillable.objects and self._room.wanted() and not self.writing)

    def _least(self) -> int:
        """Bytes of a file, where there are as many to write."""
        return min(self._host.config.min_spilling_size, self._host.store.capacity // STORE_SHARE)

    def _full(self) -> str:
        limit = self._host.config.local_fs_capacity_threshold
        usage = self._host.disk.usage()
        if usage <= limit:
            return ""
        return f"its disk is {usage:.1%} full (local_fs_capacity_threshold: {limit:.1%})"

    def _begin(self) -> str:
        """One file. Or why there is no room for it."""
        config = self._host.config
        quota = config.object_spilling_quota_bytes
        left = quota - self.bytes_on_disk - self._under_way
        least = self._least()
        batch: list[StoredObject] = []
        size = 0
        for entry in self._cold.spillable.in_turn():
            if quota and size + entry.size > left:
                break
            batch.append(entry)
            size += entry.size
            if size >= least or len(batch) >= config.max_fused_object_count:
                break
        if not batch:
            return f"its spilled files may have {format_size(quota)} (object_spilling_quota_bytes)"
        self._write(batch, size)
        return ""

    def _write(self, batch: list[StoredObject], size: int) -> None:
        self._count += 1
        file = self.writing[self._count] = SpillFile(self._count, size, self._host.now_ns())
        self._under_way += size
        for entry in batch:
            self._cold.spillable.went(entry)
            self._cold.remove(entry)
            entry.writing = True
        places = [(entry.handle, entry.size) for entry in batch]
        done = partial(self._written, file, batch)
        self._host.disk.write(file.number, places, self._host.config.chunk_bytes, done)

    def _written(self, file: SpillFile, batch: list[StoredObject], written: Written) -> None:
        del self.writing[file.number]
        self._under_way -= file.size
        # Of the others, their owners let go meanwhile.
        left = [entry.writing for entry in batch]
        for entry in batch:
            entry.writing = False
        if written.problem:
            kept = [entry for entry, is_left in zip(batch, left, strict=True) if is_left]
            self._cold.spillable.put_back([entry for entry in kept if not entry.pins])
            self._try_later(written.problem)
            return
        self.problem = ""
        self._keep(file, batch, left, written.checksums)
        if file.objects:
            own = self._host.address.node_id
            self.objects_spilled += file.objects
            self.spill_ns += self._host.now_ns() - file.start_ns
            spilled = [entry.object_id for entry in batch]
            self._spans.add(SpanKind.SPILL, file.start_ns, spilled, file.size, count=file.objects)
            self._host.note(ObjectsSpilled(own, file.objects, file.size, file.start_ns))
        self._room.serve()
        self.look()

    def _keep(
        self,
        file: SpillFile,
        batch: list[StoredObject],
        left: list[bool],
        checksums: Sequence[Sequence[int]],
    ) -> None:
        position = 0
        self.files[file.number] = file
        self.bytes_on_disk += file.size
        for entry, is_left, sums in zip(batch, left, checksums, strict=True):
            if is_left:
                entry.on_disk = OnDisk(file, position, sums)
                file.objects += 1
                self.bytes_spilled += entry.size
                if not entry.pins:
                    self._cold.add(entry)
            position += entry.size
        self._delete_unused(file)

    def _try_later(self, problem: str) -> None:
        self.problem = problem
        if not self._waits:
            self._waits = True
            self._host.call_later(self._host.config.spill_retry_ns, self._try_again)

    def _try_again(self) -> None:
        self._waits = False
        self.look()

    # --- what is on disk --------------------------------------------------------------------------

    def forget(self, entry: StoredObject) -> None:
        """Its copy on disk is not needed any more, or no good; nor is one that is being written."""
        entry.writing = False
        on_disk, entry.on_disk = entry.on_disk, None
        if on_disk is not None:
            on_disk.file.objects -= 1
            self._delete_unused(on_disk.file)

    def read_begins(self, file: SpillFile) -> None:
        file.reads += 1

    def read_ended(self, file: SpillFile) -> None:
        file.reads -= 1
        self._delete_unused(file)

    def _delete_unused(self, file: SpillFile) -> None:
        if not file.objects and not file.reads and self.files.pop(file.number, None) is not None:
            self.bytes_on_disk -= file.size
            self._host.disk.delete(file.number)
