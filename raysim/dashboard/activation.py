"""The dashboard's socket, and a process behind it while somebody asks. Never an answer: see serving.

Nobody looks at a dashboard most of the time, and a process that waits takes 40 MB: so the head keeps the socket, and
starts the process with the first connection. When that has ended, of itself or because it crashed, the next
connection starts another one.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from raysim.spec.tls import WebTls

DEFAULT_PORT: Final = 8265
"""Ray's."""

PORTS: Final = 50
"""That are tried where one is taken. Ray: `port_retries`."""

IDLE_S: Final = 300.0
"""Until a process that nobody asks anything ends."""

NEEDS: Final = ("starlette", "uvicorn")

_SHORT_S: Final = 5.0
_MOST_PAUSE_S: Final = 30.0
"""Between two starts of a process that ends at once. The first pause is 1 s, the next ones twice as long each."""

_END_S: Final = 5.0


class DashboardMissingError(Exception):
    """What the dashboard is made with is not installed."""


def check_installed() -> None:
    """Raises DashboardMissingError."""
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise DashboardMissingError(
            f"There is no dashboard: {' and '.join(missing)} is missing. "
            "Install it with: pip install 'raysim-core[dashboard]'"
        )


def listen(host: str, port: int) -> socket.socket:
    """On this port, or on the next that is free; 0: on any. Raises ValueError, OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = range(port, min(port + PORTS, 65_536)) if port else (0,)
    problem = OSError(f"no port of {host} is free")
    for one in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, one))
            listener.listen(128)
        except OSError as error:
            listener.close()
            problem = error
            continue
        return listener
    raise problem


def check_host(host: str, allowed: bool) -> None:
    """Raises ValueError for one that other machines reach. `allowed`: it is encrypted, or was asked for."""
    try:
        loopback = ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except OSError as error:
        raise ValueError(f"{host!r} is no address of this machine: {error}.") from error
    if not loopback and not allowed:
        raise ValueError(
            f"--dashboard-host {host} is reached from other machines, and what browsers say to it is not encrypted. "
            "Start the head with --tls-cert, --tls-key and --tls-ca (`raysim tls make` makes them), leave it at "
            "127.0.0.1 and come through a tunnel, or say --allow-plaintext."
        )


class Dashboard:
    """The socket of one head. A thread waits at it, and does nothing until somebody connects."""

    def __init__(
        self,
        listener: socket.socket,
        address: str,
        log: Path,
        tls: WebTls | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        """`log`: where the process says what it has to say. `tls`: None for HTTP in the clear."""
        self._listener = listener
        self._address = address
        self._log = log
        self._tls = msgspec.json.encode(tls).decode()
        self._idle_s = idle_s
        self._stop_reads, self._stop_writes = os.pipe()
        host, port, *_ = listener.getsockname()
        if ipaddress.ip_address(host).is_unspecified:
            host = socket.gethostname()
        self.url = f"http{'s' * (tls is not None)}://{f'[{host}]' if ':' in host else host}:{port}"
        self._thread = threading.Thread(target=self._watch, name="dashboard", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Its process has ended by then."""
        os.close(self._stop_writes)
        self._thread.join()
        os.close(self._stop_reads)
        self._listener.close()

    def _watch(self) -> None:
        pause_s = 1.0
        while not self._stopped(None, self._listener.fileno()):
            began = time.monotonic()
            self._run()
            short = time.monotonic() - began < _SHORT_S
            if short and self._stopped(pause_s):
                return
            pause_s = min(2 * pause_s, _MOST_PAUSE_S) if short else 1.0

    def _stopped(self, seconds: float | None, *watched: int) -> bool:
        """Until then, or until one of those can be read."""
        poll = select.poll()
        for fd in (self._stop_reads, *watched):
            poll.register(fd, select.POLLIN)
        found = poll.poll(None if seconds is None else seconds * 1000)
        return self._stop_reads in (fd for fd, _ in found)

    def _run(self) -> None:
        """A process, until it has ended or has to."""
        fd = self._listener.fileno()
        arguments = [str(fd), self._address, str(self._idle_s), self._tls]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "raysim.dashboard.serving", *arguments],
                stdin=subprocess.PIPE,  # It ends when this closes: with us, however we end.
                stdout=log,
                stderr=log,
                pass_fds=[fd],
            )
        pidfd = os.pidfd_open(process.pid)
        self._stopped(None, pidfd)
        os.close(pidfd)
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
