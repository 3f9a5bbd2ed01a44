"""Locks of simulated programs: who has to wait parks, and the simulation goes on. Never a real thread.

The code of all processes and their threads runs in greenlets of one thread, where a lock of the operating
system that is taken stops everything. So what programs make of `threading`, `queue` and thread pools stands
on these, and locks that were there before are waited for in steps. Real threads must not share the former.
"""

import _thread
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic as _real_monotonic
from types import FrameType, GenericAlias, TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from greenlet import getcurrent

from raysim.protocol.host import Waiter
from raysim_sim.builtin_types import method_of
from raysim_sim.virtual_time import is_program, running_host

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost

LockType: Final = _thread.LockType

_MAKERS: Final = frozenset(
    {"threading", "queue", "concurrent.futures", "concurrent.futures._base"}
    | {"concurrent.futures.thread", __name__}
)
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

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.lock' object")

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

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.RLock' object")

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
    if host is None:
        raise RuntimeError(
            "a lock that simulated code made and holds is waited for outside of the simulation, where nobody "
            "can release it; make it before raysim.init() or after raysim.shutdown()"
        )
    return host


class _KindOfQueue(type):
    """`queue.SimpleQueue` is written in C, around a lock that never parks."""

    def __call__(cls) -> Any:
        if running_host() is not None and made_by_program(sys._getframe(1)):
            return _SIMPLE_QUEUES[1]()
        return _SIMPLE_QUEUES[0]()

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _SIMPLE_QUEUES)


_SIMPLE_QUEUES: Final = (queue.SimpleQueue, queue._PySimpleQueue)  # type: ignore[attr-defined]  # Typeshed lacks the second.


class SimpleQueue(metaclass=_KindOfQueue):
    def __class_getitem__(cls, item: object) -> GenericAlias:
        return GenericAlias(cls, item)


def virtual() -> list[tuple[Any, str, Any]]:
    """Modules, names, and what stands there while a world runs."""
    made: list[tuple[Any, str, Any]] = [(queue, "SimpleQueue", SimpleQueue)]
    for name, kind in (
        ("Lock", VirtualLock),
        ("_allocate_lock", VirtualLock),
        ("RLock", VirtualRLock),
    ):
        made.append((threading, name, _instead(getattr(threading, name), kind)))
    made.append((threading, "_time", _time_of_waits))
    made.append((queue, "time", _time_of_waits))
    return made


def _instead(real: Callable[[], Any], kind: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        if running_host() is None or not made_by_program(sys._getframe(1)):
            return real()
        return kind()

    return make


def made_by_program(frame: FrameType | None) -> bool:
    """Whether a program asked for this lock, or for an event, a queue or a pool made of it."""
    while frame is not None and frame.f_globals.get("__name__") in _MAKERS:
        if frame.f_code is _STARTED_IN:
            return False
        frame = frame.f_back
    return frame is not None and is_program(frame)


_STARTED_IN: Final = threading.Thread.__init__.__code__
"""Where a thread makes the event of its own start."""


def _time_of_waits() -> float:
    """For the time-outs of conditions, semaphores and queues."""
    host = running_host()
    return _real_monotonic() if host is None else host.clock.now_ns / 1e9


# --- locks of the operating system ---

_real_acquire: Final = method_of(LockType, "acquire")


def _acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
    """Of a lock that was made before there was a world, or by a library. Where simulated code waits for one,
    another greenlet of the same thread may hold it: the simulation has to go on."""
    host = running_host()
    if host is None:
        return bool(_real_acquire(self, blocking, timeout))
    if _real_acquire(self, False):
        return True
    if not blocking:
        return False
    if getcurrent() is host.users.hub and host is not host.users.driver:
        return bool(_real_acquire(self, blocking, timeout))  # A role asks, which cannot wait.
    ends_ns = None if timeout < 0 else host.clock.now_ns + round(timeout * 1e9)
    pause_ns = _FIRST_LOOK_NS
    while ends_ns is None or host.clock.now_ns < ends_ns:
        host.block(Waiter(), pause_ns)
        look = (True, _REAL_LOOK_S) if _held_by_threads() else (False,)
        if _real_acquire(self, *look):
            return True
        pause_ns = min(2 * pause_ns, _LAST_LOOK_NS)
    return False


def _held_by_threads() -> bool:
    """Whether there are real threads beside this one, any of which may be the one that is waited for."""
    return _thread._count() > 0


_FIRST_LOOK_NS: Final = 1_000
_LAST_LOOK_NS: Final = 1_000_000
"""Between two looks at a real lock, in virtual time: it tells nobody when it is free."""
_REAL_LOOK_S: Final = 0.01
"""And in real time, where a real thread may hold it."""


def virtual_methods() -> list[tuple[type, str, Any]]:
    return [(LockType, name, _acquire) for name in ("acquire", "acquire_lock", "__enter__")]
