"""Memory that one writer and one reader of a compiled graph share. Never who is told of what is there.

The writer makes it, sparse and without a name, and decides which value lies where: places that were
touched last come first. It says beside each value where that is, in the pipe of the reader's inbox; that
system call puts the value's bytes before the word of it. The reader looks at a large value where it lies,
for as long as anything made of it lives, and gives places back in a log at the memory's begin.
"""

import os
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Final, NamedTuple, cast

from raysim_cluster.arena import Allocator, Arena, ArenaAccess

CAPACITY: Final = 128 << 20
"""Bytes for values: 32 of the largest, so that ten may be looked at. Only what is used costs memory."""

LARGEST: Final = 4 << 20
"""Bytes of a value. Ray: `buffer_size_bytes`, 1 MB. Larger ones go through the store."""

VIEWED: Final = 64 << 10
"""From this size on a value is not copied by its reader. Ours: below it that costs more than the copy."""

_LOG: Final = 512
"""Places that may be in use, and that the reader can give back before the writer looks."""

_HEAD: Final = 8 * _LOG


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


class BufferWriter:
    """Raises OSError when no descriptors or no memory are left."""

    def __init__(self) -> None:
        self._arena = Arena.create(_HEAD + CAPACITY)
        self.place = Place.of(self._arena.fd)
        self._access = ArenaAccess(self._arena)
        self._log = self._arena.bytes[:_HEAD].cast("Q")
        self._places = Allocator(CAPACITY)
        self._used = 0
        """Places."""
        self._returned = 0
        """How much of the log was read."""

    def put(self, parts: Sequence[bytes | memoryview], size: int) -> int:
        """Copy a value; where it begins, or -1 when there is no room."""
        self._take_returned()
        at = self._places.take(size) if self._used < _LOG else None
        if at is None:
            return -1
        self._used += 1
        self._access.write(_HEAD + at, parts)
        return at

    def take_back(self, at: int) -> None:
        """The reader was not told of it."""
        self._places.give_back(at)
        self._used -= 1

    def _take_returned(self) -> None:
        log = self._log
        while returned := log[self._returned % _LOG]:
            log[self._returned % _LOG] = 0
            self._returned += 1
            self.take_back(returned - 1)

    def close(self) -> None:
        self._log.release()
        self._arena.close()


class BufferReader:
    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._access = ArenaAccess(arena)
        self._log = arena.bytes[:_HEAD].cast("Q")
        self._numbers = count()
        self._lent: dict[int, int] = {}
        """Places that something here still looks at, and their sizes."""
        self._closed = False

    @classmethod
    def at(cls, place: Place) -> "BufferReader":
        """Raises OSError: the writer's process has ended, or this one has no descriptors left."""
        fd = os.open(place.path(), os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_ino != place.inode:
                raise ProcessLookupError(f"process {place.pid} is another one now")
            return cls(Arena(fd, _HEAD + CAPACITY))
        except OSError:
            os.close(fd)
            raise

    def take(self, at: int, size: int) -> bytes:
        """A view of it, or a copy where it is small, or so much is looked at that the writer needs room."""
        if size < VIEWED or sum(tuple(self._lent.values())) + size > CAPACITY // 2:
            data = bytes(self._arena.bytes[_HEAD + at : _HEAD + at + size])
            self._give_back(at)
            return data
        self._lent[at] = size
        return cast(bytes, self._access.view(_HEAD + at, size, partial(self._unused, at)))

    def _unused(self, at: int) -> None:
        """From any thread, and from the garbage collector."""
        del self._lent[at]
        if not self._closed:
            self._give_back(at)

    def _give_back(self, at: int) -> None:
        # One word, which the writer clears: whatever it finds there is whole.
        self._log[next(self._numbers) % _LOG] = at + 1

    def close(self) -> None:
        """What still looks at a value goes on, and keeps the memory."""
        self._closed = True
        self._log.release()
        self._arena.close()
