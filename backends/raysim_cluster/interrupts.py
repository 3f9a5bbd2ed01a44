"""Interrupts the task in a worker's main thread, once it was cancelled. Never breaks a role off half-way.

A signal makes Python call the handler between two steps of whatever the main thread does, and ends
`time.sleep` and its like. Only user code gets a KeyboardInterrupt: at once where it runs itself, and
as soon as the runtime returns to it where it has called that. A thread that blocks in the pump is
told to leave it, and raises there.
"""

import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from raysim.config import MS
from raysim.protocol.host import RunnableTask, Waiter
from raysim.runtime.execution import call_user_code
from raysim_cluster.listening import Listening
from raysim_cluster.parked import Stop

if TYPE_CHECKING:
    from raysim_cluster.user_host import UserHost

_AGAIN_NS: Final = 2 * MS
"""Between two signals, until one finds user code on the stack. Ours."""

_RUNTIME: Final = ("raysim.protocol.", "raysim.runtime.", "raysim.api.", "raysim_cluster.")
"""Modules that user code calls and that are not to be left half-way."""


class Interrupts:
    def __init__(self, host: "UserHost") -> None:
        """In the main thread."""
        self._host = host
        self._main = threading.get_ident()
        self._stop = Stop()
        self._wanted: RunnableTask | None = None
        self._armed: FrameType | None = None
        self._traced: Any = None
        """The tracing function that stood there before."""
        self._current: RunnableTask | None = None
        signal.signal(signal.SIGINT, self._on_signal)

    def enter(self, task: RunnableTask) -> None:
        """The main thread runs this now."""
        self._current = task

    def leave(self) -> None:
        self._current = None
        if self._armed is not None:
            self._disarm()

    def begin(self, task: RunnableTask) -> None:
        """Under the lock, from any thread. A task that has not begun sees by itself that it was cancelled."""
        self._wanted = task
        self._insist(task)

    def _insist(self, task: RunnableTask) -> None:
        if self._wanted is not task or self._current is not task or self._armed is not None:
            return
        self._stop.requested = True
        self._host.pump.wake_all()
        signal.pthread_kill(self._main, signal.SIGINT)
        self._host.call_later(_AGAIN_NS, lambda: self._insist(task))

    def block(self, waiter: Waiter, timeout_ns: int | None, listening: Listening | None) -> bool:
        """As the pump's. Raises KeyboardInterrupt in the main thread."""
        if threading.get_ident() != self._main:
            return self._host.pump.block(waiter, timeout_ns, Stop(), listening)
        deadline = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        while True:
            done = self._host.pump.block(waiter, timeout_ns, self._stop, listening)
            if not self._stop.requested:
                return done
            self._stop.requested = False
            if self._take():
                raise KeyboardInterrupt
            # It was meant for a task that has ended since.
            if deadline is not None:
                timeout_ns = max(0, deadline - time.monotonic_ns())

    def _take(self) -> bool:
        """Whether what runs is to be interrupted; that is done then."""
        if self._wanted is None or self._wanted is not self._current:
            return False
        self._wanted = None
        self._stop.requested = False
        self._disarm()
        return True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._wanted is None or self._wanted is not self._current or self._armed is not None:
            return
        user = _user_frame(frame)
        if user is None:
            return  # It is about to begin, or has just ended: another signal follows if it has to.
        if user is frame:
            self._take()
            raise KeyboardInterrupt
        self._arm(user)

    def _arm(self, frame: FrameType) -> None:
        """Have the frame raise when it goes on."""
        self._armed, self._traced = frame, sys.gettrace()
        frame.f_trace = self._on_return
        frame.f_trace_opcodes = True
        sys.settrace(lambda called, event, argument: None)

    def _disarm(self) -> None:
        armed, self._armed = self._armed, None
        if armed is not None:
            armed.f_trace = None
            armed.f_trace_opcodes = False
            sys.settrace(self._traced)

    def _on_return(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self._take():
            raise KeyboardInterrupt
        return None


def _user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of user code that the runtime does not call for purposes of its own."""
    user: FrameType | None = None
    while frame is not None:
        if frame.f_code is call_user_code.__code__:
            return user or frame
        if str(frame.f_globals.get("__name__")).startswith(_RUNTIME):
            user = None
        elif user is None:
            user = frame
        frame = frame.f_back
    return None
