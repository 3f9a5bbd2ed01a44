"""Rings of shared memory between one writer and one reader of a compiled graph. Never who is told of what is there.

The writer makes the ring: a memfd, sparse and without a name. It says how far it has written beside each
value, in the pipe of the reader's inbox; that system call puts the value's bytes before the word of it. The
reader says in the ring how far it has taken, so that the writer knows what may be overwritten.
"""

import mmap
import os
from collections.abc import Sequence
from typing import Final, NamedTuple

CAPACITY: Final = 8 << 20
"""Bytes of a ring: eight of the largest values."""

LARGEST: Final = 1 << 20
"""Bytes of a value. Ray: `buffer_size_bytes`. Larger ones go through the store, which their readers need not copy."""

_HEAD: Final = 4096
"""Bytes before the values: how far the reader has taken."""

_ALIGNMENT: Final = 64


class Place(NamedTuple):
    """By which another process of the user finds a descriptor of this one."""

    pid: int
    fd: int
    inode: int

    def path(self) -> str:
        return f"/proc/{self.pid}/fd/{self.fd}"

    @classmethod
    def of(cls, fd: int) -> "Place":
        return cls(os.getpid(), fd, os.fstat(fd).st_ino)


class _Ring:
    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, _HEAD + CAPACITY)
        self._bytes = memoryview(self._map)
        self._taken = self._bytes[:8].cast("Q")

    def close(self) -> None:
        self._taken.release()
        self._bytes.release()
        self._map.close()


class RingWriter(_Ring):
    def __init__(self) -> None:
        self._fd = os.memfd_create("raysim-channel", os.MFD_CLOEXEC)
        try:
            os.ftruncate(self._fd, _HEAD + CAPACITY)
            super().__init__(self._fd)
        except OSError:
            os.close(self._fd)
            raise
        self.place = Place.of(self._fd)
        self._written = 0
        """Where the next value begins, counted from the ring's making."""

    def put(self, parts: Sequence[bytes | memoryview], size: int) -> int:
        """Copy a value; where it begins, or -1 when there is no room. It stays there only if that is followed
        by `keep`."""
        begin = self._written
        if begin % CAPACITY + size > CAPACITY:
            begin += -begin % CAPACITY
        if begin + size - self._taken[0] > CAPACITY:
            return -1
        at = _HEAD + begin % CAPACITY
        for part in parts:
            view = memoryview(part).cast("B") if isinstance(part, memoryview) else part
            end = at + len(view)
            self._bytes[at:end] = view
            at = end
        return begin

    def keep(self, begin: int, size: int) -> None:
        """The reader is told of it."""
        self._written = begin + _aligned(size)

    def close(self) -> None:
        super().close()
        os.close(self._fd)


class RingReader(_Ring):
    @classmethod
    def at(cls, place: Place) -> "RingReader":
        """Raises OSError: the writer's process has ended, or this one has no descriptors left."""
        fd = os.open(place.path(), os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_ino != place.inode:
                raise ProcessLookupError(f"process {place.pid} is another one now")
            return cls(fd)
        finally:
            os.close(fd)

    def take(self, begin: int, size: int) -> bytes:
        at = _HEAD + begin % CAPACITY
        data = bytes(self._bytes[at : at + size])
        self._taken[0] = begin + _aligned(size)
        return data


def _aligned(size: int) -> int:
    return size + -size % _ALIGNMENT
