"""Threads that simulated code starts: greenlets of its process. Never a thread of the operating system.

Such a thread runs in virtual time, waits and is waited for there, and ends with its process. Threads that
installed libraries start for themselves stay real: see escapes.
"""

import _threading_local
import sys
import threading
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from greenlet import GreenletExit, getcurrent, greenlet

from raysim.protocol.host import Waiter
from raysim_sim.virtual_locks import made_by_program
from raysim_sim.virtual_time import running_host

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost

_LIFE: Final = "_raysim_life"
"""The attribute of a thread that holds its Life, if it is one of these."""

_FIRST_NUMBER: Final = 1 << 46
"""Of the idents of these threads; real ones are addresses or small numbers. Ours."""

_threads: Final[dict[greenlet, threading.Thread]] = {}
"""Those that run."""


class Life:
    """Of one thread: whether it has ended, and who waits for that."""

    def __init__(self, host: "UserHost", number: int) -> None:
        self.host = host
        self.ident = _FIRST_NUMBER + number
        self.ended = False
        self._waiting: list[Waiter] = []

    def end(self, thread: Any) -> None:
        self.ended = True
        # So that the real methods, once they are back, find a thread that has ended.
        thread._started.set()
        if hasattr(thread, "_is_stopped"):
            thread._is_stopped = True
        else:
            thread._handle = _Ended()
        for waiter in self._waiting:
            waiter.finish()

    def join(self, timeout: float | None) -> None:
        if self.ended:
            return
        waiter = Waiter()
        self._waiting.append(waiter)
        self.host.block(waiter, None if timeout is None else max(0, round(timeout * 1e9)))
        if not waiter.done:
            self._waiting.remove(waiter)


class _Ended:
    """Stands for the operating system's thread, from Python 3.13 on."""

    ident = 0

    def is_done(self) -> bool:
        return True

    def join(self, timeout: float | None = None) -> None:
        """It has ended."""


def virtual() -> list[tuple[Any, str, Any]]:
    """Holders, names, and what stands there while a world runs."""
    kind = threading.Thread
    return [
        (kind, "start", _start_instead(kind.start, count(1))),
        (kind, "join", _join_instead(kind.join)),
        (kind, "is_alive", _is_alive_instead(kind.is_alive)),
        (kind, "ident", _ident_instead(kind.ident)),
        (kind, "native_id", _ident_instead(kind.native_id)),
        (threading, "current_thread", _current_instead(threading.current_thread)),
        (_threading_local, "current_thread", _current_instead(threading.current_thread)),
        (threading, "get_ident", _get_ident_instead(threading.get_ident)),
        (threading, "local", _threading_local.local),
    ]


def _life(thread: object) -> Life | None:
    found: Life | None = thread.__dict__.get(_LIFE)
    return found


def _start_instead(real: Callable[[Any], None], numbers: Any) -> Callable[[Any], None]:
    def start(self: Any) -> None:
        host = running_host()
        if host is None or not made_by_program(sys._getframe(1)) or _waits_for_real(self):
            return real(self)
        if not self._initialized:
            raise RuntimeError("thread.__init__() not called")
        if _life(self) is not None or self._started.is_set():
            raise RuntimeError("threads can only be started once")
        setattr(self, _LIFE, Life(host, next(numbers)))
        host.users.beside(host, lambda: _run(self))
        return None

    return start


def _waits_for_real(thread: Any) -> bool:
    """A pool that was made before there was a world: its queue would stop everything."""
    return any(isinstance(argument, SimpleQueue) for argument in getattr(thread, "_args", ()))


def _run(thread: Any) -> None:
    fiber = getcurrent()
    _threads[fiber] = thread
    life = _life(thread)
    assert life is not None
    try:
        thread.run()
    except (GreenletExit, SystemExit):
        if not life.host.alive:
            raise
    except BaseException:  # noqa: BLE001  (what a thread does not catch is shown)
        thread._invoke_excepthook(thread)
    finally:
        del _threads[fiber]
        life.end(thread)


def _join_instead(real: Callable[..., None]) -> Callable[..., None]:
    def join(self: Any, timeout: float | None = None) -> None:
        life = _life(self)
        if life is None:
            return real(self, timeout)
        if _threads.get(getcurrent()) is self:
            raise RuntimeError("cannot join current thread")
        return life.join(timeout)

    return join


def _is_alive_instead(real: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def is_alive(self: Any) -> bool:
        life = _life(self)
        return real(self) if life is None else not life.ended

    return is_alive


def _ident_instead(real: Any) -> property:
    def ident(self: Any) -> Any:
        life = _life(self)
        return real.fget(self) if life is None else life.ident

    return property(ident)


def _current_instead(real: Callable[[], threading.Thread]) -> Callable[[], threading.Thread]:
    def current_thread() -> threading.Thread:
        return _threads.get(getcurrent()) or real()

    return current_thread


def _get_ident_instead(real: Callable[[], int]) -> Callable[[], int]:
    def get_ident() -> int:
        thread = _threads.get(getcurrent())
        life = None if thread is None else _life(thread)
        return real() if life is None else life.ident

    return get_ident
