"""The host of a driver: the user's own process. Never ends it, and never breaks a role off half-way."""

import signal
import threading
from collections.abc import Callable
from threading import get_ident
from types import FrameType, TracebackType
from typing import Any

from raysim.exceptions import LocalRayletDiedError
from raysim.protocol.host import RunnableTask, Waiter
from raysim.spec.address import Address
from raysim_cluster.listening import Listening
from raysim_cluster.parked import Stop
from raysim_cluster.user_host import NEVER, UserHost


class Guard:
    """What the main thread does inside, Ctrl-C waits for. Costs less than the lock, and keeps nobody else out."""

    def __init__(self, host: "DriverHost", main: int | None) -> None:
        self._host = host
        self._main = main
        self.depth = 0

    def __enter__(self) -> None:
        if get_ident() == self._main:
            self.depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if get_ident() == self._main:
            self.depth -= 1
            if self._host.interrupted and not self.depth:
                self._host.interrupt_if_free()


class DriverHost(UserHost):
    """Adds what a process of the user's needs: Ctrl-C at the right moment, and an error when the
    cluster is gone."""

    raylet: Address | None = None
    _interrupt = Stop()
    _previous: Any = None
    """The program's own handler of SIGINT, while ours stands before it."""
    _pending: tuple[int, FrameType | None] | None = None
    _gone = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._main = threading.main_thread().ident
        self._guard = Guard(self, self._main)
        self.guard = self._guard

    def listen(self, waiter: Waiter, timeout_ns: int | None, listening: Listening | None) -> bool:
        if self._previous is None or get_ident() != self._main:
            done = self.pump.block(waiter, timeout_ns, NEVER, listening)
        elif self._guard.depth:
            done = self.pump.block(waiter, timeout_ns, self._interrupt, listening)
        else:
            with self._guard:
                done = self.pump.block(waiter, timeout_ns, self._interrupt, listening)
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

    def _lost(self, peer: Address) -> None:
        super()._lost(peer)
        if self.raylet is not None and peer.worker_id == self.raylet.worker_id:
            self.exit("the process of its head node ended")

    def _released(self) -> None:
        if self._interrupt.requested and not self._guard.depth and get_ident() == self._main:
            self._raise_interrupt()
        self.pump.look()

    @property
    def interrupted(self) -> bool:
        """An interrupt waits."""
        return self._interrupt.requested

    def interrupt_if_free(self) -> None:
        """The main thread has left what is not to be broken off, unless it holds the lock."""
        if not self._lock.is_mine():
            self._raise_interrupt()

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._guard.depth or self._lock.is_mine():
            self._pending = (number, frame)
            self._interrupt.requested = self._lock.urgent = True
            self.pump.wake_all()
        else:
            self._previous(number, frame)

    def _raise_interrupt(self) -> None:
        pending, self._pending = self._pending, None
        self._interrupt.requested = self._lock.urgent = False
        handler: Callable[[int, FrameType | None], Any] | None = self._previous
        if pending is not None and handler is not None:
            handler(*pending)
