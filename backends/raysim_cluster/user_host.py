"""The host of a process with user code: a driver, or (see worker.py) a worker. Never runs that code."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any

from raysim.config import Config
from raysim.journal import Journal
from raysim.protocol.host import RunnableTask, Waiter
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster.arena import ArenaAccess
from raysim_cluster.host import LoopHost
from raysim_cluster.lock import HostLock
from raysim_cluster.pump import Pump, Stop
from raysim_cluster.transport import Session

_NEVER = Stop()


class UserHost(LoopHost):
    """A ProcessHost on real sockets. Roles are called under `lock` only."""

    unwinding: tuple[type[BaseException], ...] = ()

    def __init__(
        self,
        session: Session,
        node_id: NodeId,
        worker_id: WorkerId,
        *,
        config: Config,
        seed: int,
        name: str,
        store: ArenaAccess,
        journal: Journal | None = None,
    ) -> None:
        super().__init__(
            session, node_id, worker_id, config=config, seed=seed, name=name, journal=journal
        )
        self.store = store
        self.pid = os.getpid()
        self._soon: deque[Callable[[], None]] = deque()
        self.lock = HostLock(self.settle, self._released)
        self.pump = Pump(self, self.lock)
        self._interrupt = Stop()
        self._guarded = False
        """The main thread blocks: an interrupt must wait until it may leave."""
        self._main = threading.main_thread().ident
        self._previous: Any = None
        self._pending: tuple[int, FrameType | None] | None = None
        self._broken = ""

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        if waiter.done:
            return True
        if self._previous is None or threading.get_ident() != self._main:
            return self._waited(self.pump.block(waiter, timeout_ns, _NEVER))
        self._guarded = True
        try:
            done = self.pump.block(waiter, timeout_ns, self._interrupt)
        finally:
            self._guarded = False
        if self._interrupt.requested:
            self._raise_interrupt()
        return self._waited(done)

    def run(self, task: RunnableTask) -> None:
        raise AssertionError(f"a driver runs no tasks, but was given {task.call.task_id.hex()}")

    def soon(self, action: Callable[[], None]) -> None:
        self._soon.append(action)
        self.pump.kick()

    def settle(self) -> None:
        soon = self._soon
        while True:
            while soon:
                soon.popleft()()
            super().settle()
            if not soon:
                return

    def exit(self, reason: str) -> None:
        """A driver is the user's process: it is not ended, but what it waits for will not come."""
        self._broken = reason
        self.pump.wake_all()

    def catch_interrupts(self) -> None:
        """Ctrl-C waits until no role is at work, so that it never leaves one half-way.

        Only in the main thread, where Python handles signals; elsewhere nothing changes.
        """
        if threading.get_ident() == self._main:
            self._previous = signal.getsignal(signal.SIGINT)
            if callable(self._previous):
                signal.signal(signal.SIGINT, self._on_interrupt)
            else:
                self._previous = None

    def release_interrupts(self) -> None:
        if (
            self._previous is not None
            and threading.get_ident() == self._main
            and signal.getsignal(signal.SIGINT) == self._on_interrupt
        ):
            signal.signal(signal.SIGINT, self._previous)
        self._previous = None

    def close_after(self, limit_ns: int) -> None:
        """Let what was sent leave, at most so long; then end all connections and the helper."""
        self.release_interrupts()
        self.pump.close()
        with self.lock:
            self.drain(limit_ns)
            self.close()

    # --- inside -------------------------------------------------------------------------------

    def _waited(self, done: bool) -> bool:
        if not done and self._broken:
            raise RuntimeError(f"The cluster is gone: {self._broken}")
        return done

    def _released(self) -> None:
        """The lock is free again."""
        if self._interrupt.requested and not self._guarded and threading.get_ident() == self._main:
            self._raise_interrupt()
        self.pump.look()

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._guarded or self.lock.holder == self._main:
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
