"""The host of a driver: the user's own process. Never ends it, and never breaks a role off half-way."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from raysim.exceptions import LocalRayletDiedError
from raysim.protocol.host import RunnableTask, Waiter
from raysim.spec.address import Address
from raysim_cluster.inboxes import Listening
from raysim_cluster.pump import Stop
from raysim_cluster.user_host import UserHost


class DriverHost(UserHost):
    """Adds what a process of the user's needs: Ctrl-C at the right moment, and an error when the
    cluster is gone."""

    raylet: Address | None = None
    _interrupt = Stop()
    _guarded = False
    """The main thread blocks: an interrupt waits until it has left the pump."""
    _previous: Any = None
    """The program's own handler of SIGINT, while ours stands before it."""
    _pending: tuple[int, FrameType | None] | None = None
    _gone = ""

    def listen(self, waiter: Waiter, timeout_ns: int | None, listening: Listening | None) -> bool:
        if self._previous is None or threading.current_thread() is not threading.main_thread():
            done = super().listen(waiter, timeout_ns, listening)
        else:
            done = self._block_main(waiter, timeout_ns, listening)
        if not done and self._gone:
            raise LocalRayletDiedError(
                f"The cluster of this program is gone: {self._gone}. Start another one with init()."
            )
        return done

    def run(self, task: RunnableTask) -> None:
        raise AssertionError(f"a driver runs no tasks, but was given {task.call.task_id.hex()}")

    def exit(self, reason: str) -> None:
        """What this process waits for will not come."""
        self._gone = reason
        self.pump.end()

    def catch_interrupts(self) -> None:
        """Ctrl-C waits until no role is at work, so that it never leaves one half-way.

        Only in the main thread, where Python handles signals; elsewhere nothing changes.
        """
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):
                self._interrupt = Stop()
                self._previous = previous
                signal.signal(signal.SIGINT, self._on_interrupt)

    def release_interrupts(self) -> None:
        if (
            self._previous is not None
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) == self._on_interrupt
        ):
            signal.signal(signal.SIGINT, self._previous)
        self._previous = None

    def close_after(self, limit_ns: int) -> None:
        self.release_interrupts()
        super().close_after(limit_ns)

    # --- inside -------------------------------------------------------------------------------

    def _block_main(
        self, waiter: Waiter, timeout_ns: int | None, listening: Listening | None
    ) -> bool:
        self._guarded = True
        try:
            done = self.pump.block(waiter, timeout_ns, self._interrupt, listening)
        finally:
            self._guarded = False
        if self._interrupt.requested:
            self._raise_interrupt()
        return done

    def _lost(self, peer: Address) -> None:
        super()._lost(peer)
        if self.raylet is not None and peer.worker_id == self.raylet.worker_id:
            self.exit("the process of its head node ended")

    def _released(self) -> None:
        if self._interrupt.requested and not self._guarded and self._in_main():
            self._raise_interrupt()
        super()._released()

    def _in_main(self) -> bool:
        return threading.get_ident() == threading.main_thread().ident

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._guarded or self._lock.holder == threading.main_thread().ident:
            self._pending = (number, frame)
            self._interrupt.requested = True
            self.pump.wake_all()
        else:
            self._previous(number, frame)

    def _raise_interrupt(self) -> None:
        pending, self._pending = self._pending, None
        self._interrupt.requested = False
        handler: Callable[[int, FrameType | None], Any] | None = self._previous
        if pending is not None and handler is not None:
            handler(*pending)
