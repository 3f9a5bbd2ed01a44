"""Interrupts the task in a worker's main thread, once it was cancelled. Never breaks a role off half-way.

A signal makes Python call the handler between two steps of whatever the main thread does, and ends
`time.sleep` and its like. Only user code gets a KeyboardInterrupt from it. A thread that blocks in
the pump is told to leave it, and raises there; anywhere else in the runtime the signal is of no
effect and is sent again soon.
"""

import signal
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Final

from raysim.config import MS
from raysim.protocol.host import RunnableTask, Waiter
from raysim.runtime.execution import call_user_code
from raysim_cluster.pump import Stop

if TYPE_CHECKING:
    from raysim_cluster.user_host import UserHost

_AGAIN_NS: Final = 2 * MS
"""Between two signals to a task that could not be interrupted where it was."""

_RUNTIME: Final = ("raysim.protocol.", "raysim.runtime.", "raysim_cluster.")
"""Modules that user code calls and that are not to be left half-way."""


class Interrupts:
    def __init__(self, host: "UserHost") -> None:
        """In the main thread."""
        self._host = host
        self._main = threading.get_ident()
        self._stop = Stop()
        self._wanted: RunnableTask | None = None
        self.current: RunnableTask | None = None
        """What the main thread runs."""
        signal.signal(signal.SIGINT, self._on_signal)

    def begin(self, task: RunnableTask) -> None:
        """Under the lock, from any thread. A task that has not begun sees by itself that it was cancelled."""
        self._wanted = task
        self._insist(task)

    def _insist(self, task: RunnableTask) -> None:
        if self._wanted is not task or self.current is not task:
            return
        self._stop.requested = True
        self._host.pump.wake_all()
        signal.pthread_kill(self._main, signal.SIGINT)
        self._host.call_later(_AGAIN_NS, lambda: self._insist(task))

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        """As the pump's. Raises KeyboardInterrupt in the main thread."""
        if threading.get_ident() != self._main:
            return self._host.pump.block(waiter, timeout_ns, Stop())
        deadline = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        while True:
            done = self._host.pump.block(waiter, timeout_ns, self._stop)
            if not self._stop.requested:
                return done
            self._stop.requested = False
            if self._take():
                raise KeyboardInterrupt
            # It was meant for a task that has ended since.
            if deadline is not None:
                timeout_ns = max(0, deadline - time.monotonic_ns())

    def _take(self) -> bool:
        if self._wanted is None or self._wanted is not self.current:
            return False
        self._wanted = None
        self._stop.requested = False
        return True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if _is_user_code(frame) and self._take():
            raise KeyboardInterrupt


def _is_user_code(frame: FrameType | None) -> bool:
    """Whether the runtime's innermost function on the stack is the one that called user code."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_RUNTIME):
            return frame.f_code is call_user_code.__code__
        frame = frame.f_back
    return False
