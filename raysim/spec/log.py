"""A part of a log file, and what the files of workers are called. Never who reads one."""

from typing import NamedTuple


class LogPart(NamedTuple):
    """Bytes of a file from `offset` on; all sizes in bytes."""

    data: bytes
    offset: int
    size: int
    """Of the file."""

    @property
    def end(self) -> int:
        """Where the next part begins."""
        return self.offset + len(self.data)


def worker_file(worker_id: str, pid: int, suffix: str) -> str:
    """What a worker prints on `out` or `err` is in the file of this name. The id in hex."""
    return f"worker-{worker_id}-{pid}.{suffix}"


def start_of(offset: int, size: int) -> int:
    """Where in a file of this size the part at `offset` begins, which counts from the end where it is negative."""
    return offset if offset >= 0 else max(0, size + offset)
