"""Which descriptors are watched, and who is told. Never a message, never a lock."""

import os
import select
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from raysim.config import MS
from raysim_cluster.spinning import SpinUnlessInVain

Handler: TypeAlias = Callable[[int], None]
"""Called with the event mask."""

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
SPIN_NS: Final = 50_000
"""How long a thread looks again and again before it sleeps: what it has asked for is often answered by then, and to
be woken costs both sides more than that. Measured: an answer takes 30 us."""

_SELECT_LIMIT: Final = 1024
"""FD_SETSIZE: a descriptor above it cannot be given to select(2)."""


LONGEST_NS: Final = 3_600_000 * MS
"""What a wait is cut to: the kernel and the interpreter take no time-out of months. Whoever waits looks at the
clock afterwards, and waits again."""


def poll(epoll: select.epoll, timeout_ns: int) -> list[tuple[int, int]]:
    """Events, or an empty list on time-out. Negative: without limit."""
    if timeout_ns > LONGEST_NS:
        timeout_ns = LONGEST_NS
    if 0 < timeout_ns < MS and epoll.fileno() < _SELECT_LIMIT:
        # epoll_wait counts in whole milliseconds: too coarse for a timer of 200 us.
        select.select([epoll], (), (), timeout_ns / 1e9)
        timeout_ns = 0
    return epoll.poll(timeout_ns / 1e9 if timeout_ns >= 0 else None, 64)


class Poller:
    """epoll with a handler for each descriptor, and a way to wake whoever waits in it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._forgotten: set[int] = set()
        """Since the last batch of events: what there still is of theirs is not their successors'. An event of
        such a one is put off, and comes again."""
        self._spinning = SpinUnlessInVain()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._wake, self._woken, READ)

    def watch(self, fd: int, handler: Handler, events: int) -> None:
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Before the descriptor is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)
            self._forgotten.add(fd)

    def wake(self) -> None:
        """End the wait under way, or the next one. From any thread and from signal handlers."""
        os.eventfd_write(self._wake, 1)

    def wait(self, timeout_ns: int) -> list[tuple[int, int]]:
        """Descriptors and their events; an empty list on time-out. Negative: without limit."""
        return poll(self._epoll, timeout_ns)

    def wait_awake(self, timeout_ns: int) -> list[tuple[int, int]]:
        """As `wait`, by a thread that an answer is likely to reach soon."""
        if timeout_ns and self._spinning.tries():
            look = self._epoll.poll
            end = time.monotonic_ns() + (min(SPIN_NS, timeout_ns) if timeout_ns > 0 else SPIN_NS)
            while True:
                events = look(0, 64)
                if events:
                    self._spinning.hit()
                    return events
                if time.monotonic_ns() >= end:
                    break
            self._spinning.missed()
            if 0 < timeout_ns <= SPIN_NS:
                return events
        return poll(self._epoll, timeout_ns)

    def fileno(self) -> int:
        """Readable when some watched descriptor has an event."""
        return self._epoll.fileno()

    def handle(self, events: list[tuple[int, int]]) -> None:
        handlers = self._handlers
        for fd, mask in events:
            handler = handlers.get(fd)
            # An earlier handler of this batch may have closed it, and opened another of its number.
            if handler is not None and fd not in self._forgotten:
                handler(mask)
        self._forgotten.clear()

    def abandon(self) -> None:
        """In a fork: the parent goes on watching; only this process's descriptors go."""
        self._epoll.close()
        os.close(self._wake)

    def close(self) -> None:
        self._handlers.clear()
        self._epoll.close()
        os.close(self._wake)

    def _woken(self, _mask: int) -> None:
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:  # Another thread read it first.
            return
