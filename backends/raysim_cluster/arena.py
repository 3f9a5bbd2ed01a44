"""A node's shared memory: one memfd that all its processes map. Never decides which object stays.

The file is sparse: a place costs memory from its first write on, and keeps it when it is given
back, so that the next object of its size finds touched pages. The memfd has no name and goes with
the last process that has it.
"""

import ctypes
import mmap
import os
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import Any, Final, cast
from weakref import ref

ALIGNMENT: Final = 64
"""Bytes: a cache line, and what numpy and Arrow like."""

_PAD_BYTES: Final = 2 << 20
"""Mapped behind the last place: a view's type is of a size class and may reach beyond its place."""

_CLASSED_BYTES: Final = 1 << 20
"""Views up to this size use a cached ctypes type; above it, making one (6 us) is lost in the noise."""

_PWRITE_BYTES: Final = 1 << 20
"""From this size on, bytes for pages that this process never touched are written by pwrite."""

_REGION_BYTES: Final = 1 << 20
"""How finely is remembered what was touched."""


class Allocator:
    """Places in `capacity` bytes: best fit, among equals the last one freed, neighbours merged."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity - capacity % ALIGNMENT
        self.used = 0
        self._taken: dict[int, int] = {}
        """Offset to size."""
        self._starts: dict[int, int] = {}
        """Offset of a hole to its size."""
        self._ends: dict[int, int] = {}
        """End of a hole to its offset."""
        self._holes: dict[int, dict[int, None]] = {}
        """Size to the offsets of its holes, in order of freeing."""
        self._sizes: list[int] = []
        """Sizes that have holes, ascending."""
        if self.capacity:
            self._add_hole(0, self.capacity)

    def take(self, size: int) -> int | None:
        """The offset of a free place, or None when no hole is large enough."""
        size = max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
        index = bisect_left(self._sizes, size)
        if index == len(self._sizes):
            return None
        hole = self._sizes[index]
        offset = next(reversed(self._holes[hole]))
        self._remove_hole(offset, hole)
        if hole > size:
            self._add_hole(offset + size, hole - size)
        self._taken[offset] = size
        self.used += size
        return offset

    def give_back(self, offset: int) -> None:
        size = self._taken.pop(offset)
        self.used -= size
        before = self._ends.get(offset)
        if before is not None:
            length = offset - before
            self._remove_hole(before, length)
            offset, size = before, size + length
        behind = self._starts.get(offset + size)
        if behind is not None:
            self._remove_hole(offset + size, behind)
            size += behind
        self._add_hole(offset, size)

    def size_of(self, offset: int) -> int:
        return self._taken[offset]

    def holes(self) -> list[tuple[int, int]]:
        """Offset and size of each, by offset."""
        return sorted(self._starts.items())

    def _add_hole(self, offset: int, size: int) -> None:
        self._starts[offset] = size
        self._ends[offset + size] = offset
        same = self._holes.get(size)
        if same is None:
            self._holes[size] = {offset: None}
            insort(self._sizes, size)
        else:
            same[offset] = None

    def _remove_hole(self, offset: int, size: int) -> None:
        del self._starts[offset]
        del self._ends[offset + size]
        same = self._holes[size]
        del same[offset]
        if not same:
            del self._holes[size]
            del self._sizes[bisect_left(self._sizes, size)]


class Arena:
    """The shared memory itself, mapped into this process."""

    def __init__(self, fd: int, capacity: int) -> None:
        self.fd = fd
        self.capacity = capacity
        self.map = mmap.mmap(fd, capacity + _PAD_BYTES)
        self.bytes = memoryview(self.map)

    @classmethod
    def create(cls, capacity: int) -> "Arena":
        fd = os.memfd_create("raysim-arena", os.MFD_CLOEXEC)
        os.ftruncate(fd, capacity + _PAD_BYTES)
        return cls(fd, capacity)

    def close(self) -> None:
        """Views that somebody still holds stay valid, and keep the memory until they are gone."""
        os.close(self.fd)
        self.bytes.release()
        try:
            self.map.close()
        except BufferError:
            del self.map  # The views have it.


class Writer:
    """Copies bytes into the arena, in the way that is faster for pages this process has touched, or not."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._touched = bytearray(arena.capacity // _REGION_BYTES + 2)
        """For each region, whether this process wrote to it before."""

    def copy(self, position: int, data: memoryview) -> None:
        """`data`: flat bytes."""
        end = position + len(data)
        if len(data) < _PWRITE_BYTES or self._knows(position, end):
            self._arena.bytes[position:end] = data
            return
        while position < end:
            # The kernel fills new pages without zeroing and without a fault for each.
            position += os.pwrite(self._arena.fd, data[len(data) - (end - position) :], position)

    def _knows(self, position: int, end: int) -> bool:
        first, last = position // _REGION_BYTES, end // _REGION_BYTES + 1
        known = self._touched.find(0, first, last) < 0
        if not known:
            self._touched[first:last] = b"\1" * (last - first)
        return known


class ArenaStore:
    """The ObjectStore of a raylet. A handle is an offset in the arena."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._writer = Writer(arena)
        self._places = Allocator(arena.capacity)
        self.capacity = self._places.capacity
        self.limit = self.capacity
        """Less where a fault has it full."""

    def create(self, size: int) -> int | None:
        if self._places.used + size > self.limit:
            return None
        return self._places.take(size)

    def delete(self, handle: int) -> None:
        self._places.give_back(handle)

    def write_chunk(self, handle: int, offset: int, data: bytes, length: int) -> None:
        if data:
            self._writer.copy(handle + offset, memoryview(data))

    def read_chunk(self, handle: int, offset: int, length: int) -> bytes:
        """Not a copy: the transport reads the arena itself, before this turn ends."""
        start = handle + offset
        return cast(bytes, self._arena.bytes[start : start + length].toreadonly())

    def used(self) -> int:
        return self._places.used


class _Pin(ref[Any]):
    """Tells when nothing refers to a view's memory any more."""

    __slots__ = ("number", "released")

    number: int
    released: Callable[[], None]


_types: dict[int, Any] = {}


def _type_for(size: int) -> Any:
    """A ctypes array type of at least `size` bytes: eight classes for each power of two."""
    if size > _CLASSED_BYTES:
        return ctypes.c_char * size
    step = max(ALIGNMENT, 1 << max(0, size.bit_length() - 4))
    size = -(-size // step) * step
    kind = _types.get(size)
    if kind is None:
        kind = _types[size] = ctypes.c_char * size
    return kind


class ArenaAccess:
    """The StoreAccess of a driver or worker: writes into lent places, views of pinned ones."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._pins: dict[int, _Pin] = {}
        """Alive until their views are gone: a weak reference that dies first tells nobody."""
        self._count = 0
        self._writer = Writer(arena)

    def write(self, handle: int, parts: Sequence[bytes | memoryview]) -> None:
        position = handle
        for part in parts:
            view = memoryview(part)
            if view.nbytes:
                self._writer.copy(position, view if _is_flat(view) else view.cast("B"))
                position += view.nbytes

    def view(self, handle: int, size: int, released: Callable[[], None]) -> memoryview:
        buffer = _type_for(size).from_buffer(self._arena.map, handle)
        pin = _Pin(buffer, self._unpinned)
        pin.released = released
        self._count = pin.number = self._count + 1
        self._pins[pin.number] = pin
        return memoryview(buffer).cast("B")[:size].toreadonly()

    def _unpinned(self, pin: _Pin) -> None:
        del self._pins[pin.number]
        pin.released()


def _is_flat(view: memoryview) -> bool:
    return view.ndim == 1 and view.format == "B"
