"""A log in files of bounded size: the one that is written, and the latest of those that were full. Never what is in it.

A full file is called `NAME.BEGIN-END` from then on, by where it begins and ends in all that was ever written. So a
reader's offset means the same whatever has been rotated, or removed, meanwhile.
"""

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from raysim.config import Config
from raysim.spec.log import LogPart, start_of

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_SPAN: Final = re.compile(r"(\d+)-(\d+)")
_TRIES: Final = 100


class Part(NamedTuple):
    """A full one."""

    begin: int
    end: int
    path: Path


class RotatedFile:
    """For one process, and those that it forks. It is made when it is first written to.

    `descriptors`: of this process, which are this file, too. Several threads take turns: see to that.
    """

    def __init__(self, path: Path, config: Config, descriptors: Sequence[int] = ()) -> None:
        self._path = path
        self._most = config.rotation_max_bytes
        self._kept = max(1, config.rotation_backup_count)
        self._descriptors = descriptors
        self._owner = os.getpid()
        self._begin = 0
        self._fd = -1

    def open(self) -> None:
        """Go on where an earlier process has ended."""
        # The session's folder is there, or its node has ended and removed it: then nothing may be left behind.
        self._path.parent.mkdir(0o700, exist_ok=True)
        full = parts(self._path)
        if full:
            self._begin = full[-1].end
            if self._path.exists() and self._path.samefile(full[-1].path):
                self._path.unlink()  # That process was killed while it rotated.
        self._use(os.open(self._path, _FLAGS, 0o600))

    def write(self, data: bytes) -> None:
        if self._fd < 0:
            self.open()
        elif os.getpid() != self._owner:
            self._follow()
        while data:
            data = data[os.write(self._fd, data) :]
        self.look()

    def look(self) -> None:
        """Rotate it if it is full, whoever has written to it."""
        if self._fd < 0 or not self._most or os.getpid() != self._owner:
            return
        if os.fstat(self._fd).st_size >= self._most:
            self._rotate()

    def _rotate(self) -> None:
        path, old = self._path, self._fd
        following = path.with_name(f"{path.name}.new")
        new = os.open(following, _FLAGS | os.O_TRUNC, 0o600)
        self._use(new)
        # From now on nobody here writes to the old one, which has its size for good.
        end = self._begin + os.fstat(old).st_size
        aside = path.with_name(f"{path.name}.{self._begin}-{end}")
        try:
            os.link(path, aside)
            following.rename(path)
        except OSError:
            aside.unlink(missing_ok=True)
            self._use(old)
            os.close(new)
            raise
        os.close(old)
        self._begin = end
        for part in parts(path)[: -self._kept]:
            part.path.unlink(missing_ok=True)

    def _follow(self) -> None:
        """In a fork: where the process that it was forked from has rotated the file."""
        try:
            seen = os.stat(self._path)
        except FileNotFoundError:
            return  # With the session's folder.
        if not os.path.samestat(seen, os.fstat(self._fd)):
            old = self._fd
            self._use(os.open(self._path, _FLAGS, 0o600))
            os.close(old)

    def _use(self, fd: int) -> None:
        self._fd = fd
        for descriptor in self._descriptors:
            os.dup2(fd, descriptor)


class LogHandler(logging.StreamHandler):  # type: ignore[type-arg]  # Of whatever standard error is.
    """Writes to standard error, which is that file."""

    def __init__(self, file: RotatedFile) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        try:
            self._file.look()
        except OSError:  # The disk is full, say: what the process is there for goes on.
            self.handleError(record)


def log_to(path: Path, config: Config) -> None:
    """This process's own log: what it logs and prints from now on."""
    file = RotatedFile(path, config, (1, 2))
    file.open()
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[LogHandler(file)],
    )


def parts(path: Path) -> list[Part]:
    """The full ones that are there, from the oldest on."""
    return sorted(
        Part(int(span[1]), int(span[2]), other)
        for other in path.parent.glob(f"{path.name}.*")
        if (span := _SPAN.fullmatch(other.name.removeprefix(f"{path.name}.")))
    )


def remove(path: Path) -> None:
    """With all that was put aside."""
    for part in parts(path):
        part.path.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def read(path: Path, offset: int, limit: int) -> LogPart:
    """At most `limit` bytes of what was written from `offset` on, or from the first byte that is kept; a negative one
    counts from the end. Sizes are those of all that was ever written.

    Raises FileNotFoundError where nothing was written.
    """
    for _ in range(_TRIES):
        full = parts(path)
        with path.open("rb") as current:
            about = os.fstat(current.fileno())
            if parts(path) != full or (full and _is(full[-1].path, about)):
                continue  # It is being rotated.
            begin = full[-1].end if full else 0
            size = begin + about.st_size
            start = start_of(offset, size)
            if start >= begin:
                return LogPart(os.pread(current.fileno(), limit, start - begin), start, size)
        part = next(part for part in full if start < part.end)
        start = max(start, part.begin)
        try:
            with part.path.open("rb") as file:
                most = min(limit, part.end - start)
                return LogPart(os.pread(file.fileno(), most, start - part.begin), start, size)
        except FileNotFoundError:
            continue  # It has made room for another one.
    # Somebody was killed while he rotated it, or writes faster than one can look.
    return LogPart(b"", max(0, offset), max(0, offset))


def _is(path: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), about)
    except FileNotFoundError:
        return False
