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
from typing import Any, Final
from weakref import ref

ALIGNMENT: Final = 64
"""Bytes: a cache line, and what numpy and Arrow like."""

_PAD_BYTES: Final = 2 << 20
"""Mapped behind the last place: a view's type is of a size class and may reach beyond its place."""

_CLASSED_BYTES: Final = 1 << 20
"""Views up to this size use a cached ctypes type; above it, making one (6 us) is lost in the noise."""

_PWRITE_BYTES: Final = 4 << 20
"""Parts from this size on go into pages never touched by pwrite, which faults them in in the kernel."""


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
        """Views that somebody still holds stay valid."""
        os.close(self.fd)
        self.bytes.release()


class ArenaStore:
    """The ObjectStore of a raylet. A handle is an offset in the arena."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._places = Allocator(arena.capacity)
        self.capacity = self._places.capacity

    def create(self, size: int) -> int | None:
        return self._places.take(size)

    def delete(self, handle: int) -> None:
        self._places.give_back(handle)

    def write_chunk(self, handle: int, offset: int, data: bytes, length: int) -> None:
        if data:
            start = handle + offset
            self._arena.bytes[start : start + length] = data

    def read_chunk(self, handle: int, offset: int, length: int) -> bytes:
        start = handle + offset
        return bytes(self._arena.bytes[start : start + length])

    def used(self) -> int:
        return self._places.used


class _Pin(ref):  # type: ignore[type-arg]
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
        self._touched = 0
        """Bytes below this offset were written by this process before."""

    def write(self, handle: int, parts: Sequence[bytes | memoryview]) -> None:
        position = handle
        target = self._arena.bytes
        for part in parts:
            view = memoryview(part)
            size = view.nbytes
            if size == 0:
                continue
            end = position + size
            if size >= _PWRITE_BYTES and end > self._touched:
                self._pwrite(view.cast("B") if view.format != "B" else view, position)
            else:
                target[position:end] = (
                    view.cast("B") if view.ndim != 1 or view.format != "B" else view
                )
            position = end
        self._touched = max(self._touched, position)

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

    def _pwrite(self, view: memoryview, position: int) -> None:
        done = 0
        while done < len(view):
            done += os.pwrite(self._arena.fd, view[done:], position + done)
