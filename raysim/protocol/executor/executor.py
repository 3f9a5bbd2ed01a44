"""Takes calls, has their arguments brought, and hands them to user code in the right order.

A normal worker runs tasks one at a time in the order of their arrival; while its user code blocks it
hands back what it has not started. An actor runs calls in order per caller. Never runs user code.
"""

from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from raysim.protocol.executor.results import Results
from raysim.protocol.host import LocalArg, Outcome, ProcessHost, RunnableTask, Timer
from raysim.protocol.messages import (
    ActorStarted,
    CancelTasks,
    ExitWorker,
    FetchReason,
    Message,
    PushActorCalls,
    PushTasks,
    RegisterWorker,
    ReleaseReturnHolds,
    StartActor,
    TaskStatus,
    TerminateActor,
    WorkerBlocked,
    WorkerExiting,
    WorkerRegistered,
    WorkerUnblocked,
)
from raysim.protocol.owner import Owner
from raysim.protocol.owner.fetches import Pin
from raysim.protocol.process import Handler
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import FunctionId, NodeId, TaskId, WorkerId, actor_creation_task
from raysim.spec.resources import Accelerators
from raysim.spec.task import TaskArg, TaskCall, TaskTemplate


class QueuedCall(msgspec.Struct):
    """A call that waits for its arguments or its turn."""

    call: TaskCall
    caller: Address
    template: TaskTemplate | None = None
    missing: int = 0
    pins: list[Pin] = []
    args: list[LocalArg] = []
    failure: Failure | None = None
    ready: bool = False
    order: "CallerOrder | None" = None
    dropped: bool = False


class CallerOrder(msgspec.Struct):
    """The calls of one caller to this actor, in the order of their numbers."""

    expected: int = 0
    early: dict[int, QueuedCall] = {}
    """Arrived before one with a lower number."""
    line: deque[QueuedCall] = msgspec.field(default_factory=deque)
    parked: int = 0
    """Turns that came while the head of the line waited for its arguments."""


class Executor:
    def __init__(self, host: ProcessHost, owner: Owner, raylet: Address, token: int) -> None:
        self._host = host
        self._owner = owner
        self._raylet = raylet
        self._token = token
        self._results = Results(host, owner, raylet)
        self._registered = False
        self._queue: deque[QueuedCall] = deque()
        self._known: dict[tuple[TaskId, int], None] = {}
        """Calls queued or running: a second copy is dropped."""
        self._functions: dict[tuple[WorkerId, FunctionId], bytes] = {}
        self._running: QueuedCall | None = None
        self._task: RunnableTask | None = None
        self._blocked = 0
        self._block_number = 0
        self._actor: ActorSpec | None = None
        self._incarnation = 0
        self._gcs: Address | None = None
        self._constructed = False
        self._callers: dict[WorkerId, CallerOrder] = {}
        self._arrivals: deque[CallerOrder] = deque()
        """One turn for each call that arrived, in the order of arrival over all callers."""
        self._accelerators: Accelerators = {}
        self._runs: dict[FunctionId, int] = {}
        """Of functions with `max_calls`."""
        self._exit_reason = ""
        self._patient = False
        self._register_timer: Timer | None = None
        owner.when_node_lost = self._node_lost

    # Life

    def start(self) -> None:
        self._register()

    def _register(self) -> None:
        """Ask until the raylet answers."""
        self._host.send(self._raylet, RegisterWorker(self._token, self._host.pid))
        self._register_timer = self._host.call_later(
            self._host.config.request_retry_ns, self._register
        )

    def _on_registered(self, sender: Address, registered: WorkerRegistered) -> None:
        if self._register_timer is not None:
            self._register_timer.cancel()
            self._register_timer = None

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            WorkerRegistered: self._on_registered,
            PushTasks: self._on_push,
            CancelTasks: self._on_cancel,
            ReleaseReturnHolds: lambda _, m: self._results.release_holds(m.task_ids),
            StartActor: self._on_start_actor,
            PushActorCalls: self._on_actor_calls,
            TerminateActor: self._on_terminate,
            ExitWorker: self._on_exit,
        }

    def peer_lost(self, peer: Address) -> None:
        self._results.caller_lost(peer)
        order = self._callers.pop(peer.worker_id, None)
        if order is not None:
            self._drop_line(order)
        if self._running is not None and self._running.caller == peer:
            self._running.dropped = True
        for key in [key for key in self._functions if key[0] == peer.worker_id]:
            del self._functions[key]
        for queued in [q for q in self._queue if q.caller.worker_id == peer.worker_id]:
            self._queue.remove(queued)
            self._drop(queued)
        if peer.worker_id == self._raylet.worker_id:
            self._host.exit("the node's raylet is gone")

    def _node_lost(self, node_id: NodeId) -> None:
        queued = [q for order in self._callers.values() for q in order.line] + list(self._queue)
        if self._running is not None:
            queued.append(self._running)
        callers = [q.caller for q in queued] + self._results.callers()
        for peer in {c.worker_id: c for c in callers if c.node_id == node_id}.values():
            self.peer_lost(peer)

    def _on_exit(self, sender: Address, exit_: ExitWorker) -> None:
        self._patient = True
        self._exit_when_idle(exit_.reason)

    def _exit_when_idle(self, reason: str) -> None:
        self._exit_reason = reason
        if self._patient and self._owner.objects.owns_any:
            # Others may refer to what would die with its owner (Ray).
            self._owner.objects.when_nothing_owned(lambda: self._exit_when_idle(reason))
            return
        if self._running is None and not self._queue and not self._any_line():
            if self._results.under_way:
                # Its last results wait for the store or for acknowledgements.
                self._host.call_later(1_000_000, lambda: self._exit_when_idle(reason))
                return
            self._results.flush()
            self._host.send(self._raylet, WorkerExiting(reason, intended=True))
            self._host.exit(reason)

    def _any_line(self) -> bool:
        return any(order.line for order in self._callers.values())

    # Normal tasks

    def _on_push(self, sender: Address, push: PushTasks) -> None:
        if push.function is not None:
            self._functions[sender.worker_id, push.template.function_id] = push.function
        self._accelerators = push.accelerators
        for call in push.calls:
            key = (call.task_id, call.attempt)
            if key in self._known:
                continue
            if self._blocked or self._exit_reason or self._results.retires:
                self._results.hand_back(sender, call)
                continue
            self._known[key] = None
            queued = QueuedCall(call, sender, push.template)
            self._queue.append(queued)
            if call.refs:
                self._bring(queued)
            else:
                queued.ready = True
        self._run_next()
        if self._blocked or self._exit_reason or self._results.retires:
            self._results.flush()

    def _on_cancel(self, sender: Address, cancel: CancelTasks) -> None:
        unwanted = set(cancel.task_ids)
        for queued in [q for q in self._queue if q.call.task_id in unwanted]:
            self._queue.remove(queued)
            self._drop(queued)
            self._results.hand_back(queued.caller, queued.call)
        self._results.settle(self._running is not None)

    def _drop(self, queued: QueuedCall) -> None:
        """It will not run here."""
        self._known.pop((queued.call.task_id, queued.call.attempt), None)
        queued.dropped = True
        self._unpin(queued)

    def _run_next(self) -> None:
        if self._running is not None or self._blocked or not self._queue:
            return
        queued = self._queue[0]
        if not queued.ready:
            queued = next((one for one in self._queue if one.ready), queued)
            if not queued.ready:
                return
            self._queue.remove(queued)
        else:
            self._queue.popleft()
        assert queued.template is not None
        function = self._functions.get((queued.caller.worker_id, queued.template.function_id))
        self._run(
            queued, RunnableTask(queued.call, queued.caller, queued.args, queued.template, function)
        )

    def _run(self, queued: QueuedCall, task: RunnableTask) -> None:
        self._running, self._task = queued, task
        task.start_ns = self._host.now_ns()
        task.accelerators = self._accelerators
        if queued.failure is not None:
            # An argument cannot be had: the call does not run.
            outcome = Outcome(TaskStatus.FAILED, failure=queued.failure)
            self._host.call_later(0, lambda: self.finished(task, outcome))
            return
        self._host.run(task)

    def finished(self, task: RunnableTask, outcome: Outcome) -> None:
        """User code is done with this call: called by the host, under its lock."""
        queued = self._running
        assert queued is not None and task is self._task, (
            f"{task.call.task_id.hex()} was not running"
        )
        self._running = self._task = None
        self._known.pop((queued.call.task_id, queued.call.attempt), None)
        if self._blocked:
            self._unblock()
        self._unpin(queued)
        if task.template is not None and task.template.max_calls:
            self._count_run(task.template)
        if task.actor is not None and task.call.method == "__init__":
            self._constructor_finished(task, outcome)
        elif queued.dropped:
            self._results.nobody_waits(outcome)
        else:
            self._results.finish(task, outcome, self._host.now_ns())
        if outcome.exits:
            self._exit_reason = self._exit_reason or "the task ended its worker"
            self._hand_back_queue()
            for order in self._callers.values():
                self._drop_line(order)  # Their callers learn of the end from the GCS.
        if self._actor is not None:
            self._run_next_call()
        else:
            self._run_next()
        self._results.settle(self._running is not None)
        if self._exit_reason:
            self._exit_when_idle(self._exit_reason)

    def _count_run(self, template: TaskTemplate) -> None:
        """After `max_calls` runs of one function the process is to end (Ray): it may leak, or hold a GPU."""
        runs = self._runs[template.function_id] = self._runs.get(template.function_id, 0) + 1
        if runs >= template.max_calls:
            # It stays until its lease was returned: what is on its way here must not be lost with it.
            self._results.retires = True
            self._hand_back_queue()

    # Arguments

    def _bring(self, queued: QueuedCall) -> None:
        """Have every argument by reference at hand: inline, or pinned in the node's store."""
        queued.missing = 1
        objects = self._owner.objects
        for arg in queued.call.refs:
            if arg.payload is not None:
                queued.args.append(LocalArg(arg.slot, arg.payload))
                continue
            entry = objects.find(arg.object_id, arg.owner)
            objects.use(entry)
            if entry.owner is not None and not entry.ready:
                objects.set_stored(entry, arg.size, arg.holders)
            queued.missing += 1
            self._owner.fetches.fetch(entry, FetchReason.ARGUMENT, self._arrived(queued, arg))
        self._one_less(queued)

    def _arrived(self, queued: QueuedCall, arg: TaskArg) -> Callable[[], None]:
        def done() -> None:
            entry = self._owner.objects.entries[arg.object_id]
            pin = self._owner.fetches.pin_of(arg.object_id)
            failure = self._owner.fetches.failure_of(entry)
            if failure is not None:
                queued.failure = queued.failure or failure
            elif pin is not None:
                self._owner.fetches.acquire(pin)
                queued.pins.append(pin)
                queued.args.append(LocalArg(arg.slot, handle=pin.handle, size=pin.size))
            else:
                queued.args.append(LocalArg(arg.slot, entry.payload))
            self._owner.objects.drop_use(arg.object_id)
            self._one_less(queued)

        return done

    def _one_less(self, queued: QueuedCall) -> None:
        queued.missing -= 1
        if queued.missing:
            return
        queued.ready = True
        if queued.dropped:
            self._unpin(queued)  # Cancelled, or its caller is gone, while the arguments travelled.
        elif queued.order is not None:
            self._take_turns(queued.order)
            self._run_next_call()
        else:
            self._run_next()

    def _unpin(self, queued: QueuedCall) -> None:
        pins, queued.pins = queued.pins, []
        for pin in pins:
            self._owner.fetches.release(pin)

    # Blocking

    def blocked(self) -> None:
        """User code is about to wait for objects: lend the CPUs on, hand back what has not started."""
        self._blocked += 1
        if self._blocked > 1:
            return
        self._block_number += 1
        self._host.send(self._raylet, WorkerBlocked(self._block_number))
        if self._actor is None:
            self._hand_back_queue()
        self._results.flush()

    def unblocked(self) -> None:
        if self._blocked == 0:
            return  # The call ended while it waited, and its CPUs were taken back then.
        self._blocked -= 1
        if self._blocked == 0:
            self._host.send(self._raylet, WorkerUnblocked(self._block_number))

    def _unblock(self) -> None:
        """The call ended while it waited (its greenlet was thrown an exception, say)."""
        self._blocked = 1
        self.unblocked()

    def _hand_back_queue(self) -> None:
        queue, self._queue = self._queue, deque()
        for queued in queue:
            self._drop(queued)
            self._results.hand_back(queued.caller, queued.call)

    @property
    def running(self) -> RunnableTask | None:
        return self._task

    # Actors

    def _on_start_actor(self, sender: Address, start: StartActor) -> None:
        spec = start.spec
        if self._actor is not None:
            if self._constructed and self._actor.actor_id == spec.actor_id:
                self._host.send(sender, ActorStarted(spec.actor_id, self._incarnation))
            return
        self._actor, self._incarnation, self._gcs = spec, start.incarnation, sender
        self._accelerators = start.accelerators
        call = TaskCall(
            actor_creation_task(spec.actor_id),
            start.incarnation,
            spec.args,
            list(spec.refs),
            method="__init__",
        )
        order = self._callers.setdefault(self._host.address.worker_id, CallerOrder())
        queued = QueuedCall(call, spec.owner, order=order)
        self._known[call.task_id, call.attempt] = None
        order.line.append(queued)
        self._arrivals.append(order)
        self._bring(queued)

    def _constructor_finished(self, task: RunnableTask, outcome: Outcome) -> None:
        assert self._actor is not None and self._gcs is not None
        failure = outcome.failure
        if failure is None and outcome.status != TaskStatus.OK:
            error = outcome.returns[0]
            text = f"The constructor of actor {self._actor.class_name} ({self._actor.actor_id.hex()[:8]}) raised."
            payload = b"".join(error.parts)
            failure = Failure(FailureKind.ACTOR_DIED, text, self._actor.actor_id, True, payload)
        elif failure is not None:
            text = f"Actor {self._actor.class_name} was not made: {failure.text}"
            failure = Failure(FailureKind.ACTOR_DIED, text, self._actor.actor_id, True)
        self._constructed = failure is None
        message = ActorStarted(self._actor.actor_id, self._incarnation, failure)
        gcs = self._gcs
        # References that the constructor kept must be known to their owners before the arguments go.
        self._owner.objects.after_acknowledgements(lambda: self._host.send(gcs, message))

    def _on_actor_calls(self, sender: Address, push: PushActorCalls) -> None:
        if self._actor is None or self._actor.actor_id != push.actor_id:
            return
        if push.incarnation != self._incarnation:
            return
        order = self._callers.setdefault(sender.worker_id, CallerOrder())
        for call in push.calls:
            if call.sequence < order.expected or call.sequence in order.early:
                continue  # A second copy.
            order.early[call.sequence] = QueuedCall(call, sender, order=order)
            while (queued := order.early.pop(order.expected, None)) is not None:
                order.expected += 1
                self._known[queued.call.task_id, queued.call.attempt] = None
                order.line.append(queued)
                self._arrivals.append(order)
                if queued.call.refs:
                    self._bring(queued)
                else:
                    queued.ready = True
        self._run_next_call()

    def _run_next_call(self) -> None:
        """The head of the line whose turn came first among those that are ready."""
        if self._running is not None or self._actor is None:
            return
        while self._arrivals:
            order = self._arrivals.popleft()
            if not order.line:
                continue
            if order.line[0].ready:
                self._start_call(order.line.popleft())
                self._take_turns(order)
                return
            order.parked += 1

    def _take_turns(self, order: CallerOrder) -> None:
        """The head may be ready now: the turns that were put aside for it come first."""
        if order.parked and (not order.line or order.line[0].ready):
            self._arrivals.extendleft([order] * order.parked)
            order.parked = 0

    def _drop_line(self, order: CallerOrder) -> None:
        line, order.line = order.line, deque()
        for queued in line:
            self._drop(queued)

    def _start_call(self, queued: QueuedCall) -> None:
        assert self._actor is not None
        task = RunnableTask(
            queued.call,
            queued.caller,
            queued.args,
            actor=self._actor,
            incarnation=self._incarnation,
        )
        self._run(queued, task)

    def _on_terminate(self, sender: Address, terminate: TerminateActor) -> None:
        if self._actor is not None and terminate.incarnation == self._incarnation:
            self._exit_when_idle("no handle refers to the actor any more")
