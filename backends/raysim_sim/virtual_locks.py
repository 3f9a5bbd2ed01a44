"""Locks of a simulated threaded actor: who has to wait parks, and the simulation goes on. Never a real thread.

The calls of such an actor run in greenlets of one thread, where a lock of the operating system that is
taken stops everything. So what its code makes of `threading` and `queue` stands on these. Real threads that
it starts itself must not share them.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from greenlet import getcurrent

from raysim.protocol.host import Waiter
from raysim_sim.virtual_time import is_installed, running_host

if TYPE_CHECKING:
    from raysim_sim.hosts import UserHost

_MAKERS: Final = frozenset({"threading", "queue"})
"""Modules whose objects are made of locks."""


class VirtualLock:
    """As `threading.Lock`: whoever waits longest gets it next."""

    def __init__(self) -> None:
        self._locked = False
        self._waiting: deque[Waiter] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self._locked:
            self._locked = True
            return True
        if not blocking:
            return False
        waiter = Waiter()
        self._waiting.append(waiter)
        try:
            _running().block(waiter, None if timeout < 0 else int(timeout * 1e9))
        except BaseException:
            if waiter.done:
                self.release()
            else:
                self._waiting.remove(waiter)
            raise
        if not waiter.done:
            self._waiting.remove(waiter)
        return waiter.done

    def release(self) -> None:
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        if self._waiting:
            self._waiting.popleft().finish()  # It stays locked: handed on.
        else:
            self._locked = False

    def locked(self) -> bool:
        return self._locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class VirtualRLock:
    """As `threading.RLock`: of a greenlet instead of a thread."""

    def __init__(self) -> None:
        self._lock = VirtualLock()
        self._owner: object = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._owner is not getcurrent():
            if not self._lock.acquire(blocking, timeout):
                return False
            self._owner = getcurrent()
        self._count += 1
        return True

    def release(self) -> None:
        if self._owner is not getcurrent():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    # What `threading.Condition` asks of its lock.

    def _is_owned(self) -> bool:
        return self._owner is getcurrent()

    def _release_save(self) -> int:
        count, self._count = self._count, 0
        self._owner = None
        self._lock.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        self._lock.acquire()
        self._owner, self._count = getcurrent(), count


def _running() -> "UserHost":
    host = running_host()
    assert host is not None, "a lock of simulated code is waited for outside of the simulation"
    return host


def virtual() -> list[tuple[str, Callable[[], Any]]]:
    """Names of `threading`, and what stands there while a world runs."""
    made: list[tuple[str, Callable[[], Any]]] = []
    for name, kind in (
        ("Lock", VirtualLock),
        ("_allocate_lock", VirtualLock),
        ("RLock", VirtualRLock),
    ):
        made.append((name, _instead(getattr(threading, name), kind)))
    return made


def _instead(real: Callable[[], Any], kind: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        host = running_host()
        if host is None or not host.threaded or not _for_program(sys._getframe(1)):
            return real()
        return kind()

    return make


def _for_program(frame: FrameType | None) -> bool:
    """Whether a program made this lock, or an event or a queue with it."""
    while frame is not None and frame.f_globals.get("__name__") in _MAKERS:
        if frame.f_code is threading.Thread.__init__.__code__:
            return False
        frame = frame.f_back
    return frame is not None and not is_installed(frame.f_code.co_filename)
