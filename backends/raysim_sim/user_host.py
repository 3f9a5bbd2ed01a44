"""A process with user code, in virtual time: a driver or a worker. Never runs the code itself: see users."""

from collections import deque
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
from greenlet import GreenletExit

from raysim.protocol.host import Outcome, ReturnValue, RunnableTask, StoreAccess, Waiter
from raysim.protocol.messages import TaskStatus
from raysim.runtime.coroutines import Coroutines
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.ids import TaskId
from raysim_sim.chance import Chance
from raysim_sim.event_loop import VirtualLoop
from raysim_sim.hosts import Origin, SimHost
from raysim_sim.places import Place

if TYPE_CHECKING:
    from raysim.protocol.executor import Executor
    from raysim.runtime.core_worker import CoreWorker
    from raysim_sim.node import SimNode
    from raysim_sim.world import SimWorld


class _Synthetic(msgspec.Struct, gc=False):
    """The end of work that runs no Python."""

    host: "UserHost"
    task: RunnableTask
    callbacks: Any
    _ok: ClassVar[bool] = True


def _on_synthetic(event: _Synthetic) -> None:
    host, task = event.host, event.task
    if task.preempted:
        return  # It has ended before its time.
    if not host.runs and host.alive:
        host.hold(event)
        return
    clock = host.clock
    clock.expected -= 1
    clock.active_ns = clock._now
    host.busy -= 1
    if not host.alive:
        return
    work = task.call.work
    assert work is not None
    returns = [ReturnValue((), size) for size in work.return_sizes]
    host.executor.finished(task, Outcome(TaskStatus.OK, returns))


_ON_SYNTHETIC: Final = (_on_synthetic,)


class _Start(msgspec.Struct, gc=False):
    """User code begins to run a task."""

    host: "UserHost"
    task: RunnableTask
    callbacks: Any
    _ok: ClassVar[bool] = True


class UserHost(SimHost):
    """The host of a process with user code: a driver or a worker."""

    store: StoreAccess
    unwinding: tuple[type[BaseException], ...] = (GreenletExit, KeyboardInterrupt)
    """Ctrl-C is for the program that simulates, not for the simulated process that happens to run."""
    lock: AbstractContextManager[object]
    guard: AbstractContextManager[object]
    core_worker: "CoreWorker"
    executor: "Executor"
    """Of a worker; a driver has none."""

    def __init__(self, world: "SimWorld", node: "SimNode", name: str, address: Address) -> None:
        super().__init__(world, node, name, address)
        self.store = node.store
        self.lock = world.lock
        self.guard = nullcontext()
        self._sleep_ns = world.costs.sleep
        self.users = world.users
        self.users.processes += 1
        self.pid = self.users.processes
        self.streams: tuple[Any, Any] | None = None
        """Its standard output and standard error, once its code ran."""
        self.classes: MutableMapping[str, type] | None = None
        """By cloudpickle's id: what this process has unpickled."""
        self._drawer: tuple[TaskId, int] | None = None
        """The task and attempt that runs here or ran last: what its code draws is its own. None in an actor."""
        self._chance: Chance | None = None
        self.cpu_ns = 0
        """What its code spent in loops that read a clock."""
        self.gpus: str | None = None
        """CUDA_VISIBLE_DEVICES of what runs here."""
        self.place: Place | None = None
        """What its runtime environment makes different; None: nothing."""
        self.busy = 0
        """Tasks that run, or are about to."""
        self.began_ns = 0
        """When the last of them began."""
        self.actor: ActorSpec | None = None
        """What lives here, once its constructor was asked for."""
        self._row: deque[RunnableTask] = deque()
        """Calls of an actor that runs one at a time; the first has begun, or is about to."""
        self.loop: VirtualLoop | None = None
        """Of an asynchronous actor, and what runs on it."""
        self._coroutines: Coroutines | None = None
        self.at_exit: list[Callable[[], object]] = []
        """What user code registered with `atexit` in this process."""

    @property
    def chance(self) -> Chance:
        """What the code that runs here draws from."""
        if self._chance is None:
            label = self.name
            if self._drawer is not None:
                task_id, attempt = self._drawer
                label = f"{task_id.hex()}, attempt {attempt}"
            self._chance = Chance(self.world.streams, label)
        return self._chance

    def begin(self, task: RunnableTask) -> None:
        """Its code is about to run."""
        if task.actor is None:
            self._drawer = (task.call.task_id, task.call.attempt)
            self._chance = None

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        return waiter.done or self.users.block(self, waiter, timeout_ns)

    def run(self, task: RunnableTask) -> None:
        self.busy += 1
        clock = self.clock
        self.began_ns = clock._now
        work = task.call.work
        if work is not None:
            clock.expected += 1
            duration_ns = work.lasts_ns(self.address.node_id)
            if self.node.slowness != 1:
                duration_ns = int(duration_ns * self.node.slowness)
            clock.after(duration_ns + self._sleep_ns, _Synthetic(self, task, _ON_SYNTHETIC))
        elif task.actor is not None:
            self._run_of_actor(task, task.actor)
        else:
            clock.after(0, _Start(self, task, self.users.on_start))

    def _run_of_actor(self, task: RunnableTask, actor: ActorSpec) -> None:
        if task.call.method == "__init__":
            self.actor = actor
            self.world.faults.constructor(task)
        if actor.is_async:
            self._on_loop().begin(task)
            return
        if actor.one_at_a_time:
            self._row.append(task)
            if len(self._row) > 1:
                return
        self.clock.after(0, _Start(self, task, self.users.on_start))

    def _on_loop(self) -> Coroutines:
        if self._coroutines is None:
            self.loop = loop = VirtualLoop(self)
            self._coroutines = Coroutines(self.core_worker, loop, self._call_ended)
            self.users.beside(self, loop.run_forever)
        return self._coroutines

    def ended(self, task: RunnableTask) -> None:
        """User code is done with it: begin the next in the row."""
        row = self._row
        if row and row[0] is task:
            row.popleft()
            if row:
                self.clock.after(0, _Start(self, row[0], self.users.on_start))

    def take_back(self, task: RunnableTask) -> bool:
        row = self._row
        if task not in row or row[0] is task:
            return False
        row.remove(task)
        self.busy -= 1
        return True

    def _call_ended(self) -> None:
        self.busy -= 1

    def interrupt(self, task: RunnableTask) -> None:
        if self._coroutines is not None:
            self._coroutines.interrupt(task)
        else:
            self.users.interrupt(task)

    def preempt(self, task: RunnableTask) -> None:
        self.busy -= 1
        self.clock.expected -= 1
        self.clock.call(0, lambda: self._preempted(task))

    def _preempted(self, task: RunnableTask) -> None:
        if self.alive:
            self.executor.finished(task, Outcome(TaskStatus.NOT_RUN))

    def outside(self, action: Callable[[], None]) -> None:
        self.users.beside(self, action)

    def soon(self, action: Callable[[], None]) -> None:
        if self.alive:  # References may outlive it, and be dropped when the interpreter ends.
            self.call_later(0, action)

    def inbox(self, graph_id: TaskId) -> None:
        """All values are messages, and cost what messages cost."""

    def outlet(self, place: str) -> None:
        """There are no inboxes."""

    def exit(self, reason: str) -> None:
        if self.executor.leaves:
            self.users.beside(self, lambda: self._leave(reason))
        else:
            self._end_soon(reason)

    def _end_soon(self, reason: str) -> None:
        """Behind the timers of this process that are due: what they still send has left then."""
        self.call_later(0, lambda: self.node.process_ended(self, reason, self.origin()))

    def _leave(self, reason: str) -> None:
        """In user context: what is to be done at the end of a process, then that."""
        self.core_worker.execution.shut_down()
        while self.at_exit:
            self.at_exit.pop()()
        self._end_soon(reason)

    def end(self, reason: str, origin: Origin | None = None, resets: bool = True) -> None:
        if self.alive:
            super().end(reason, origin, resets)
            self.lock = self.users.lock_of(self, reason)
            self.users.abandon(self)
