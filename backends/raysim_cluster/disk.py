"""Spilled files of a node: written and read by threads, while its loop goes on. Never which objects: see spilling.

A file has no name (O_TMPFILE): whatever ends this process, the kernel takes its files with it.
"""

import contextlib
import errno
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from random import Random
from threading import Thread
from typing import Final
from zlib import crc32

from raysim.protocol.disk import PartsRead, Place, Written
from raysim_cluster.arena import Arena
from raysim_cluster.poller import READ, Poller

_MODE: Final = 0o600
_LEAVE_S: Final = 0.5
"""How long the end of the node waits for a thread that is in the middle of a file."""


class NodeDisk:
    """Implements SpillDisk. Answers come through the poller, in the node's own thread."""

    def __init__(
        self, arena: Arena, poller: Poller, directories: Sequence[str], threads: int
    ) -> None:
        self._arena = arena
        self._poller = poller
        self._directories = directories
        self._most = max(1, threads)
        self._files: dict[int, int] = {}
        """Number to descriptor."""
        self._turn = 0
        self._tasks: SimpleQueue[Callable[[], Callable[[], None]] | None] = SimpleQueue()
        self._under_way = 0
        self._threads: list[Thread] = []
        self._answers: deque[Callable[[], None]] = deque()
        self._answered = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = False
        self.full = False
        """A fault has it full."""
        self.factor = 1.0
        """A fault has it so many times slower."""
        poller.watch(self._answered, self._on_answers, READ)

    # --- what the raylet asks ---------------------------------------------------------------------

    def usage(self) -> float:
        """Of the disk with most room."""
        if self.full:
            return 1.0
        return min(map(_usage, self._directories))

    def write(
        self,
        file: int,
        places: Sequence[Place],
        part_bytes: int,
        done: Callable[[Written], None],
    ) -> None:
        self._turn += 1
        first = self._turn % len(self._directories)
        directories = [*self._directories[first:], *self._directories[:first]]

        def work() -> Callable[[], None]:
            fd, written = self._write(directories, places, part_bytes)
            return lambda: self._written(file, fd, written, done)

        self._begin(work)

    def read(
        self,
        file: int,
        position: int,
        size: int,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        fd = self._files[file]

        def work() -> Callable[[], None]:
            data = memoryview(bytearray(size))
            read = self._read(fd, position, data, part_bytes)
            whole = PartsRead(read.checksums, bytes(data), read.problem)
            return lambda: done(whole)

        self._begin(work)

    def fill(
        self,
        file: int,
        position: int,
        place: Place,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        fd = self._files[file]
        handle, size = place

        def work() -> Callable[[], None]:
            read = self._read(fd, position, self._arena.bytes[handle : handle + size], part_bytes)
            return lambda: done(read)

        self._begin(work)

    def delete(self, file: int) -> None:
        fd = self._files.pop(file)

        def work() -> Callable[[], None]:
            os.close(fd)  # Which gives its blocks back: slow for a large file.
            return _nothing

        self._begin(work)

    def spoil(self, rng: Random, lose: bool) -> str:
        """For faults: one file is empty from now on, or has a wrong byte. Which, for people; empty: there is none."""
        numbers = [number for number, fd in self._files.items() if os.fstat(fd).st_size]
        if not numbers:
            return ""
        number = rng.choice(numbers)
        fd = self._files[number]
        if lose:
            os.ftruncate(fd, 0)
            return f"file {number}"
        position = rng.randrange(os.fstat(fd).st_size)
        (byte,) = os.pread(fd, 1, position)
        os.pwrite(fd, bytes([byte ^ 0xFF]), position)
        return f"byte {position} of file {number}"

    def close(self) -> None:
        """The node ends: nothing is answered any more."""
        self._closing = True
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(_LEAVE_S)
        self._poller.forget(self._answered)

    # --- threads ----------------------------------------------------------------------------------

    def _begin(self, work: Callable[[], Callable[[], None]]) -> None:
        self._under_way += 1
        if len(self._threads) < min(self._most, self._under_way):
            thread = Thread(target=self._run, name="raysim-disk", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._tasks.put(work)

    def _run(self) -> None:
        while (work := self._tasks.get()) is not None and not self._closing:
            begun = time.monotonic()
            answer = work()
            if self.factor > 1:
                time.sleep((self.factor - 1) * (time.monotonic() - begun))
            self._answers.append(answer)
            os.eventfd_write(self._answered, 1)

    def _on_answers(self, _mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._answered)
        while self._answers:
            self._under_way -= 1
            self._answers.popleft()()

    def _write(
        self, directories: Sequence[str], places: Sequence[Place], part_bytes: int
    ) -> tuple[int, Written]:
        """The descriptor of the file (-1: none), and what is told of it. The first folder that takes it counts."""
        problems = []
        for directory in directories:
            if self.full:
                problems.append(f"{directory}: {os.strerror(errno.ENOSPC)}")
                continue
            try:
                fd = _create(directory)
            except OSError as error:
                problems.append(f"{directory}: {error.strerror}")
                continue
            try:
                return fd, Written([self._copy(fd, place, part_bytes) for place in places])
            except OSError as error:
                os.close(fd)
                problems.append(f"{directory}: {error.strerror}")
        logging.getLogger(__name__).warning("cannot spill: %s", "; ".join(problems))
        return -1, Written(problem="; ".join(problems))

    def _written(
        self, file: int, fd: int, written: Written, done: Callable[[Written], None]
    ) -> None:
        if fd >= 0:
            self._files[file] = fd
        done(written)

    def _copy(self, fd: int, place: Place, part_bytes: int) -> list[int]:
        handle, size = place
        sums = []
        for start in range(handle, handle + size, part_bytes):
            part = self._arena.bytes[start : min(start + part_bytes, handle + size)]
            sums.append(crc32(part))
            while part and not self._closing:
                part = part[os.write(fd, part) :]
        return sums

    def _read(self, fd: int, position: int, into: memoryview, part_bytes: int) -> PartsRead:
        sums = []
        for start in range(0, len(into), part_bytes):
            part = left = into[start : start + part_bytes]
            while left and not self._closing:
                try:
                    count = os.preadv(fd, [left], position)
                except OSError as error:
                    return PartsRead(problem=error.strerror or repr(error))
                if not count:
                    return PartsRead(problem=f"the file ends at byte {position}")
                left = left[count:]
                position += count
            sums.append(crc32(part))
        return PartsRead(sums)


def temporary_folder() -> Path:
    """Not `tempfile.gettempdir`: it tries the folder with a file, which a SIGKILL just then leaves there."""
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108  (each session has a folder of its own)


def make_folders(directories: Sequence[str]) -> list[str]:
    """Those that were missing. Raises ValueError for one in which nothing can be written."""
    made = []
    for directory in directories:
        try:
            if not os.path.isdir(directory):
                os.makedirs(directory, 0o700)
                made.append(directory)
            os.close(_create(directory))
        except OSError as error:
            remove_folders(made)
            raise ValueError(
                f"No object can be spilled to {directory!r}: {error.strerror}. Name a folder that can be "
                "written to with object_spilling_directory, or none for the session's own."
            ) from error
    return made


def remove_folders(made: Sequence[str]) -> None:
    """Of `make_folders`, but those in which something else is by now."""
    for directory in made:
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def _nothing() -> None:
    pass


def _create(directory: str) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(directory, flags | os.O_TMPFILE, _MODE)
    except OSError:
        # Some file systems have no nameless files.
        path = os.path.join(directory, f"raysim-spilled-{os.getpid()}-{os.urandom(6).hex()}")
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
        os.unlink(path)
        return fd


def _usage(directory: str) -> float:
    """1 for one that cannot be asked: nothing can be written there."""
    try:
        seen = os.statvfs(directory)
    except OSError:
        return 1.0
    there = seen.f_blocks - seen.f_bfree + seen.f_bavail
    return 1 - seen.f_bavail / there if there else 1.0
