"""The host of a process with user code: a driver (driver.py) or a worker (worker.py). Never runs that code."""

import logging
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from raysim.config import Config
from raysim.journal import Infeasible, Journal, Note
from raysim.protocol.host import Inbox, Outlet, RunnableTask, StoreAccess, Waiter
from raysim.spec.ids import NodeId, TaskId, WorkerId
from raysim_cluster.host import LoopHost
from raysim_cluster.inboxes import PipeInbox, PipeOutlet
from raysim_cluster.listening import Listening
from raysim_cluster.lock import HostLock
from raysim_cluster.parked import Stop
from raysim_cluster.pump import Pump
from raysim_cluster.session import Session

NEVER = Stop()


class UserHost(LoopHost):
    """What driver and worker share of a ProcessHost. Roles are called under `lock` only."""

    store: StoreAccess
    """Of a driver once its node runs."""
    unwinding: tuple[type[BaseException], ...] = ()
    guard: AbstractContextManager[object] = nullcontext()

    def __init__(
        self,
        session: Session,
        node_id: NodeId,
        worker_id: WorkerId,
        *,
        config: Config,
        seed: int,
        name: str,
        store: StoreAccess | None = None,
        journal: Journal | None = None,
    ) -> None:
        super().__init__(
            session, node_id, worker_id, config=config, seed=seed, name=name, journal=journal
        )
        if store is not None:
            self.store = store
        self.pid = os.getpid()
        self._log = logging.getLogger("raysim")
        self._callbacks: ThreadPoolExecutor | None = None
        """Where what user code hung on futures runs."""
        self._soon: deque[Callable[[], None]] = deque()
        self._lock = HostLock(self.settle, self._released, self.timers)
        self.lock: AbstractContextManager[object] = self._lock
        self.pump = Pump(self, self._lock)
        self.pipes: dict[PipeInbox | PipeOutlet, None] = {}
        """Of compiled graphs, those that are open."""

    def note(self, note: Note) -> None:
        if type(note) is Infeasible:
            self._log.warning("%s", note.text)
        if self.takes_notes:
            super().note(note)

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        return waiter.done or self.listen(waiter, timeout_ns, None)

    def listen(self, waiter: Waiter, timeout_ns: int | None, listening: Listening | None) -> bool:
        """As `block`, and until something was heard."""
        return self.pump.block(waiter, timeout_ns, NEVER, listening)

    def inbox(self, graph_id: TaskId) -> Inbox | None:
        try:
            inbox = PipeInbox(self, graph_id)
        except OSError:
            return None  # No descriptors are left; messages need none.
        self.pipes[inbox] = None
        return inbox

    def outlet(self, place: str) -> Outlet | None:
        outlet = PipeOutlet.to(self, place)
        if outlet is not None:
            self.pipes[outlet] = None
        return outlet

    def serve(self, inbox: PipeInbox) -> None:
        raise AssertionError("no methods run in this process")

    def serve_no_more(self, inbox: PipeInbox) -> None:
        """It is closed."""

    def ring(self, inbox: PipeInbox) -> None:
        """As if something had come into an inbox that is served."""

    def outside(self, action: Callable[[], None]) -> None:
        if self._callbacks is None:
            self._callbacks = ThreadPoolExecutor(1, "raysim-callbacks")
        self._callbacks.submit(action)

    def take_back(self, task: RunnableTask) -> bool:
        raise AssertionError(f"no task runs here, but {task.call.task_id.hex()} was taken back")

    def interrupt(self, task: RunnableTask) -> None:
        raise AssertionError(f"no task runs here, but {task.call.task_id.hex()} was interrupted")

    def preempt(self, task: RunnableTask) -> None:
        raise AssertionError(f"no task runs here, but {task.call.task_id.hex()} was preempted")

    def soon(self, action: Callable[[], None]) -> None:
        self._soon.append(action)
        self.pump.kick()

    def settle(self) -> None:
        soon, transport = self._soon, self.transport
        if not (soon or transport.unsent or self._own or self._turn or transport.lost):
            return
        while True:
            while soon:
                soon.popleft()()
            super().settle()
            if not soon:
                return

    def close_after(self, limit_ns: int) -> None:
        """Let what was sent leave, at most so long; then end all connections and the helper."""
        self.pump.close()
        if self._callbacks is not None:
            self._callbacks.shutdown(wait=False, cancel_futures=True)
        with self.lock:
            self.drain(limit_ns)
            for pipe in list(self.pipes):
                pipe.close()
            self.close()

    def abandon(self) -> None:
        """In a fork, which is no part of the cluster."""
        self.pump.abandon()
        self.transport.abandon()
        for pipe in self.pipes:
            pipe.abandon()
        self.pipes.clear()
        self.poller.abandon()

    def _released(self) -> None:
        """The lock is free again, and there may be something to do."""
        self.pump.look()
