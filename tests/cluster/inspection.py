"""What is still there of a cluster of processes: read from /proc, never asked of the cluster."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raysim_cluster.driver import DriverHost

_GONE_SECONDS = 2.0
"""The promise: so long after the end nothing is left."""


def processes_of(session_id: str) -> list[int]:
    """Live processes of this session: its name is in the command line of each node process and its forks."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _belongs(entry, session_id)
    ]


def _belongs(process: Path, session_id: str) -> bool:
    try:
        if session_id.encode() not in (process / "cmdline").read_bytes():
            return False
        # A zombie holds nothing; it waits for init.
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sockets_of(session_id: str) -> list[str]:
    table = Path("/proc/net/unix").read_text()
    return [line for line in table.splitlines() if f"raysim-{session_id}" in line]


def leftovers(info: dict[str, Any]) -> list[str]:
    """What is still there of a cluster, in words."""
    session_id = info["session_id"]
    left = [f"process {pid}" for pid in processes_of(session_id)]
    left += [f"socket {line}" for line in sockets_of(session_id)]
    if Path(info["session_dir"]).exists():
        left.append(f"folder {info['session_dir']}")
    left += [f"shared memory {name}" for name in os.listdir("/dev/shm") if session_id in name]
    return left


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it came true in time: real processes cannot be told to hurry.

    `seconds`: of a machine that has nothing else to do. Each process that wants to run takes its share.
    """
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds * (1 + os.getloadavg()[0] / (os.cpu_count() or 1)):
            return False
        time.sleep(0.01)
    return True


def interrupt_when_blocked(host: DriverHost) -> threading.Thread:
    """Ctrl-C once the main thread, which the caller is in, waits for something."""

    def interrupt() -> None:
        if until(lambda: host._guard.depth):
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def assert_nothing_left(info: dict[str, Any]) -> None:
    until(lambda: not leftovers(info), _GONE_SECONDS)
    assert leftovers(info) == []


def children_of(pid: int) -> list[int]:
    """Its direct ones; none of a process that has ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in children.split()]


def called(pid: int) -> str:
    """As `ps` names it; empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def marked(mark: str) -> list[int]:
    """Every live process with this in its environment: what a program started, and what those did."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdigit()
                and mark.encode() in (entry / "environ").read_bytes()
                and lives(int(entry.name))
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
