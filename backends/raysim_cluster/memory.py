"""What the node's machine and its workers use of memory, told to the raylet now and then. Never what follows from it.

In a container its limit counts, if that is less than the machine has (Ray: `memory_monitor.cc`).
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from raysim.config import Config
from raysim.protocol.raylet.memory_monitor import MemoryUsage
from raysim_cluster.linux import MEMINFO, text_of, there_and_available

_V2: Final = ("memory.max", "memory.current", "inactive_file")
_V1: Final = (
    "memory/memory.limit_in_bytes",
    "memory/memory.usage_in_bytes",
    "total_inactive_file",
)
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_GROUPS: Final = Path("/sys/fs/cgroup")


class Gauge:
    """Of one node. `pids`: of its workers by their tokens."""

    def __init__(self, config: Config, pids: Callable[[], dict[int, int]]) -> None:
        self._limit = config.memory_limit_bytes
        self._pids = pids
        self.pressed = False
        """A fault has all memory used."""

    def read(self) -> MemoryUsage:
        if self._limit:
            used, total = sum(map(alone, self._pids().values())), self._limit
        else:
            used, total = of_machine()
        if self.pressed:
            used = total
        return MemoryUsage(used, total, lambda token: alone(self._pids().get(token, 0)))


def of_machine() -> tuple[int, int]:
    """Bytes used, and there: of the container, where that has a limit of its own."""
    total, available = there_and_available(MEMINFO)
    return of_container(_GROUPS, total) or (total - available, total)


def of_container(groups: Path, there: int) -> tuple[int, int] | None:
    """None where the cgroup sets no limit below what is there. Files that can be dropped count as free."""
    for limit_name, used_name, inactive in (_V2, _V1):
        limit = _number(f"{groups}/{limit_name}")
        if limit is None:
            continue
        used = _number(f"{groups}/{used_name}")
        if used is None or limit >= there:
            return None
        stat = f"{groups}/{used_name.rpartition('/')[0]}/memory.stat"
        return used - _field(stat, inactive), limit
    return None


def alone(pid: int) -> int:
    """Bytes that a process uses and shares with no other by a mapping; 0 for one that is gone."""
    fields = text_of(f"/proc/{pid}/statm").split() if pid else []
    return max(0, int(fields[1]) - int(fields[2])) * _PAGE if fields else 0


def _number(path: str) -> int | None:
    """None where there is no such file, and for `max`."""
    text = text_of(path).strip()
    return int(text) if text.isdigit() else None


def _field(path: str, name: str) -> int:
    lines = text_of(path).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
