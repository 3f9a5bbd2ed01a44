"""The log of a node's process, or of the GCS: of bounded size, with the part before it. Never what workers print."""

import logging
import os
from pathlib import Path
from typing import Final

PART_BYTES: Final = 32 << 20
"""Of one file; there are two at most."""

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to(path: Path, part_bytes: int = PART_BYTES) -> None:
    """What this process logs and prints from now on."""
    handler = _OwnLog(path, part_bytes)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _OwnLog(logging.Handler):
    def __init__(self, path: Path, part_bytes: int) -> None:
        super().__init__()
        self._path = path
        self._part_bytes = part_bytes
        self._open()

    def _open(self) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.close(fd)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if os.fstat(2).st_size >= self._part_bytes:
                self._path.replace(before(self._path))
                self._open()
            os.write(2, (self.format(record) + "\n").encode("utf-8", "replace"))
        except OSError:  # The disk is full, say: what the process is there for goes on.
            self.handleError(record)


def before(path: Path) -> Path:
    """The file with what was logged before."""
    return path.with_suffix(f".old{path.suffix}")
