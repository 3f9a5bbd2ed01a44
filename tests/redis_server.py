"""A real redis-server for a test: on a free port of this machine, with a folder of its own."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

PROGRAM = shutil.which("redis-server")
MISSING = "needs redis-server (Debian: apt-get install redis-server)"

_PATIENCE_S = 30.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class RedisServer:
    def __init__(self, folder: Path, *options: str) -> None:
        if PROGRAM is None:
            pytest.skip(MISSING)
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns once it has read what it wrote down before."""
        assert PROGRAM is not None
        listening = ("--port", str(self.port), "--bind", "127.0.0.1")
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(PROGRAM, *listening, "--dir", str(self.folder), "--save", ""),
                    *("--appendonly", "yes", "--appendfsync", "always", *self.options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "redis.log").read_text()
            assert time.monotonic() < until, "redis-server does not begin to listen"
            time.sleep(0.01)

    def _answers(self) -> bool:
        """It lets nobody in who has no password: that is an answer, too."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
                sock.sendall(b"PING\r\n")
                return sock.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def forget(self) -> None:
        """What it wrote down, of one that is away."""
        shutil.rmtree(self.folder / "appendonlydir")

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            if number == signal.SIGKILL:
                self._process.wait()
                self._process = None

    def close(self) -> None:
        self.kill()
