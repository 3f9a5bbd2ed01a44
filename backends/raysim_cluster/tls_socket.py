"""A TLS socket that says as a plain one does that it would block. Never who is at the other end: see certificates."""

import socket
import ssl
from collections.abc import Iterable
from typing import Any, Final

_AT_ONCE: Final = 16 * 1024
"""Bytes of one record: small parts are sent together up to this."""

_LATER: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsSocket(ssl.SSLSocket):
    """Of SSLContext.sslsocket_class. What was not sent has to be sent next, and as many bytes of it or more: OpenSSL
    has encrypted them already."""

    def recv_into(self, *args: Any) -> int:
        try:
            return super().recv_into(*args)
        except _LATER:
            raise BlockingIOError from None

    def send(self, data: Any, flags: int = 0) -> int:
        """OpenSSL takes a record at a time: as many as the kernel takes."""
        if not self.getblocking():
            return self._send_records(memoryview(data))
        return super().send(data, flags)

    def sendmsg(self, buffers: Iterable[Any], *_: Any) -> int:  # type: ignore[override]  # An SSLSocket has none.
        parts = iter(buffers)
        first = next(parts)
        if len(first) < _AT_ONCE:
            gathered = bytearray(first)
            for part in parts:
                gathered += memoryview(part)[: _AT_ONCE - len(gathered)]
                if len(gathered) == _AT_ONCE:
                    break
            first = gathered
        return self.send(first)

    def shutdown(self, how: int) -> None:
        """Of the socket below. An SSLSocket would go on without TLS, and read what comes as it is."""
        socket.socket.shutdown(self, how)

    def _send_records(self, data: memoryview) -> int:
        sent = 0
        while sent < len(data):
            try:
                sent += super().send(data[sent:])
            except _LATER:
                if not sent:
                    raise BlockingIOError from None
                break
        return sent
