"""A connection between processes of two nodes that outlives a cut of its socket. Never what is said over it.

Frames are kept until the peer has said that they came. When the socket breaks, the side that connected connects again;
each tells the other how many frames have come, and what is missing is said again. So everything comes once and in its
order, or the connection is over: when the peer's port is closed, when it knows nothing of this connection any more, or
when time is up.

Between frames a header without a body says how many frames have come, or that its sender lets go.
"""

import errno
import logging
import os
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Final, Protocol

from raysim.config import MS
from raysim.protocol.messages import Message, ObjectChunk
from raysim.spec.address import Address
from raysim_cluster.link import Link
from raysim_cluster.poller import WRITE, Poller
from raysim_cluster.timers import HeapTimer, Timers
from raysim_cluster.wire import LETS_GO, said

RESUME_NS: Final = 10_000 * MS
"""How long a cut may last. Ours: below the time after which the GCS declares a silent node dead (15 s)."""

_AGAIN_NS: Final = 20 * MS
"""Until the second attempt to connect, and then twice as long each time."""

_SELDOM_NS: Final = 1_000 * MS
"""The longest time between two attempts."""

_SAY_AFTER: Final = 16
"""Frames that have come until their sender is told: it keeps so many."""

_COUNT: Final = 1 << 31
"""Counts are told modulo this."""

logger = logging.getLogger(__name__)


class Ground(Protocol):
    """What lines stand on: the transport."""

    poller: Poller
    timers: Timers

    def dial(self, line: "Line") -> Link:
        """Begin to connect. Raises OSError, ValueError or OverflowError."""

    def deliver(self, sender: Address, messages: list[Message]) -> None: ...

    def line_ended(self, line: "Line", reason: str) -> None:
        """Nothing comes over it any more."""


class Line:
    """To one peer; `write`, `idle`, `close` and `abandon` as a Link's."""

    def __init__(self, ground: Ground, peer: Address, key: bytes = b"") -> None:
        """`key`: of one that the peer has begun."""
        self.peer = peer
        self.key = key or os.urandom(16)
        self.received = 0
        """Frames that have come."""
        self.was_open = False
        self._begun_here = not key
        self._ground = ground
        self._link: Link | None = None
        """The socket, if there is one."""
        self._open = False
        """Its handshake is done."""
        self._kept: deque[bytearray | bytes] = deque()
        """Frames that may not have come."""
        self._come = 0
        """How many of those before these have."""
        self._told = 0
        """How many of the peer's we have said to have come."""
        self._closed = False
        self._until = 0
        self._pause_ns = 0
        self._timer: HeapTimer | None = None
        self._probe: _Probe | None = None

    # --- as a link ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Connect for the first time. Raises as `Ground.dial`."""
        self._link = self._ground.dial(self)

    def write(self, frame: bytearray, attachment: bytes | memoryview | None = None) -> None:
        data = frame if attachment is None else b"".join((frame, attachment))
        self._kept.append(data)
        if self._open and self._link is not None:
            self._link.write_raw(data)

    def idle(self) -> bool:
        return self._closed or (self._open and self._link is not None and self._link.idle())

    def close(self, reason: str) -> None:
        """For good; the peer is told."""
        link = self._link
        self._end()
        if link is not None:
            link.close(reason)

    def abandon(self) -> None:
        """In a fork: let go of the descriptors, which the parent goes on using."""
        if self._link is not None:
            self._link.abandon()
        if self._probe is not None:
            self._probe.sock.close()

    def links(self) -> list[Link]:
        return [] if self._link is None else [self._link]

    # --- sockets that come and go -------------------------------------------------------------

    def attach(self, link: Link, came: int) -> None:
        """The handshake over this socket is done: the peer has so many of our frames."""
        self._rest()
        self._link = link
        link.deliver, link.closed, link.told = self._on_frame, self.on_closed, self._on_told
        link.farewell = said(LETS_GO)
        self._open = self.was_open = True
        self._told = self.received
        if not self._forget(came):
            self.fail("the peer says to have what was never sent")
            return
        for frame in self._kept:
            link.write_raw(frame)

    def on_opened(self, link: Link) -> None:
        """The socket that this side has connected with has its handshake behind it."""
        assert link.proved is not None
        self.attach(link, link.proved.came)

    def detach(self) -> None:
        """The peer has another socket for it: what comes over this one any more comes over that again."""
        link, self._link = self._link, None
        self._open = False
        if link is not None:
            link.farewell = b""  # This is not over.
            link.close("the peer has connected again")

    def _on_frame(self, sender: Address, messages: list[Message]) -> None:
        self.received += 1
        self._ground.deliver(sender, messages)
        large = len(messages) == 1 and type(messages[0]) is ObjectChunk
        if (large or self.received - self._told >= _SAY_AFTER) and self._link is not None:
            self._told = self.received
            self._link.write_raw(said(self.received % _COUNT))

    def _on_told(self, count: int) -> None:
        if count == LETS_GO:
            self.fail("the peer has let go of it")
        elif not self._forget(count):
            self.fail("the peer says to have what was never sent")

    def _forget(self, count: int) -> bool:
        """So many frames have come. Whether there were so many."""
        new = (count - self._come) % _COUNT
        if new > len(self._kept):
            return False
        self._come += new
        for _ in range(new):
            self._kept.popleft()
        return True

    def on_closed(self, link: Link, reason: str) -> None:
        """The socket's end, of which nobody here is the cause."""
        if link is not self._link:
            return
        self._link = None
        self._open = False
        if not link.was_cut or link.error == errno.ECONNREFUSED:
            self.fail(reason)
            return
        now = time.monotonic_ns()
        if not self._until:
            logger.info(
                "the connection to process %s is cut: %s", self.peer.worker_id.hex(), reason
            )
            self._until, self._pause_ns = now + RESUME_NS, 0
        if now >= self._until:
            self.fail(f"{reason}, and {RESUME_NS // 1_000_000_000} s later there is no other")
            return
        self._timer = self._ground.timers.add(now + self._pause_ns, self._try_again)
        self._pause_ns = min(2 * self._pause_ns, _SELDOM_NS) or _AGAIN_NS

    # --- after a cut --------------------------------------------------------------------------

    def _try_again(self) -> None:
        self._timer = None
        try:
            if self._begun_here:
                self._link = self._ground.dial(self)
            else:
                self._probe = _Probe(self._ground.poller, self.peer, self._probed)
        except (OSError, ValueError, OverflowError) as error:
            self._probed(error.errno if isinstance(error, OSError) else errno.ECONNREFUSED)

    def _probed(self, error: int | None) -> None:
        """The peer connects again, if it lives: whether its port is closed is all that we ask."""
        self._probe = None
        if error == errno.ECONNREFUSED:
            self.fail("its port is closed")
            return
        now = time.monotonic_ns()
        if now >= self._until:
            self.fail(f"it was cut, and {RESUME_NS // 1_000_000_000} s later it still is")
            return
        self._timer = self._ground.timers.add(now + self._pause_ns, self._try_again)
        self._pause_ns = min(2 * self._pause_ns, _SELDOM_NS) or _AGAIN_NS

    def _rest(self) -> None:
        """Nothing is tried any more."""
        self._until = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def _end(self) -> None:
        self._closed = True
        self._rest()
        self._kept.clear()
        self._link = None

    def fail(self, reason: str) -> None:
        """It is over, by what the other side did."""
        if not self._closed:
            link = self._link
            self._end()
            if link is not None:
                link.close(reason)
            self._ground.line_ended(self, reason)


class _Probe:
    """Whether somebody listens there. Says nothing to whoever does."""

    def __init__(self, poller: Poller, peer: Address, tell: "Tell") -> None:
        self._poller = poller
        self._tell = tell
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            dial(self.sock, peer)
        except BaseException:
            self.sock.close()
            raise
        poller.watch(self.sock.fileno(), self._on_event, WRITE)

    def _on_event(self, _mask: int) -> None:
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.close()
        self._tell(error or None)

    def close(self) -> None:
        self._poller.forget(self.sock.fileno())
        self.sock.close()


class Tell(Protocol):
    def __call__(self, error: int | None) -> None: ...


def dial(sock: socket.socket, to: Address) -> None:
    """Begin to connect over TCP. Raises OSError, and ValueError or OverflowError for what is no address."""
    host, _, port = to.endpoint.rpartition(":")
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(BlockingIOError):
        sock.connect((host, int(port)))
