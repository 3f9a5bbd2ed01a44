"""What a fork would have inherited, handed to a worker that is none. Never to another process, whoever's it is.

Each such worker has a socket of its own, in the abstract namespace, with a name that nobody can guess; a
container that shares the machine's network can reach it. Who connects is told everything and sends
nothing, so that the fork-server never waits for anyone. The kernel says which process that is, and its command
line has to name the socket: a worker may be nobody's child by then, and one in a container never was ours.
"""

import os
import socket
from pathlib import Path
from typing import Final

import msgspec

from raysim_cluster.arena import Arena
from raysim_cluster.control import SetUp, StartNode
from raysim_cluster.linux import process_at, same_user

_LARGEST: Final = 192 * 1024


class _Everything(msgspec.Struct):
    settings: StartNode
    set_up: SetUp
    token: int


class Inheritance:
    """Of one worker, in the fork-server."""

    def __init__(self, settings: StartNode, set_up: SetUp, token: int, arena: Arena) -> None:
        self.name = f"raysim-{settings.session.session_id}-{os.urandom(16).hex()}"
        self._everything = _Everything(settings, set_up, token)
        self._arena = arena
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(f"\0{self.name}")
        self._listener.listen(1)
        self._listener.setblocking(False)

    def fileno(self) -> int:
        return self._listener.fileno()

    def hand_over(self) -> int | None:
        """To whom connects; the pid of the worker, or None when it was somebody else."""
        try:
            heir, _ = self._listener.accept()
        except OSError:  # It has gone already.
            return None
        with heir:
            pid = process_at(heir)
            if not (same_user(heir) and self._was_started_for_it(pid)):
                return None
            heir.setblocking(False)
            try:
                data = msgspec.msgpack.encode(self._everything)
                socket.send_fds(heir, [data], [self._arena.fd])
            except OSError:
                return None
            return pid

    def _was_started_for_it(self, pid: int) -> bool:
        try:
            return self.name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:  # It has ended.
            return False

    def close(self) -> None:
        self._listener.close()


def inherit(name: str) -> tuple[StartNode, SetUp, int, Arena]:
    """In the worker. Raises OSError when nobody is there to give."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.connect(f"\0{name}")
        data, fds, _, _ = socket.recv_fds(sock, _LARGEST, 1)
    if not fds:
        raise ConnectionError(f"{name} gave nothing: this process is not of the node's user")
    what = msgspec.msgpack.decode(data, type=_Everything)
    return what.settings, what.set_up, what.token, Arena(fds[0], what.settings.store_bytes)
