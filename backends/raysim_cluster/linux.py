"""What the system offers to processes of ours: their end, name, and who is at a socket. Never a process."""

import ctypes
import os
import resource
import signal
import socket
from pathlib import Path
from struct import Struct
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15

_CREDENTIALS: Final = Struct("3i")
"""struct ucred: pid, uid, gid."""

MEMINFO: Final = "/proc/meminfo"

_MOST_BYTES: Final = 1 << 16
"""Of a file of the kernel's."""

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """SIGKILL when the parent (its thread that forked us) ends; at once when it has ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def go_on_without_parent() -> None:
    """SIGCONT when the parent ends: whoever stopped this process can be gone, and it has to see that."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)


def name_process(name: str) -> None:
    """What `ps` and `top` show. At most 15 bytes."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def show_arguments(text: str) -> None:
    """The command line that others see, of a fork; as much of it as its parent's has room for."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    data = "\0".join(text.split(" ")).encode()[: end - begin - 1]
    ctypes.memset(begin, 0, end - begin)
    ctypes.memmove(begin, data, len(data))


def give_back_memory() -> None:
    """What is free to the system, where the C library can."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def allow_many_files() -> None:
    """As many descriptors as the user may have: a raylet has one for each process that speaks to it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def watch_process(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the kernel has none (before 5.3)."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def ended_because(status: int) -> str:
    """A wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def same_user(sock: socket.socket) -> bool:
    """The kernel's word on who is at the other end."""
    return _credentials(sock)[1] == os.getuid()


def process_at(sock: socket.socket) -> int:
    """Whose socket the other end is: the one's that connected, or listened."""
    return _credentials(sock)[0]


def _credentials(sock: socket.socket) -> tuple[int, int, int]:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return pid, uid, gid


def process_mark() -> tuple[str, int, int]:
    """What tells this process from all others, now and before: boot and pid namespace, pid, start in ticks."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    pids = os.stat("/proc/self/ns/pid").st_ino
    _, start = _state_and_start(os.getpid())
    return f"{boot}/{pids}", os.getpid(), start


def is_gone(where: str, pid: int, start: int) -> bool:
    """Whether the process of this mark has certainly ended: of another machine or container nobody here knows."""
    if process_mark()[0] != where:
        return False
    try:
        state, began = _state_and_start(pid)
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z" or began != start


def _state_and_start(pid: int) -> tuple[str, int]:
    """See proc_pid_stat(5): the name, which comes before, may have blanks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[19])


def there_and_available(meminfo: str) -> tuple[int, int]:
    """Bytes, of the kernel's own words. Four times a second: psutil takes six times as long for them."""
    found: dict[str, int] = {}
    for line in text_of(meminfo).split("\n", 4)[:4]:
        name, _, kilobytes = line.partition(":")
        found[name] = int(kilobytes.split()[0]) << 10
    return found["MemTotal"], found["MemAvailable"]


def text_of(path: str) -> str:
    """What the kernel says in a file of its own; empty where there is no such file."""
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
