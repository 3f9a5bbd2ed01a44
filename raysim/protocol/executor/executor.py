"""A worker's executor: dispatches calls, runs them through its host, ends the process. Never user code."""

from collections.abc import Callable
from functools import partial

from raysim.protocol.executor.actor_queue import CONSTRUCTOR, ActorQueue
from raysim.protocol.executor.arguments import Arguments, QueuedCall
from raysim.protocol.executor.compiled import Compiled
from raysim.protocol.executor.generators import Generators, Production
from raysim.protocol.executor.results import Results
from raysim.protocol.executor.task_queue import TaskQueue
from raysim.protocol.host import Outcome, ProcessHost, ReturnValue, RunnableTask, Timer
from raysim.protocol.messages import (
    CancelTasks,
    CloseGraph,
    ConnectGraph,
    ExitWorker,
    GeneratorConsumed,
    OpenGraph,
    PreemptTasks,
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
from raysim.protocol.messages.state import CallStage
from raysim.protocol.owner import Owner
from raysim.protocol.process import Handlers
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, TaskId

FETCHING = "PENDING_ARGS_FETCH"
FETCHING_OF_ACTOR = "PENDING_ACTOR_TASK_ARGS_FETCH"
IN_LINE = "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY"
RUNNING = "RUNNING"
IN_GET = "RUNNING_IN_RAY_GET"
IN_WAIT = "RUNNING_IN_RAY_WAIT"


class Executor:
    def __init__(self, host: ProcessHost, owner: Owner, raylet: Address, token: int) -> None:
        self._host = host
        self._owner = owner
        self._raylet = raylet
        self._token = token
        self._results = Results(host, owner, raylet)
        self._generators = Generators(host, owner, raylet, self._results)
        self._arguments = Arguments(host, owner)
        self._tasks = TaskQueue(self._arguments, self._results, self._run, self._may_run_task)
        self._actor = ActorQueue(host, owner, self._arguments, self._results, self._run)
        self._compiled = Compiled(
            host, owner, self._actor, self._arguments, self._run, self._turn_ended
        )
        self._running: dict[TaskId, QueuedCall] = {}
        """What user code works on: each has its task."""
        self._writing = 0
        """Calls that ended, and whose large returns are not copied yet."""
        self._blocked = 0
        self._block_number = 0
        self._lent = False
        self._exit_reason = ""
        self._moves = False
        """It is an actor that is to start elsewhere when it has ended."""
        self.leaves = False
        """The process ends in good order: what user code wants to do at its end may be done."""
        self.before_leaving: Callable[[], None] = lambda: None
        """Set by another role that has something to say then."""
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

    @staticmethod
    def handlers() -> Handlers["Executor"]:
        return {
            WorkerRegistered: lambda executor: executor._on_registered,
            PushTasks: lambda executor: executor._on_push,
            CancelTasks: lambda executor: executor._on_cancel,
            PreemptTasks: lambda executor: executor._on_preempt,
            ReleaseReturnHolds: lambda executor: (
                lambda _, m: executor._results.release_holds([*m.task_ids, *m.items])
            ),
            GeneratorConsumed: lambda executor: executor._generators.on_consumed,
            StartActor: lambda executor: executor._actor.start,
            PushActorCalls: lambda executor: executor._on_actor_calls,
            TerminateActor: lambda executor: executor._on_terminate,
            OpenGraph: lambda executor: executor._compiled.on_open,
            ConnectGraph: lambda executor: executor._compiled.on_connect,
            CloseGraph: lambda executor: executor._compiled.on_close,
            ExitWorker: lambda executor: executor._on_exit,
        }

    def peer_lost(self, peer: Address) -> None:
        self._results.caller_lost(peer)
        self._generators.caller_lost(peer)
        self._tasks.caller_lost(peer)
        self._actor.caller_lost(peer)
        self._compiled.driver_lost(peer)
        for running in list(self._running.values()):
            if running.caller.worker_id == peer.worker_id and not self._withdraw(running):
                running.dropped = True
        if peer.worker_id == self._raylet.worker_id:
            self._host.exit("the node's raylet is gone")

    def _node_lost(self, node_id: NodeId) -> None:
        callers = [running.caller for running in self._running.values()]
        callers += self._tasks.callers() + self._actor.callers() + self._results.callers()
        callers += self._compiled.drivers()
        for peer in {c.worker_id: c for c in callers if c.node_id == node_id}.values():
            self.peer_lost(peer)

    def _on_exit(self, sender: Address, exit_: ExitWorker) -> None:
        self._patient = True
        self._exit_when_idle(exit_.reason)

    def _on_terminate(self, sender: Address, terminate: TerminateActor) -> None:
        if self._actor.spec is None or terminate.incarnation != self._actor.incarnation:
            return
        self._moves = terminate.moves
        self._exit_when_idle(
            "its node drains" if terminate.moves else "no handle refers to the actor any more"
        )

    def _exit_when_idle(self, reason: str) -> None:
        self._exit_reason = reason
        if self._patient and self._owner.objects.owns_any:
            # Others may refer to what would die with its owner (Ray).
            self._owner.objects.when_nothing_owned(lambda: self._exit_when_idle(reason))
            return
        if self.leaves or self._running or self._tasks or self._actor.waiting():
            return
        if self._compiled.in_turn is not None:
            self._compiled.leaving = True
            return
        if self._results.under_way:
            # Its last results wait for the store or for acknowledgements.
            self._host.call_later(1_000_000, lambda: self._exit_when_idle(reason))
            return
        self._results.flush()
        if self._results.callers():
            # They have yet to hold what was returned to them: its owner would take this process for the last that does.
            self._host.call_later(1_000_000, lambda: self._exit_when_idle(reason))
            return
        self.leaves = True
        self.before_leaving()
        self._owner.leave()
        self._host.send(self._raylet, WorkerExiting(reason, intended=not self._moves))
        self._host.exit(reason)

    # Calls

    def _on_push(self, sender: Address, push: PushTasks) -> None:
        accept = not (self._blocked or self._exit_reason or self._results.retires)
        self._tasks.push(sender, push, accept)
        if not accept:
            self._results.flush()

    def _on_cancel(self, sender: Address, cancel: CancelTasks) -> None:
        for task_id in cancel.task_ids:
            running = self._running.get(task_id)
            task = None if running is None else running.task
            if running is None or task is None:
                self._tasks.cancel(task_id)
                self._actor.cancel(task_id)
                continue
            if self._withdraw(running):
                self._actor.answer_cancelled(running)
                continue
            if cancel.recursive:
                self._owner.cancel_children(task.call, cancel.force)
            if cancel.force and task.actor is None:
                self._end_at_once()
            else:
                self._interrupt(task)
        self._results.flush()

    def _on_preempt(self, sender: Address, preempt: PreemptTasks) -> None:
        for task_id in preempt.task_ids:
            running = self._running.get(task_id)
            task = None if running is None else running.task
            if task is None:
                self._tasks.cancel(task_id)
            elif task.call.work is not None and not task.preempted:
                task.preempted = True
                self._host.preempt(task)
        self._results.flush()

    def _interrupt(self, task: RunnableTask) -> None:
        """A method of an actor may only look whether somebody has cancelled it (Ray)."""
        if not task.cancelled:
            task.cancelled = True
            if task.actor is None or task.actor.is_async:
                self._host.interrupt(task)

    def _end_at_once(self) -> None:
        """User code may be anywhere, and never comes back: the raylet sees the process end."""
        self._tasks.hand_back()
        self._exit_reason = "the task that it ran was cancelled by force"
        self._results.flush()
        self._host.exit(self._exit_reason)

    def _on_actor_calls(self, sender: Address, push: PushActorCalls) -> None:
        self._actor.push(sender, push)

    @property
    def actor(self) -> ActorSpec | None:
        """That this process is."""
        return self._actor.spec

    @property
    def running(self) -> list[RunnableTask]:
        """What user code works on now."""
        given = [one.task for one in self._running.values()]
        tasks = [task for task in given if task is not None and task.start_ns >= 0]
        in_turn = self._compiled.in_turn
        return tasks if in_turn is None else [*tasks, in_turn]

    def stages(self) -> list[CallStage]:
        """What is here and has not ended, in Ray's words."""
        here = self._host.address
        found = [
            CallStage(queued.call.task_id, queued.call.attempt, FETCHING, worker=here)
            for queued in self._tasks.queued()
            if not queued.ready
        ]
        given = [queued for queued in self._running.values() if not _has_begun(queued)]
        for queued in [*given, *self._actor.queued()]:
            state = FETCHING_OF_ACTOR if not queued.ready else IN_LINE
            found.append(CallStage(queued.call.task_id, queued.call.attempt, state, worker=here))
        waits = self._waits()
        for task in self.running:
            call = task.call
            found.append(CallStage(call.task_id, call.attempt, waits, task.start_ns, here))
        return found

    def _waits(self) -> str:
        """Of user code; of several calls at once nobody knows which of them waits."""
        if not self._blocked or len(self.running) != 1:
            return RUNNING
        return IN_WAIT if self._owner.fetches.only_waits() else IN_GET

    def _may_run_task(self) -> bool:
        return not self._running and not self._blocked and not self._writing

    def _run(self, queued: QueuedCall, task: RunnableTask) -> None:
        self._running[queued.call.task_id] = queued
        queued.task = task
        if queued.failure is not None or not self._actor.one_at_a_time:
            task.start_ns = self._host.now_ns()
        if queued.failure is not None:
            # An argument cannot be had: the call does not run.
            outcome = Outcome(TaskStatus.FAILED, failure=queued.failure)
            self._host.call_later(0, lambda: self.finished(task, outcome))
            return
        self._host.run(task)

    def _hold_actor(self) -> None:
        """What an actor returned is to be copied before its next call, which may change it. Of one that runs several
        at once anybody may at any time."""
        if not self._actor.one_at_a_time:
            return
        self._actor.hold([one for one in list(self._running.values()) if self._take_from_host(one)])

    def _take_from_host(self, queued: QueuedCall) -> bool:
        """Take a call back that the host was given ahead. False: it has begun, or is a step of a graph."""
        task = queued.task
        if task is None or task.start_ns >= 0 or self._compiled.runs(queued):
            return False
        if not self._host.take_back(task):
            return False
        del self._running[queued.call.task_id]
        queued.task = None
        return True

    def _withdraw(self, queued: QueuedCall) -> bool:
        """It is not to run any more. False: it does."""
        if not self._take_from_host(queued):
            return False
        queued.dropped = True
        self._arguments.release(queued)
        self._actor.finished(queued)
        return True

    def give(self, task: RunnableTask, value: ReturnValue) -> Production | None:
        """The generator that this call is has yielded a value; None: nobody is left to take it."""
        running = self._running.get(task.call.task_id)
        if running is None or running.dropped:
            self._owner.objects.drop_holds(value.contained)
            return None
        return self._generators.give(task, value)

    def given(self, task: RunnableTask) -> int:
        """Items that the generator has yielded so far."""
        return self._generators.given(task)

    def finished(self, task: RunnableTask, outcome: Outcome) -> None:
        """User code is done with this call: called by the host, under its lock."""
        call, template = task.call, task.template
        queued = self._running.pop(call.task_id, None)
        assert queued is not None, f"{call.task_id.hex()} was not running"
        assert queued.task is task, f"{call.task_id.hex()} ran twice"
        if self._blocked and not any(map(_has_begun, self._running.values())):
            self._end_block()
        if queued.pins:
            self._arguments.release(queued)
        if self._generators.running:
            outcome.items = self._generators.ended(task)
        if template is not None and template.max_calls:
            self._tasks.count_run(template)
        if outcome.crashed:
            self._crash()
            return
        copied = True
        of_graph = bool(self._compiled.running) and self._compiled.runs(queued)
        if of_graph:
            now = outcome.end_ns or self._host.now_ns()
            self._compiled.finished(queued, outcome, now - task.start_ns)
        elif template is None and call.method == CONSTRUCTOR:
            self._actor.started(task, outcome)
        elif queued.dropped:
            self._results.nobody_waits(outcome)
        else:
            now = outcome.end_ns or self._host.now_ns()
            copied = self._results.finish(task, outcome, now)
            if not copied:
                self._writing += 1
                self._hold_actor()
                written = partial(self._written, queued)
                self._results.finish_stored(task, outcome, now, written)
        if outcome.exits:
            self._take_no_more()
        if copied and not of_graph:
            self._next(queued)
        self._results.settle(bool(self._running))
        if self._exit_reason:
            self._exit_when_idle(self._exit_reason)

    def _crash(self) -> None:
        """Nobody is told how the call ended: its caller hears of the actor, and may have a retry left."""
        self._drop_all()
        self._results.flush()
        self._host.exit("user code ended the process")

    def _take_no_more(self) -> None:
        self._exit_reason = self._exit_reason or "the task ended its worker"
        self._moves = False  # It has chosen its own end.
        self._tasks.hand_back()
        self._drop_all()

    def _drop_all(self) -> None:
        """The actor's calls: their callers learn of its end from the GCS."""
        self._actor.drop_all()
        for queued in list(self._running.values()):
            self._withdraw(queued)

    def _turn_ended(self, outcome: Outcome) -> None:
        """A method of a compiled graph ended, and the process may be about to."""
        if outcome.crashed:
            self._crash()
            return
        if outcome.exits:
            self._take_no_more()
        if self._exit_reason:
            self._exit_when_idle(self._exit_reason)

    def _written(self, queued: QueuedCall) -> None:
        """The call's returns are copied: what runs next may change what they were made of."""
        self._writing -= 1
        if self._actor.one_at_a_time:
            self._actor.let_go()
        self._next(queued)
        self._results.settle(bool(self._running))

    def _next(self, queued: QueuedCall) -> None:
        if queued.template is not None:
            self._tasks.finished(queued)
            self._tasks.run_next()
        else:
            self._actor.finished(queued)

    # Blocking

    def blocked(self) -> None:
        """User code is about to wait: a task lends its CPUs on, and hands back what has not started.

        An actor keeps what it holds, as in Ray: it holds it for its life, not for a call.
        """
        self._blocked += 1
        if self._actor.one_at_a_time:
            self._results.flush()
            return
        if self._lent or self._blocked < len(self._running):
            return
        if self._actor.spec is not None:
            self._results.flush()
            return
        self._lent = True
        self._block_number += 1
        self._host.send(self._raylet, WorkerBlocked(self._block_number))
        self._tasks.hand_back()
        self._results.flush()

    def unblocked(self) -> None:
        if self._blocked == 0:
            return  # The call ended while it waited, and its CPUs were taken back then.
        self._blocked -= 1
        self._take_back()

    def _end_block(self) -> None:
        """The call ended while it waited (its greenlet was thrown an exception, say)."""
        self._blocked = 0
        self._take_back()

    def _take_back(self) -> None:
        if self._lent and self._blocked < max(1, len(self._running)):
            self._lent = False
            self._host.send(self._raylet, WorkerUnblocked(self._block_number))


def _has_begun(queued: QueuedCall) -> bool:
    return queued.task is not None and queued.task.start_ns >= 0
