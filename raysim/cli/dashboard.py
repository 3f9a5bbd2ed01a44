"""What `raysim start --head` does for a dashboard: its socket, before the node starts. Never the dashboard itself."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from raysim.dashboard.activation import (
    DEFAULT_PORT,
    Dashboard,
    DashboardMissingError,
    check_host,
    check_installed,
    listen,
)
from raysim.services import Service
from raysim.spec.tls import TlsFiles, WebTls


class DashboardAsked(msgspec.Struct, frozen=True):
    host: str
    port: int | None
    """None: the usual one, or the next that is free."""
    plaintext: bool
    client_certs: bool = False
    """Who asks has to show a certificate of the authority, too."""


class DashboardOfHead:
    """What there is of it, and how that is said. Raises ValueError for a host that is refused, AuthenticationError for
    certificates that do not do."""

    def __init__(self, asked: DashboardAsked | None, tls: TlsFiles | None) -> None:
        """`tls`: what is encrypted with between nodes is for HTTPS, too."""
        self.said = ""
        self._listener: socket.socket | None = None
        self._dashboard: Dashboard | None = None
        self._tls: WebTls | None = None
        if asked is None:
            return
        if asked.client_certs and tls is None:
            raise ValueError(
                "--dashboard-client-certs needs TLS: give --tls-cert, --tls-key and --tls-ca, too."
            )
        self._tls = WebTls(tls, asked.client_certs) if tls else None
        port = DEFAULT_PORT if asked.port is None else asked.port
        check_host(asked.host, asked.plaintext or tls is not None)
        try:
            check_installed()
            self._listener = listen(asked.host, port)
        except DashboardMissingError as error:
            self.said = str(error)
        except OSError as error:
            self.said = f"There is no dashboard: no port from {port} on is free ({error.strerror})."
        else:
            found = self._listener.getsockname()[1]
            if port not in (0, found):
                self.said = f"Port {port} is taken: the dashboard has the next one."

    def begin(self, service: Service) -> None:
        """Of this head, which runs."""
        if self._listener is None:
            return
        log = Path(service.folder) / f"dashboard-{service.node_id[:12]}.log"
        self._dashboard = Dashboard(self._listener, service.address, log, self._tls)
        token = service.token_file or "the environment"
        lines = [self.said] if self.said else []
        self.said = "\n".join([*lines, f"Dashboard: {self._dashboard.url} (token: {token})"])

    def close(self) -> None:
        """Nothing of it goes on."""
        if self._dashboard is not None:
            self._dashboard.close()
        elif self._listener is not None:
            self._listener.close()
