"""Connections of HTTPS: a look at the first byte, and TLS with the certificate as it is now. Never what is asked.

The server's own loop would keep the certificate that it began with, and hang up on who says `http://` without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

HANDSHAKE_S: Final = 30.0
"""For who connects: as between nodes."""

_TLS: Final = b"\x16"
"""What a handshake of TLS begins with, and no request of HTTP."""

_SAID: Final = b"This port speaks HTTPS: ask it under https:// instead of http://.\n"
_PLAIN: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_SAID), _SAID)
)
_LINGER_S: Final = 1.0
_PAUSE_S: Final = 0.2
_TOLD_S: Final = 10.0
"""Between two refusals of which the log is told: who scans ports is not to fill it."""

logger = logging.getLogger(__name__)


class Front:
    """Accepts, and hands over what is encrypted to a protocol of HTTP."""

    def __init__(
        self,
        listener: socket.socket,
        context: Callable[[], ssl.SSLContext],
        protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        """`context`: asked for each connection."""
        self._listener = listener
        self._context = context
        self._protocol = protocol
        self._meetings: set[asyncio.Task[None]] = set()
        self._refused, self._told = 0, -_TOLD_S

    async def run(self) -> None:
        """Until it is cancelled. Connections that are handed over stay."""
        self._listener.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    sock, _ = await loop.sock_accept(self._listener)
                except OSError as error:
                    # Too many files are open, or it has gone meanwhile.
                    logger.warning("a connection was not accepted: %s", error)
                    await asyncio.sleep(_PAUSE_S)
                    continue
                meeting = asyncio.create_task(self._meet(sock))
                self._meetings.add(meeting)
                meeting.add_done_callback(self._meetings.discard)
        finally:
            for meeting in self._meetings:
                meeting.cancel()

    async def _meet(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                first = await _first_byte(sock)
            if first == _TLS:
                await loop.connect_accepted_socket(
                    self._protocol,
                    sock,
                    ssl=self._context(),
                    ssl_handshake_timeout=HANDSHAKE_S,
                )
                return  # It is the connection's from here on.
            if first:
                await _say_plainly(sock)
        except OSError as error:  # Of TLS and of time, too.
            self.tell(error)
        except asyncio.CancelledError:
            sock.close()
            raise
        sock.close()

    def tell(self, error: OSError) -> None:
        """The log, of one that was refused, or of how many since it was told."""
        self._refused += 1
        now = time.monotonic()
        if now - self._told < _TOLD_S:
            return
        before = f" ({self._refused - 1} others before)" if self._refused > 1 else ""
        logger.warning("refused a connection: %s%s", error, before)
        self._refused, self._told = 0, now


async def _first_byte(sock: socket.socket) -> bytes:
    """That it says, which stays to be read; none where it hangs up. Raises OSError."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            readable = asyncio.Event()
            loop.add_reader(sock, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(sock)


async def _say_plainly(sock: socket.socket) -> None:
    """To who does not speak TLS. What it says is read to the end: it would lose our answer otherwise."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            await loop.sock_sendall(sock, _PLAIN)
            sock.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sock, 65_536):
                pass
