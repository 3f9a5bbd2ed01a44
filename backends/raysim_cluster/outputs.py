"""What a worker prints: into files of its own, and where the driver prints if wanted. Never what the node logs."""

import os
import sys
import threading
from collections.abc import Callable
from functools import partial

from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.prints import Prints, prefix_of
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster.files_of_workers import SUFFIXES, worker_log
from raysim_cluster.rotated import RotatedFile


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
        self._lock = lock = threading.RLock()
        self._prints: list[Prints] = []
        self._files: list[RotatedFile] = []
        config = core_worker.host.config
        for fd, suffix in enumerate(SUFFIXES, start=1):
            path = worker_log(folder, node_id.hex(), worker_id.hex(), os.getpid(), suffix)
            # Made with its first line: most workers print nothing.
            file = RotatedFile(path, config, () if to_driver else (fd,))
            if not to_driver:
                file.open()  # What is not printed by Python goes there, too.
            self._files.append(file)
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

    def look(self) -> None:
        """Whether a file is full: what is not printed by Python is not counted as it is written."""
        if self._lock.acquire(blocking=False):  # Who prints now looks, too.
            try:
                for file in self._files:
                    file.look()
            finally:
                self._lock.release()

    def last_words(self) -> None:
        for prints in self._prints:
            prints.last_words()


def _write(
    file: RotatedFile, driver: Callable[[str], object] | None, prefix: str, text: str
) -> None:
    file.write(text.encode("utf-8", "replace"))
    if driver is not None:
        lines = text.splitlines(keepends=True)
        # One call, so that lines of several processes do not mix.
        driver("".join(prefix + line for line in lines))
