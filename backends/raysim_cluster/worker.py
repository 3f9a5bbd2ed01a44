"""A worker process: runs calls one after another, and pumps while it has none. Never decides their order."""

import atexit
import faulthandler
import os
import signal
import sys
import threading
import time
from collections import deque
from typing import Final

from raysim.config import MS
from raysim.protocol.executor.actor_queue import CONSTRUCTOR
from raysim.protocol.executor.results import SEND_AFTER_NS, SEND_AT
from raysim.protocol.host import Outcome, ReturnValue, RunnableTask, Waiter
from raysim.protocol.messages import TaskStatus
from raysim.protocol.process import Process
from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.current import set_current
from raysim.runtime.object_ref import OUT_OF_BAND, ObjectRef
from raysim.runtime.unhandled import LOG
from raysim.spec.actor import ActorSpec
from raysim.spec.ids import UNIQUE_ID_BYTES, WorkerId
from raysim.spec.resources import GPU, Accelerators
from raysim.spec.task import Work
from raysim_cluster.arena import Arena, ArenaAccess
from raysim_cluster.beside import Beside
from raysim_cluster.cgroups import enter
from raysim_cluster.control import SetUp, StartNode
from raysim_cluster.inboxes import PipeInbox
from raysim_cluster.interrupts import Interrupts
from raysim_cluster.linux import name_process
from raysim_cluster.listening import Listening
from raysim_cluster.logs import SessionLogs
from raysim_cluster.outputs import Outputs
from raysim_cluster.session import session_name
from raysim_cluster.spinning import FOR_TURN_NS
from raysim_cluster.user_host import NEVER, UserHost

_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"

_LAST_WORDS_NS: Final = 1_000 * MS
"""How long an ending worker tries to get rid of what it has said."""

_LOOK_AT_OUTPUTS_NS: Final = 10_000 * MS
"""Between two looks whether what C libraries have printed fills a file."""


class WorkerHost(UserHost):
    """The ProcessHost of a worker: tasks, and an actor's calls, run in its main thread; those of threaded
    actors in threads, those of asynchronous ones on an event loop in a thread."""

    outputs: Outputs
    """Of its user code."""

    def prepare(self, core_worker: CoreWorker) -> None:
        """In the main thread."""
        self._core_worker = core_worker
        self._interrupts = Interrupts(self)
        self._beside = Beside(core_worker)
        self._queue: deque[RunnableTask] = deque()
        self._here: ActorSpec | None = None
        """The actor whose calls belong into the main thread, once that is known."""
        self._over: deque[tuple[RunnableTask, Outcome]] = deque()
        """Calls whose end the executor has yet to hear of: it is told before the lock is left, by whoever has it."""
        self._over_since_ns = 0
        self._idle = Waiter()
        self._busy = False
        """The main thread is in user code."""
        self._ending = ""
        self._spoken = False
        self._visible = os.environ.get(_VISIBLE)
        self._shown: Accelerators = {}
        self._served: dict[PipeInbox, None] = {}
        self._listening: Listening | None = None
        self._stop_work = threading.Event()
        """What runs is to make room."""
        self._rung = False
        """Somebody has posted something for a compiled graph."""

    def devices(self) -> dict[str, list[str]]:
        """Ids of this machine's GPUs, where somebody has said which of them are ours."""
        return {GPU: self._visible.split(",")} if self._visible else {}

    def run(self, task: RunnableTask) -> None:
        actor = task.actor
        if actor is None or actor is self._here or not self._beside.runs(task, actor):
            self._queue.append(task)
            if not self._idle.done:
                self._idle.finish()
            if task.call.method != CONSTRUCTOR:
                self._here = actor
        elif task.call.method == CONSTRUCTOR:
            self._show_gpus(self._core_worker, task)

    def listen(self, waiter: Waiter, timeout_ns: int | None, listening: Listening | None) -> bool:
        return self._interrupts.block(waiter, timeout_ns, listening)

    def serve(self, inbox: PipeInbox) -> None:
        if self._listening is None:
            self._listening = Listening(self.poller, FOR_TURN_NS)
        self._served[inbox] = None
        self._listening.add(inbox)
        self.ring(inbox)

    def serve_no_more(self, inbox: PipeInbox) -> None:
        del self._served[inbox]
        assert self._listening is not None
        self._listening.remove(inbox)

    def ring(self, inbox: PipeInbox) -> None:
        self._rung = True
        self._idle.finish()

    def take_back(self, task: RunnableTask) -> bool:
        try:
            self._queue.remove(task)
        except ValueError:
            return False  # The main thread has it, or a thread beside.
        return True

    def interrupt(self, task: RunnableTask) -> None:
        if task.actor is not None:
            self._beside.interrupt(task)
        else:
            self._interrupts.begin(task)

    def exit(self, reason: str) -> None:
        self._ending = reason or "asked to"
        self._lock.urgent = True
        self._idle.finish()

    def work(self, core_worker: CoreWorker) -> None:
        """Until the process is to end."""
        queue, over = self._queue, self._over
        while not self._ending:
            if self._served:
                self._take_turns()
            if not queue:
                self._wait()
                continue
            task = queue.popleft()
            self.pump.others += 1
            self._busy = True
            if task.accelerators is not self._shown:
                self._show_gpus(core_worker, task)
            work = task.call.work
            if work is None:
                self._interrupts.enter(task)
                try:
                    outcome = core_worker.execute(task)
                finally:
                    self._interrupts.leave()
            else:
                outcome = self._pretend(task, work)
            self._busy = False
            if not over:
                self._over_since_ns = task.start_ns
            over.append((task, outcome))
            if not queue or self._is_to_tell(outcome):
                with self.lock:
                    self._tell()
            del task, outcome  # They may hold views of arguments, which keeps those in the store.
        with self.lock:
            self._tell()

    def _is_to_tell(self, outcome: Outcome) -> bool:
        """Whether the executor is to hear now what has ended, though more calls wait here. Should the next one keep
        this thread, the helper takes the lock as soon as it takes the pump."""
        if outcome.exits or self.pump.helping or not _is_by_itself(outcome):
            return True
        outcome.end_ns = now = time.monotonic_ns()
        return len(self._over) >= SEND_AT or now - self._over_since_ns > SEND_AFTER_NS

    def _tell(self) -> None:
        over, executor = self._over, self._core_worker.executor
        assert executor is not None
        while over:
            executor.finished(*over.popleft())

    def settle(self) -> None:
        if self._over:
            self._tell()
        super().settle()

    def _pretend(self, task: RunnableTask, work: Work) -> Outcome:
        """Synthetic work takes its time, or as much of it as it is left."""
        until_ns = time.monotonic_ns() + work.lasts_ns(self.address.node_id)
        while not task.preempted and (left_ns := until_ns - time.monotonic_ns()) > 0:
            self._stop_work.wait(left_ns / 1e9)
            with self.lock:
                self._stop_work.clear()  # It may have been for the one before, which had just ended.
        if task.preempted:
            return Outcome(TaskStatus.NOT_RUN)
        return Outcome(TaskStatus.OK, [ReturnValue((), size) for size in work.return_sizes])

    def preempt(self, task: RunnableTask) -> None:
        self._stop_work.set()

    def _wait(self) -> None:
        if self._over:
            with self.lock:
                self._tell()  # What was to come behind it was taken back.
        self._idle = idle = Waiter()
        listening = self._listening if self._served else None
        if listening is not None:
            listening.heard = False
        # The helper may have brought something, or the end, before `idle` was there to be told.
        if not (self._queue or (self._rung and self._served) or self._ending):
            self.pump.block(idle, None, NEVER, listening, self._take_turns)

    def _take_turns(self) -> None:
        """Run methods of compiled graphs while there are no calls, else one of each graph."""
        more = True
        while more and not self._ending:
            self._rung = more = False
            for inbox in tuple(self._served):
                if inbox.turn is not None and inbox.turn(self._execute_step):
                    more = True
            if self._queue:
                return

    def _execute_step(self, task: RunnableTask) -> Outcome:
        self._busy = True
        outcome = self._core_worker.execute_step(task)
        self._busy = False
        return outcome

    def _show_gpus(self, core_worker: CoreWorker, task: RunnableTask) -> None:
        """Libraries look here once, when they are first used: before user code runs."""
        before, self._shown = self._shown, task.accelerators
        if before == task.accelerators:
            return
        gpus = core_worker.accelerators(task).get(GPU)
        if gpus is not None:
            os.environ[_VISIBLE] = ",".join(gpus)
        elif self._visible is None:
            del os.environ[_VISIBLE]
        else:
            os.environ[_VISIBLE] = self._visible

    def _released(self) -> None:
        if self._ending and not self._spoken and self._busy:
            # User code has the main thread and cannot be waited for.
            self.last_words()
            os._exit(0)
        self.pump.look()

    def look_at_outputs(self) -> None:
        self.outputs.look()
        self.call_later(_LOOK_AT_OUTPUTS_NS, self.look_at_outputs)

    def last_words(self) -> None:
        self._spoken = True
        with self.lock:
            self.drain(_LAST_WORDS_NS)
        self.outputs.last_words()


def _is_by_itself(outcome: Outcome) -> bool:
    """Whether nothing that the next call may change is a part of it."""
    returns = outcome.returns
    if len(returns) == 1 and len(returns[0].parts) == 1:
        return type(returns[0].parts[0]) is bytes
    return all(type(part) is bytes for value in returns for part in value.parts)


def main(settings: StartNode, set_up: SetUp, token: int, arena: Arena) -> None:
    """A worker's whole life, in a fork of the fork-server."""
    name_process("raysim-worker")
    if settings.workers_cgroup:
        enter(settings.workers_cgroup, os.getpid())
    sys.breakpointhook = _break  # A worker has no terminal.
    _reseed()
    host = WorkerHost(
        settings.session,
        settings.node_id,
        WorkerId(os.urandom(UNIQUE_ID_BYTES)),
        config=settings.config,
        seed=settings.seed,
        name=f"{settings.name}/worker-{token}",
        store=ArenaAccess(arena),
    )
    host.note_for(settings.journal_keeper)
    core_worker = CoreWorker.worker(host, set_up.raylet, set_up.gcs, token)
    if not settings.log_to_driver:  # What it writes goes to a file: see `raysim stack`.
        faulthandler.register(signal.SIGUSR2, file=2)
    host.prepare(core_worker)
    core_worker.devices = host.devices()
    core_worker.session_name = session_name(settings.session)
    core_worker.session_dir = settings.folder
    core_worker.left_logs = SessionLogs(settings.folder)
    teller = None
    if settings.outlives_drivers:
        from raysim_cluster.printed import Teller  # Only where drivers come and go.

        teller = Teller(core_worker)
        core_worker.process = Process([*core_worker.process.roles, teller])
    host.outputs = Outputs(
        core_worker,
        settings.folder,
        settings.node_id,
        host.address.worker_id,
        settings.log_to_driver,
        None if teller is None else teller.tell,
    )
    set_current(core_worker)
    LOG.disabled = "RAY_IGNORE_UNHANDLED_ERRORS" in os.environ
    ObjectRef.out_of_band = os.environ.get(OUT_OF_BAND) != "0"
    host.attach(core_worker.process)
    host.pump.start()
    with host.lock:
        core_worker.process.start()
        if not settings.log_to_driver:
            host.look_at_outputs()
    host.work(core_worker)
    assert core_worker.executor is not None
    if core_worker.executor.leaves:
        core_worker.execution.shut_down()
        atexit._run_exitfuncs()
    host.last_words()


def _break(*_: object) -> None:
    """`breakpoint()` in a task or an actor."""
    from raysim.util import rpdb

    rpdb.interrupt(sys._getframe(1))


def _reseed() -> None:
    """numpy's global generator came with the fork and would give every worker the same numbers."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
