"""What a worker prints: into files of its own, and where the driver prints if wanted. Never what the node logs."""

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.prints import Prints, prefix_of
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster.files_of_workers import SUFFIXES, worker_log


class _File:
    """Made with its first line: most workers print nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def fileno(self) -> int:
        if self._fd < 0:
            # The session's folder is there, or its node has ended and removed it: then nothing may be left behind.
            self._path.parent.mkdir(0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o600)
        return self._fd

    def write(self, text: str) -> None:
        os.write(self.fileno(), text.encode("utf-8", "replace"))


class Outputs:
    """Of this process, from now on."""

    def __init__(
        self,
        core_worker: CoreWorker,
        folder: str,
        node_id: NodeId,
        worker_id: WorkerId,
        to_driver: bool,
        tell: Callable[[bool, str], None] | None = None,
    ) -> None:
        """`to_driver`: this process has the driver's output. `tell`: else, how it gets there, and whether it is an
        error's."""
        # A worker may be killed at any time: what it printed must be out by then.
        lock = threading.RLock()
        self._prints: list[Prints] = []
        for fd, suffix in enumerate(SUFFIXES, start=1):
            path = worker_log(folder, node_id.hex(), worker_id.hex(), os.getpid(), suffix)
            file = _File(path)
            if not to_driver:
                os.dup2(file.fileno(), fd)  # What is not printed by Python goes there, too.
            prefix = partial(prefix_of, core_worker)
            self._prints.append(
                Prints(partial(_write, file, self._way(fd, to_driver, tell)), prefix, lock, fd)
            )
        sys.stdout, sys.stderr = self._prints

    @staticmethod
    def _way(
        fd: int, to_driver: bool, tell: Callable[[bool, str], None] | None
    ) -> Callable[[str], object] | None:
        if to_driver:
            return lambda text: os.write(fd, text.encode("utf-8", "replace"))
        return None if tell is None else partial(tell, fd == 2)

    def last_words(self) -> None:
        for prints in self._prints:
            prints.last_words()


def _write(file: _File, driver: Callable[[str], object] | None, prefix: str, text: str) -> None:
    file.write(text)
    if driver is not None:
        lines = text.splitlines(keepends=True)
        # One call, so that lines of several processes do not mix.
        driver("".join(prefix + line for line in lines))
