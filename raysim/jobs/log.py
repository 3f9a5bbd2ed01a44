"""A job's log: what its entrypoint prints, in files of one size of which the latest two stay. Never what is in it.

Part n begins at byte n * PART_BYTES of what was printed: a reader's offset means the same whatever has gone meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PART_BYTES: Final = 32 << 20
_KEPT: Final = 2


def part(folder: Path, submission_id: str, number: int) -> Path:
    return folder / f"job-driver-{submission_id}-{number:05}.log"


def parts(folder: Path, submission_id: str) -> list[tuple[int, Path]]:
    """Those that are there, by number."""
    found = folder.glob(f"job-driver-{submission_id}-?????.log")
    return sorted((int(path.stem[-5:]), path) for path in found)


class LogWriter:
    def __init__(self, folder: Path, submission_id: str, part_bytes: int = PART_BYTES) -> None:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._id = submission_id
        self._part_bytes = part_bytes
        self._number = 0
        self._room = part_bytes
        self._fd = self._open()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(part(self._folder, self._id, self._number), flags, 0o600)

    def write(self, data: bytes) -> None:
        while data:
            if not self._room:
                self._next()
            written = os.write(self._fd, data[: self._room])
            self._room -= written
            data = data[written:]

    def _next(self) -> None:
        os.close(self._fd)
        self._number += 1
        self._room = self._part_bytes
        self._fd = self._open()
        part(self._folder, self._id, self._number - _KEPT).unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._fd)


def read_log(
    folder: Path,
    submission_id: str,
    offset: int,
    most: int = PART_BYTES,
    part_bytes: int = PART_BYTES,
) -> tuple[bytes, int]:
    """What was printed from `offset` on, or from the first byte that is kept, and where it ends."""
    data = b""
    for number, path in parts(folder, submission_id):
        begin = number * part_bytes
        if offset >= begin + part_bytes or len(data) >= most:
            continue
        offset = max(offset, begin)
        try:
            with path.open("rb") as file:
                file.seek(offset - begin)
                read = file.read(most - len(data))
        except FileNotFoundError:
            continue  # It has made room for the next one.
        data += read
        offset += len(read)
    return data, offset


def delete_log(folder: Path, submission_id: str) -> None:
    for _, path in parts(folder, submission_id):
        path.unlink(missing_ok=True)
