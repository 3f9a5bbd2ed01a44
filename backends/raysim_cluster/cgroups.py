"""A node's cgroups (Linux, version 2): one for its own processes, one for its workers. Never says how much each gets.

Made by the driver before the node starts, and removed by it when all of the node's processes have ended. A cgroup
that has processes cannot have children with limits: so each of the two has one below it that does.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from raysim.spec.isolation import WEIGHTS, Isolation

CONTROLLERS: Final = ("cpu", "memory")
_PROCESSES: Final = "cgroup.procs"
_DELEGATED: Final = "cgroup.subtree_control"


class NoCgroupsError(RuntimeError):
    """This machine does not let us."""


class NodeCgroups:
    """`node`, `node/system/leaf` and `node/workers/leaf` below the path that was given."""

    def __init__(self, isolation: Isolation, name: str) -> None:
        self._base = Path(isolation.cgroup_path)
        self._isolation = isolation
        self._node = self._base / f"raysim_{name}"
        self.system = self._node / "system" / "leaf"
        self.workers = self._node / "workers" / "leaf"

    def create(self) -> None:
        """Raises NoCgroupsError."""
        self._check()
        try:
            for leaf in (self.system, self.workers):
                leaf.mkdir(parents=True)
            for folder in (self._base, self._node):
                enable(folder)
            self._limit()
        except OSError as error:
            self.remove()
            raise NoCgroupsError(_ADVICE.format(f"{error.filename}: {error.strerror}")) from error

    def remove(self) -> None:
        """Harmless where something still runs there, or nothing was made."""
        for folder in (
            self.system,
            self.workers,
            self.system.parent,
            self.workers.parent,
            self._node,
        ):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _check(self) -> None:
        controllers = self._base / "cgroup.controllers"
        if not controllers.is_file():
            raise NoCgroupsError(_ADVICE.format(f"{self._base} is no cgroup of version 2"))
        there = controllers.read_text().split()
        missing = [name for name in CONTROLLERS if name not in there]
        if missing:
            raise NoCgroupsError(
                _ADVICE.format(f"{self._base} does not have the controllers {', '.join(missing)}")
            )
        if not os.access(self._base, os.R_OK | os.W_OK | os.X_OK):
            raise NoCgroupsError(_ADVICE.format(f"{self._base} cannot be written to"))

    def _limit(self) -> None:
        mine = self._isolation
        (self.system.parent / "cpu.weight").write_text(str(mine.cpu_weight))
        (self.system.parent / "memory.min").write_text(str(mine.memory_bytes))
        (self.workers.parent / "cpu.weight").write_text(str(max(1, WEIGHTS - mine.cpu_weight)))


_ADVICE: Final = (
    "Resource isolation cannot be enabled: {}. It needs a cgroup of version 2 that this user may write to, with "
    "the controllers cpu and memory (systemd: Delegate=yes; containers: a writable /sys/fs/cgroup). Give its "
    "path as cgroup_path, or leave enable_resource_isolation out."
)


def enable(folder: Path) -> None:
    """Children of this cgroup may have limits. Raises OSError."""
    (folder / _DELEGATED).write_text(" ".join(f"+{name}" for name in CONTROLLERS))


def enter(leaf: str | Path, pid: int) -> None:
    """Put a process there, and what it starts from now on. Raises OSError."""
    (Path(leaf) / _PROCESSES).write_text(str(pid))
