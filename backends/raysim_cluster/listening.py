"""How one thread waits for inboxes: beside the sockets, or for them alone. Never what a value means.

While values alone keep a thread busy, it sleeps in its inboxes, and the pump's helper answers for the
process: to wait for both at once costs each pass more than to hand over what comes now and then.
"""

import os
import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from raysim_cluster.poller import READ, Poller, poll
from raysim_cluster.spinning import SpinOrSleep

if TYPE_CHECKING:
    from raysim_cluster.inboxes import PipeInbox

ALONE_AFTER: Final = 16
"""Waits in a row that nothing but values ended, until a thread leaves the sockets to the helper. Ours: the
hand-over costs about as much as one pass."""

NO_ALARM: Final = 1 << 63


class Listening:
    """Inboxes that one thread waits for, and its poller beside them."""

    def __init__(self, poller: Poller, spins_ns: int) -> None:
        """`spins_ns`: how long the waits may be before which the thread keeps its core for a moment."""
        self._poller = poller
        spins = len(os.sched_getaffinity(0)) > 1
        self._spinning = SpinOrSleep(spins_ns) if spins else None
        self._epoll = select.epoll()
        self._epoll.register(poller.fileno(), READ)
        self._poll = select.poll()
        """The inboxes without the poller."""
        self._inboxes: dict[int, PipeInbox] = {}
        self.heard = False
        """Some inbox has something that nobody took."""
        self.alone = False
        """The thread waits for nothing else."""
        self.deadline: int | None = None
        """Until when the thread sleeps that is alone; None: as long as it takes."""
        self.alarm = NO_ALARM
        """When it will be woken at the latest, to look at its deadline."""
        self._only: PipeInbox | None = None
        """The inbox, where there is one."""
        self._others = -1
        self._streak = 0

    def add(self, inbox: "PipeInbox") -> None:
        """From any thread. One that sleeps alone hears of it once it is woken."""
        self._others = -1
        self._inboxes[inbox.fd] = inbox
        self._count()
        self._epoll.register(inbox.fd, READ)
        self._poll.register(inbox.fd, READ)

    def remove(self, inbox: "PipeInbox") -> None:
        self._others = -1
        if self._inboxes.pop(inbox.fd, None) is not None:
            self._count()
            self._epoll.unregister(inbox.fd)
            self._poll.unregister(inbox.fd)

    def _count(self) -> None:
        inboxes = tuple(self._inboxes.values())
        self._only = inboxes[0] if len(inboxes) == 1 else None

    def chooses_alone(self, others: int) -> bool:
        """Before each wait, by the thread that waits. `others`: how often its process had to do with
        anything but inboxes."""
        if others != self._others:
            self._others = others
            self._streak = 0
            self.alone = False
            for inbox in tuple(self._inboxes.values()):
                inbox.set_blocking(False)
        elif not self.alone:
            self._streak += 1
            self.alone = self._streak >= ALONE_AFTER
        return self.alone

    def wait(self, timeout_ns: int) -> list[tuple[int, int]]:
        """As the poller's, and until an inbox has something."""
        others = False
        for fd, _ in poll(self._epoll, timeout_ns):
            inbox = self._inboxes.get(fd)
            if inbox is None:
                others = True
            else:
                inbox.readable = self.heard = True
        return self._poller.wait(0) if others else []

    def sleep(self, timeout_ns: int | None) -> bool:
        """Alone: until an inbox has something, or `wake`, which the alarm calls in time; not at all for 0.
        Whether something was heard."""
        only = self._only
        if only is not None and timeout_ns != 0:
            self.heard = only.read() if self._spinning is None else self._spin(only, self._spinning)
            return self.heard
        for fd, _ in self._poll.poll(0 if timeout_ns == 0 else None):
            inbox = self._inboxes.get(fd)
            if inbox is not None:
                inbox.set_blocking(False)
                inbox.readable = self.heard = True
        return self.heard

    def _spin(self, inbox: "PipeInbox", spinning: SpinOrSleep) -> bool:
        limit_ns = spinning.limit_ns()
        begin = time.monotonic_ns()
        if not limit_ns:
            heard = inbox.read()
            spinning.slept(time.monotonic_ns() - begin)
            return heard
        poll, end = self._poll.poll, begin + limit_ns
        while not poll(0):
            if time.monotonic_ns() > end:
                spinning.missed()
                break
        else:
            spinning.hit()
        return inbox.read()

    def wake(self) -> None:
        """End the sleep under way, or the next one. From any thread and from signal handlers."""
        for inbox in tuple(self._inboxes.values())[:1]:
            inbox.knock()

    def announce(self, action: Callable[[], None]) -> None:
        """Call `action` once something has come into one of them: for a thread that others poll for."""
        for inbox in tuple(self._inboxes.values()):
            inbox.announce(action)

    def close(self) -> None:
        self._inboxes.clear()
        self._epoll.close()
