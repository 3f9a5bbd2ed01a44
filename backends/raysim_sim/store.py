"""The object store of a simulated node: capacity in bytes, and the bytes where there are any. Never evicts.

Synthetic objects have a size and no bytes. Real ones are kept once a node; views share them.
"""

from collections.abc import Callable, Collection, Sequence
from ctypes import c_char
from typing import Any
from weakref import ref


class SimObjectStore:
    """Implements ObjectStore (the raylet's side) and StoreAccess (the side of user code)."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.limits: list[int] = []
        """Faults have it full at so many bytes; the least counts."""
        self._sizes: dict[int, int] = {}
        self._bytes: dict[int, bytearray] = {}
        self._used = 0
        self._next = 0
        self._views: dict[int, _View] = {}

    # --- the raylet's side ---

    def create(self, size: int) -> int | None:
        if self._used + size > self.capacity or (
            self.limits and self._used + size > min(self.limits)
        ):
            return None
        self._next = handle = self._next + 1
        self._sizes[handle] = size
        self._used += size
        return handle

    def delete(self, handle: int) -> None:
        self._used -= self._sizes.pop(handle)
        # A view that is still out keeps the bytes alive by itself.
        self._bytes.pop(handle, None)

    def write_chunk(self, handle: int, offset: int, data: bytes, length: int) -> None:
        size = self._sizes[handle]
        assert offset + length <= size, (
            f"chunk {offset}+{length} ends behind the object's {size} bytes"
        )
        if not data:
            return
        assert len(data) == length, f"a chunk of {length} bytes came with {len(data)}"
        place = self._bytes.get(handle)
        if place is None:
            if length == size:
                self._bytes[handle] = bytearray(data)
                return
            place = self._bytes[handle] = bytearray(size)
        memoryview(place)[offset : offset + length] = data

    def read_chunk(self, handle: int, offset: int, length: int) -> Any:
        """A view of it: what is stored never changes, and stays for as long as somebody looks at it."""
        place = self._bytes.get(handle)
        return b"" if place is None else memoryview(place)[offset : offset + length]

    def content(self, handle: int) -> bytearray | None:
        """None where there is a size only."""
        return self._bytes.get(handle)

    def handles(self) -> Collection[int]:
        """Of all places that are handed out."""
        return self._sizes.keys()

    def used(self) -> int:
        return self._used

    # --- the side of user code ---

    def write(self, handle: int, parts: Sequence[bytes | memoryview]) -> None:
        place = bytearray().join(parts)
        size = self._sizes[handle]
        assert len(place) <= size, f"{len(place)} bytes do not fit into the lent {size}"
        if place:
            self._bytes[handle] = place

    def view(self, handle: int, size: int, released: Callable[[], None]) -> memoryview:
        """Empty for a synthetic object."""
        place = self._bytes.get(handle)
        length = 0 if place is None else size
        # An object that can be watched must stand between the view and the bytes; ctypes has the only one
        # that exports a buffer. Its type may not have length 0.
        kind = c_char * (length or 1)
        exporter = kind.from_buffer(place) if place is not None and length else kind()
        view = _View(exporter, _gone)
        view.released = released
        view.views = self._views
        self._views[id(view)] = view
        return memoryview(exporter).toreadonly().cast("B")[:length]


class _View(ref[Any]):
    """Tells once when the last thing made from a view is gone."""

    __slots__ = ("released", "views")
    released: Callable[[], None]
    views: "dict[int, _View]"


def _gone(view: "_View") -> None:
    del view.views[id(view)]
    view.released()
