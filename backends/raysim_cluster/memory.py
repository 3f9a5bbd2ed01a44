"""What the node's machine and its workers use of memory, told to the raylet now and then. Never what follows from it.

In a container its limit counts, if that is less than the machine has (Ray: `memory_monitor.cc`).
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from raysim.config import Config
from raysim.protocol.raylet.memory_monitor import MemoryUsage

_V2: Final = ("memory.max", "memory.current", "inactive_file")
_V1: Final = (
    "memory/memory.limit_in_bytes",
    "memory/memory.usage_in_bytes",
    "total_inactive_file",
)
_GROUPS: Final = Path("/sys/fs/cgroup")
_MEMINFO: Final = "/proc/meminfo"
_MOST_BYTES: Final = 1 << 16


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
    total, available = there_and_available(_MEMINFO)
    return of_container(_GROUPS, total) or (total - available, total)


def there_and_available(meminfo: str) -> tuple[int, int]:
    """Bytes, of the kernel's own words. Four times a second: psutil takes six times as long for them."""
    found: dict[str, int] = {}
    for line in _text(meminfo).split("\n", 4)[:4]:
        name, _, kilobytes = line.partition(":")
        found[name] = int(kilobytes.split()[0]) << 10
    return found["MemTotal"], found["MemAvailable"]


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
    import psutil  # Here: 15 ms, which the start of a node does not wait for.

    try:
        memory = psutil.Process(pid).memory_info() if pid else None
    except psutil.NoSuchProcess:
        return 0
    return max(0, memory.rss - memory.shared) if memory is not None else 0


def _number(path: str) -> int | None:
    """None where there is no such file, and for `max`."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _field(path: str, name: str) -> int:
    lines = _text(path).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)


def _text(path: str) -> str:
    """Empty where there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, _MOST_BYTES).decode()
    except OSError:
        return ""
    finally:
        os.close(fd)
