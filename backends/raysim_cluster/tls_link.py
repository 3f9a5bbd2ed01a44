"""A link whose bytes are encrypted: first TLS, then all that a link does. Never a link on one machine."""

import errno
import os
import socket
import ssl
from collections.abc import Callable

from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim_cluster.certificates import explain
from raysim_cluster.handshake import Handshake
from raysim_cluster.link import Link, Scratch
from raysim_cluster.poller import READ, Poller


class TlsLink(Link):
    """Nothing of the handshake is said or read before the peer has shown a certificate that will do."""

    def __init__(
        self,
        sock: socket.socket,
        poller: Poller,
        scratch: Scratch,
        *,
        context: ssl.SSLContext,
        host: str | None,
        opened: Callable[[Link], None],
        deliver: Callable[[Address, list[Message]], None],
        closed: Callable[[Link, str], None],
    ) -> None:
        """`host`: that this side connects to, and the peer's certificate has to name; None: the peer has connected."""
        self._context = context
        self._host = host
        self._behind: Handshake | None = None
        """What comes after TLS; None: it has come."""
        self._tls: ssl.SSLSocket | None = None
        super().__init__(sock, poller, scratch, opened=opened, deliver=deliver, closed=closed)

    def begin(self, handshake: Handshake) -> None:
        self._behind = handshake
        if self._host is None:
            self._shake()
        else:
            self._watch_writing(True)  # Until it is connected.

    # --- inside -------------------------------------------------------------------------------

    def _on_event(self, mask: int) -> None:
        if self._behind is None:
            super()._on_event(mask)
        else:
            self._shake()

    def _shake(self) -> None:
        try:
            if self._tls is None:
                if not self._is_connected():
                    return
                self._tls = self._wrap()
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._watch_writing(False)
        except ssl.SSLWantWriteError:
            self._watch_writing(True)
        except OSError as error:
            self._broke(error)
        else:
            self._watch_writing(False)
            behind, self._behind = self._behind, None
            assert behind is not None
            super().begin(behind)

    def _is_connected(self) -> bool:
        """Raises OSError where it never will be."""
        if number := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
        try:
            self.sock.getpeername()
        except OSError as error:
            # An event of the descriptor's last holder, which another thread has polled, may come too early.
            if self._host is not None and error.errno == errno.ENOTCONN:
                return False
            raise
        return True

    def _wrap(self) -> ssl.SSLSocket:
        # The descriptor becomes another object's, which closes it where the peer has gone meanwhile.
        self._poller.forget(self.sock.fileno())
        wrapped = self._context.wrap_socket(
            self.sock,
            server_side=self._host is None,
            do_handshake_on_connect=False,
            server_hostname=self._host,
        )
        self.sock = wrapped
        self._watched = READ
        self._writing = False
        self._poller.watch(self.sock.fileno(), self._on_event, READ)
        return wrapped

    def _read(self) -> None:
        super()._read()
        # What is decrypted already makes no descriptor readable.
        while self._tls is not None and not self.is_closed and self._tls.pending():
            super()._read()

    def _broke(self, error: OSError) -> None:
        cut = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if isinstance(error, ssl.SSLError) and not cut and self.peer is None:
            # One side's decision, which would be the same over another socket.
            self.close(explain(error, self._host or "a peer"))
        else:
            super()._broke(error)
