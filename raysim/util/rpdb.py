"""A debugger at a socket of this machine, for code that has no terminal. Never one for another machine.

`set_trace()` in a task or an actor stops there. With the variable RAY_DEBUG=1 (the default) that is debugpy's
debugger (see debugpy); with RAY_DEBUG=legacy it is pdb, which says where it listens and waits for somebody:

    python -m raysim.util.rpdb localhost 40123

Ray: `ray.util.pdb`.
"""

import os
import select
import socket
import sys
from pdb import Pdb
from types import FrameType
from typing import Any, TextIO

from raysim.util import debugpy

LOOPBACK = "127.0.0.1"


class RemotePdb(Pdb):
    """pdb for whoever connects first; nobody else can. Waits for them."""

    def __init__(self, host: str, port: int, quiet: bool) -> None:
        with socket.create_server((host, port), backlog=1) as listener:
            if not quiet:
                at = f"{host} {listener.getsockname()[1]}"
                sys.stderr.write(
                    f"RemotePdb session open at {at.replace(' ', ':')}, connect with: "
                    f"python -m raysim.util.rpdb {at}\n"
                )
                sys.stderr.flush()
            self._connection, _ = listener.accept()
        self._stream: TextIO = self._connection.makefile("rw", encoding="utf-8", newline="\n")
        super().__init__(
            stdin=self._stream, stdout=self._stream, skip=["raysim.*"], nosigint=True, readrc=False
        )

    def post_mortem(self) -> None:
        """Of the exception that is being handled."""
        self.reset()
        self.interaction(None, sys.exc_info()[2])
        self._hang_up()

    def do_continue(self, arg: str) -> bool | None:
        self._hang_up()
        return super().do_continue(arg)

    do_c = do_cont = do_continue

    def do_quit(self, arg: str) -> bool | None:
        self._hang_up()
        return super().do_quit(arg)

    do_q = do_exit = do_quit

    def do_EOF(self, arg: str) -> bool | None:
        """Whoever it was has gone."""
        return self.do_quit(arg)

    def interaction(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().interaction(*args, **kwargs)
        except OSError:  # They went while they were told something.
            self._hang_up()
            self.set_quit()

    def _hang_up(self) -> None:
        for one in (self._stream, self._connection):
            try:
                one.close()
            except OSError:  # They went first.
                continue


def set_trace(breakpoint_uuid: Any = None) -> None:
    """Stop here, for a debugger."""
    interrupt(sys._getframe(1))


def interrupt(frame: FrameType) -> None:
    """Stop in this frame."""
    if _is_legacy():
        _listening().set_trace(frame)
    else:
        debugpy.interrupt(frame)


def _post_mortem() -> None:
    """Look at the exception that is being handled."""
    if _is_legacy():
        _listening().post_mortem()
    else:
        debugpy._post_mortem()


def _is_legacy() -> bool:
    return os.environ.get("RAY_DEBUG", "1") == "legacy"


def _is_ray_debugger_post_mortem_enabled() -> bool:
    return os.environ.get("RAY_DEBUG_POST_MORTEM", "0") == "1"


def _listening() -> RemotePdb:
    return RemotePdb(
        os.environ.get("REMOTE_PDB_HOST") or LOOPBACK,
        int(os.environ.get("REMOTE_PDB_PORT") or 0),
        bool(os.environ.get("REMOTE_PDB_QUIET")),
    )


def _connect_pdb_client(host: str, port: int) -> None:
    """This terminal for that debugger, until it is done."""
    with socket.create_connection((host, port)) as sock:
        while True:
            ready, _, _ = select.select([sys.stdin, sock], [], [])
            if sock in ready:
                said = sock.recv(4096)
                if not said:
                    return
                sys.stdout.write(said.decode(errors="replace"))
                sys.stdout.flush()
            else:
                line = sys.stdin.readline()
                if not line:
                    return
                sock.sendall(line.encode())


if __name__ == "__main__":
    _connect_pdb_client(sys.argv[1], int(sys.argv[2]))
