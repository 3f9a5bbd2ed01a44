"""Where what workers print lies, and for how long. Never writes it: see outputs.py."""

import os
from collections import deque
from pathlib import Path
from typing import Final

from raysim.spec.ids import NodeId
from raysim.spec.log import worker_file
from raysim_cluster.rotated import parts, remove

SUFFIXES: Final = ("out", "err")
"""Of standard output and standard error. Ray's."""

KEPT: Final = 1_000
"""Files with something in them, the latest, each with what was put aside of it."""

TOGETHER: Final = 32
"""Ended workers for which the folder is read once."""


def worker_logs(folder: str | Path, node_id: str) -> Path:
    """The folder of a node, whose id is in hex, for what its workers print."""
    return Path(folder, f"node-{node_id[:12]}")


def worker_log(folder: str | Path, node_id: str, worker_id: str, pid: int, suffix: str) -> Path:
    """The file of a worker, ids in hex."""
    return worker_logs(folder, node_id) / worker_file(worker_id, pid, suffix)


class PastOutputs:
    """Removes the files of a node's workers that have ended: empty ones, and of the others all but the latest."""

    def __init__(self, folder: str, node_id: NodeId) -> None:
        self._folder = worker_logs(folder, node_id.hex())
        self._ended: set[str] = set()
        """How the names of their files end, as far as they have not been looked for."""
        self._kept: deque[Path] = deque()

    def add(self, pid: int) -> None:
        """This worker has ended."""
        self._ended |= {f"-{pid}.{suffix}" for suffix in SUFFIXES}
        if len(self._ended) >= TOGETHER * len(SUFFIXES):
            self._tidy()

    def _tidy(self) -> None:
        ended, self._ended = self._ended, set()
        if not self._folder.is_dir():
            return
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name[entry.name.rfind("-") :] in ended:
                    status = entry.stat()
                    found.append((status.st_size, status.st_mtime_ns, Path(entry.path)))
        for size, _, path in sorted(found, key=lambda one: one[1]):
            if size or parts(path):
                self._kept.append(path)
            else:
                path.unlink(missing_ok=True)
        while len(self._kept) > KEPT:
            remove(self._kept.popleft())
