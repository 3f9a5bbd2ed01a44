"""Who comes in: listeners, and those who came and have not proved yet who they are. Never what they say then.

Anybody on this machine can connect. One who says nothing holds a descriptor, so there is a limit to how many of them
there are and how long they stay; what they said is at most a buffer of the handshake's size.
"""

import logging
import resource
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from raysim.config import MS
from raysim_cluster.link import Link
from raysim_cluster.linux import same_user
from raysim_cluster.poller import READ, Poller
from raysim_cluster.timers import Timers

PROOF_NS: Final = 30_000 * MS
"""How long one may take to prove itself. One whose interpreter is busy with a single long call may need some."""

_BACKLOG: Final = 4096

_MOST: Final = 1024
"""Unproved connections at once, and at most a quarter of the descriptors that there may be: beyond, the oldest goes."""

_PAUSE_NS: Final = 100 * MS
"""Without a free descriptor nobody is let in; the kernel keeps who waits."""

TOLD_EACH: Final = 20
"""Refusals that the log is told one by one within `_WINDOW_NS`: who connects again and again must not fill a disk."""

_WINDOW_NS: Final = 60_000 * MS

logger = logging.getLogger(__name__)


class Refusals:
    """What the log is told of those who are not let in: of each while there are few, else how many they were."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._told = 0
        """Since the window began; 0: there is none."""
        self._untold = 0

    def tell(self, level: int, text: str) -> None:
        if not self._told:
            self._timers.add(time.monotonic_ns() + _WINDOW_NS, self._end)
        if self._told < TOLD_EACH:
            self._told += 1
            logger.log(level, "%s", text)
        else:
            self._untold += 1

    def _end(self) -> None:
        if self._untold:
            seconds = _WINDOW_NS // 1_000_000_000
            logger.warning("refused %d more within %d s: see above", self._untold, seconds)
        self._told = self._untold = 0


class Entrance:
    """The listeners of one process. `enter` makes a link of a socket and begins its handshake, with the link known here
    by `came`."""

    def __init__(
        self,
        tcp_host: str,
        unix_name: str,
        poller: Poller,
        timers: Timers,
        enter: Callable[[socket.socket, bool], None],
        port: int = 0,
    ) -> None:
        """`port`: 0 for any."""
        self._poller = poller
        self._timers = timers
        self._enter = enter
        self._unproved: dict[int, tuple[Link, int]] = {}
        """By id, oldest first, with when each has to be through."""
        self._refusals = Refusals(timers)
        self._sweeping = False
        self._most = min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        tcp = socket.create_server((tcp_host, port), backlog=_BACKLOG)
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.bind(unix_name)
        unix.listen(_BACKLOG)
        self._listeners = (tcp, unix)
        for listener in self._listeners:
            listener.setblocking(False)
            self._watch(listener)
        host, port = tcp.getsockname()[:2]
        self.endpoint = f"{host}:{port}"

    def came(self, link: Link) -> None:
        """Before its handshake begins."""
        self._unproved[id(link)] = link, time.monotonic_ns() + PROOF_NS
        if len(self._unproved) > self._most:
            oldest, _ = next(iter(self._unproved.values()))
            oldest.close(f"more than {self._most} connections prove nothing, and it is the oldest")
        self._sweep_later()

    def left(self, link: Link) -> bool:
        """It is proved, or closed. Whether it was not proved until now."""
        return self._unproved.pop(id(link), None) is not None

    def refused(self, link: Link, reason: str) -> bool:
        """It is closed. Whether it was not proved until then."""
        if not self.left(link):
            return False
        level = logging.INFO if link.was_cut else logging.WARNING
        self._refusals.tell(level, f"refused a connection: {reason}")
        return True

    def close(self) -> None:
        """Let nobody in any more."""
        for listener in self._listeners:
            self._poller.forget(listener.fileno())
            listener.close()
        unproved, self._unproved = self._unproved, {}
        for link, _ in unproved.values():
            link.close("this process ends")

    def abandon(self) -> None:
        """In a fork: let go of the descriptors, which the parent goes on using."""
        for listener in self._listeners:
            listener.close()
        for link, _ in self._unproved.values():
            link.abandon()

    # --- inside -------------------------------------------------------------------------------

    def _watch(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._poller.watch(listener.fileno(), partial(self._accept, listener), READ)

    def _accept(self, listener: socket.socket, _mask: int) -> None:
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # The connector went away again.
        except OSError as error:
            # It would be told of again at once, and so on until there is a descriptor.
            self._refusals.tell(logging.WARNING, f"nobody is let in for a moment: {error.strerror}")
            self._poller.forget(listener.fileno())
            self._timers.add(time.monotonic_ns() + _PAUSE_NS, partial(self._watch, listener))
            return
        sock.setblocking(False)
        local = sock.family == socket.AF_UNIX
        if local and not same_user(sock):
            self._refusals.tell(logging.WARNING, "refused a connection: it is of another user")
            sock.close()
            return
        if not local:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._enter(sock, local)

    def _sweep_later(self) -> None:
        if self._unproved and not self._sweeping:
            self._sweeping = True
            _, due = next(iter(self._unproved.values()))
            self._timers.add(due, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        now = time.monotonic_ns()
        for link, due in tuple(self._unproved.values()):
            if due > now:
                break
            link.close(f"it has proved nothing for {PROOF_NS // 1_000_000_000} s")
        self._sweep_later()
