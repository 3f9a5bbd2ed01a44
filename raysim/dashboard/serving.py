"""The dashboard's process: a connection to the cluster, and a server on a socket that it was given. Never opens one.

    python -m raysim.dashboard.serving FD ADDRESS IDLE_S TLS    its standard input closes when it has to end

It ends by itself when nobody has asked anything for a while: whoever started it keeps the socket (activation.py).
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable

import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

import raysim
from raysim.api.init_options import DEFAULT_BACKEND
from raysim.dashboard.app import make_app
from raysim.dashboard.https import Front
from raysim.dashboard.sources import Cluster, Source
from raysim.services import load_services
from raysim.spec.tls import WebTls

_LOOK_S = 1.0
"""Between two looks at whether anybody still asks."""


class Watched:
    """The application, and since when nobody asks it anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = 0
        self._since = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._since = time.monotonic()

    def idle_s(self) -> float:
        return 0.0 if self._open else time.monotonic() - self._since


def serve(listener: socket.socket, address: str, idle_s: float, tls: WebTls | None) -> None:
    """Until our starter has ended, or nobody asks any more. `tls`: None for HTTP in the clear."""
    raysim.init(address, backend=DEFAULT_BACKEND, log_to_driver=False, _observer=True)
    try:
        asyncio.run(_serve(listener, idle_s, tls))
    finally:
        raysim.shutdown()


def serve_source(source: Source, listener: socket.socket, token: bytes) -> None:
    """For whoever has this token, until Ctrl-C."""
    _server(make_app(source, token)).run([listener])


async def _serve(listener: socket.socket, idle_s: float, tls: WebTls | None) -> None:
    services = load_services(DEFAULT_BACKEND)
    name, *_ = listener.getsockname()
    app = Watched(make_app(Cluster(), services.token(), None if tls else (str(name),)))
    server = _server(app)
    front = None
    if tls is not None:
        server.config.load()
        front = Front(listener, services.web_server(tls), lambda: _connection(server))

    def end() -> None:
        server.should_exit = True
        server.force_exit = True  # Streams are open as long as somebody looks.

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), end)
    running = asyncio.create_task(server.serve([] if front else [listener]))
    accepting = asyncio.create_task(front.run()) if front else None
    while not running.done():
        await asyncio.wait([running], timeout=_LOOK_S)
        if app.idle_s() > idle_s:
            server.should_exit = True
    if accepting is not None:
        accepting.cancel()
    await running


def _connection(server: uvicorn.Server) -> asyncio.Protocol:
    """As the server makes them for the sockets that it listens at itself."""
    make: Callable[..., asyncio.Protocol] = server.config.http_protocol_class
    return make(config=server.config, server_state=server.server_state, app_state={})


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
        )
    )


if __name__ == "__main__":
    serve(
        socket.socket(fileno=int(sys.argv[1])),
        sys.argv[2],
        float(sys.argv[3]),
        msgspec.json.decode(sys.argv[4], type=WebTls | None),
    )
