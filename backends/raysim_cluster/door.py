"""Where drivers of this user find a node that outlives them, and what it tells them. Never a message of the protocol.

A door is a unix socket in the abstract namespace: gone with its process, and told by the kernel who knocks. Which doors
there are stands in one file each, in a folder of this user's.
"""

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Final

import msgspec

from raysim_cluster.control import Channel, NodeHere
from raysim_cluster.disk import temporary_folder
from raysim_cluster.linux import process_at, same_user

_PATIENCE_S: Final = 10.0


class Entry(msgspec.Struct, frozen=True):
    """One node that was started on this machine."""

    door: str
    pid: int
    """Of the process that looks after it."""
    address: str
    """Of its cluster's head."""
    is_head: bool


class Door:
    """Of a node whose process, and this one, run."""

    def __init__(self, here: NodeHere, arena_fd: int, is_head: bool) -> None:
        self._here = here
        self._arena_fd = arena_fd
        name = f"raysim-{here.session.session_id}-door-{here.node_id.hex()[:12]}"
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.bind(f"\0{name}")
        self._sock.listen(128)
        entry = Entry(name, os.getpid(), here.gcs.endpoint, is_head)
        self._file = _folder() / f"{here.node_id.hex()}.json"
        # Whole at once: others may read it at any time.
        written = self._file.with_suffix(".part")
        written.write_bytes(msgspec.json.encode(entry))
        written.rename(self._file)

    def fileno(self) -> int:
        return self._sock.fileno()

    def answer(self) -> None:
        """Somebody knocks."""
        sock, _ = self._sock.accept()
        channel = Channel(sock)
        with contextlib.closing(channel), contextlib.suppress(OSError):  # It may have gone again.
            if same_user(sock):
                channel.send(self._here, self._arena_fd)

    def close(self) -> None:
        self._sock.close()
        _forget(self._file)


def doors() -> list[Entry]:
    """Of nodes that run, the one that was started last first. Forgets those that do not."""
    found = []
    for file in sorted(_folder().glob("*.json"), key=_made, reverse=True):
        try:
            entry = msgspec.json.decode(file.read_bytes(), type=Entry)
            _knock(entry).close()
        except (OSError, msgspec.DecodeError):
            _forget(file)
            continue
        found.append(entry)
    if not found:
        _forget(_folder())
    return found


def visit(entry: Entry) -> tuple[NodeHere, int]:
    """What the node says of itself, and its arena. Raises ConnectionError when it has gone."""
    try:
        with _knock(entry) as sock:
            here, fds = Channel(sock).receive()
    except OSError as error:
        raise ConnectionError(f"The node of process {entry.pid} is gone: {error}.") from error
    if not isinstance(here, NodeHere):
        raise ConnectionError(f"The node of process {entry.pid} does not let us in.")
    (arena_fd,) = fds
    return here, arena_fd


def _knock(entry: Entry) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(_PATIENCE_S)
    try:
        sock.connect(f"\0{entry.door}")
        if not same_user(sock) or process_at(sock) != entry.pid:
            raise PermissionError("somebody else has its place")
    except OSError:
        sock.close()
        raise
    return sock


def _folder() -> Path:
    """Ours alone: what is in it is believed."""
    folder: Path = temporary_folder() / f"raysim-nodes-{os.getuid()}"
    folder.mkdir(0o700, exist_ok=True)
    found = folder.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not mine or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PermissionError(f"{folder} is not yours alone. Remove it, or set TMPDIR.")
    return folder


def _made(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            path.rmdir()  # Unless something is in it.
        else:
            path.unlink()
            path.parent.rmdir()
