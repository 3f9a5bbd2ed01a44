"""The calls of the actor that this worker is: whose turn it is, and how many run at once. Never user code.

Calls of one caller to one concurrency group run in the order of their numbers; a call whose
arguments are not here holds up those behind it, unless the actor is asynchronous or threaded (Ray).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from raysim.protocol.executor.arguments import Arguments, QueuedCall
from raysim.protocol.executor.results import Results
from raysim.protocol.host import Host, LocalArg, Outcome, RunnableTask
from raysim.protocol.messages import ActorStarted, PushActorCalls, StartActor, TaskStatus
from raysim.protocol.owner import Owner
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import TaskId, WorkerId, actor_creation_task
from raysim.spec.task import TaskCall

CONSTRUCTOR = "__init__"

AHEAD = 1024
"""Calls that the host of an actor is given at most that runs one at a time: to go to the executor and back
between two short ones takes longer than they do. Ours."""


class Line(msgspec.Struct):
    """Calls of one caller to one concurrency group, in the order of their numbers."""

    group: str
    calls: deque[QueuedCall] = msgspec.field(default_factory=deque)
    parked: int = 0
    """Turns that came while the head waited for its arguments."""


class Caller(msgspec.Struct):
    expected: int = 0
    early: dict[int, TaskCall] = {}
    """Arrived before one with a lower number."""
    lines: dict[str, Line] = {}
    unwanted: dict[TaskId, None] = {}
    """Cancelled while they were among `early`."""


class Group(msgspec.Struct):
    """A concurrency group; the nameless one is the default."""

    limit: int
    """Of calls that the host has at once."""
    running: int = 0
    turns: deque[Line] = msgspec.field(default_factory=deque)
    """One for each call that arrived, in the order of arrival over all callers."""


class ActorQueue:
    def __init__(
        self,
        host: Host,
        owner: Owner,
        arguments: Arguments,
        results: Results,
        run: Callable[[QueuedCall, RunnableTask], None],
    ) -> None:
        self._host = host
        self._owner = owner
        self._arguments = arguments
        self._results = results
        self._run = run
        self.spec: ActorSpec | None = None
        self.incarnation = 0
        self.one_at_a_time = False
        """Of the actor, once it is here."""
        self._start: StartActor | None = None
        self._gcs: Address | None = None
        self._constructed = False
        self._shown = ""
        self._callers: dict[WorkerId, Caller] = {}
        self._addresses: dict[WorkerId, Address] = {}
        self._groups: dict[str, Group] = {}
        self._default = Group(0)
        """That of calls that name none."""
        self._queued: dict[TaskId, tuple[Line, QueuedCall]] = {}
        """Calls whose turn has not come, in the order of their arrival."""
        self._closed = False
        self._held = 0
        """Calls that ended, and before whose returns are copied no other may begin."""

    def start(self, sender: Address, start: StartActor) -> None:
        spec = start.spec
        if self.spec is not None:
            if self._constructed and self.spec.actor_id == spec.actor_id:
                started = ActorStarted(spec.actor_id, self.incarnation, None, self._shown)
                self._host.send(sender, started)
            return
        self.spec, self.incarnation, self._gcs = spec, start.incarnation, sender
        self._start = start
        self.one_at_a_time = spec.one_at_a_time
        self._default = Group(1)  # Until the constructor has returned, nothing runs beside it.
        self._groups[""] = self._default
        call = TaskCall(
            actor_creation_task(spec.actor_id),
            start.incarnation,
            spec.args,
            list(spec.refs),
            method=CONSTRUCTOR,
        )
        queued = QueuedCall(call, spec.owner)
        self._arguments.bring(queued, lambda _: self._begin(queued, self._groups[""]), False)

    def started(self, task: RunnableTask, outcome: Outcome) -> None:
        """The constructor returned, or raised: tell the GCS."""
        spec, gcs = self.spec, self._gcs
        assert spec is not None
        assert gcs is not None
        failure = _constructor_failure(spec, outcome)
        self._constructed = failure is None
        if self._constructed:
            self._default = Group(AHEAD if spec.one_at_a_time else spec.max_concurrency)
            self._groups = {"": self._default}
            for name, limit in spec.concurrency_groups.items():
                self._groups[name] = Group(limit)
        self._shown = outcome.shown
        message = ActorStarted(spec.actor_id, self.incarnation, failure, self._shown)
        # References that the constructor kept must be known to their owners before the arguments go.
        self._owner.objects.after_acknowledgements(lambda: self._host.send(gcs, message))

    def push(self, sender: Address, push: PushActorCalls) -> None:
        spec = self.spec
        if spec is None or spec.actor_id != push.actor_id or push.incarnation != self.incarnation:
            return
        if self._closed:
            return  # The process ends: the caller learns it from the GCS.
        caller = self._callers.get(sender.worker_id)
        if caller is None:
            caller = self._callers[sender.worker_id] = Caller()
            self._addresses[sender.worker_id] = sender
        touched: dict[str, None] = {}
        early, default, line = caller.early, self._default, caller.lines.get("")
        nothing_ahead = not (
            caller.unwanted or default.turns or self._held or (line and line.calls)
        )
        for call in push.calls:
            sequence = call.sequence
            if sequence == caller.expected and not early:
                caller.expected = sequence + 1
                if nothing_ahead and not (call.group or call.out_of_turn):
                    queued = QueuedCall(call, sender)
                    if default.running < default.limit and self._arguments.came(queued):
                        self._begin(queued, default)
                        continue
                nothing_ahead = False
                touched[self._enqueue(caller, sender, call)] = None
                continue
            if sequence < caller.expected or sequence in early:
                continue  # A second copy.
            early[sequence] = call
            while (next_call := early.pop(caller.expected, None)) is not None:
                caller.expected += 1
                touched[self._enqueue(caller, sender, next_call)] = None
        for name in touched:
            self._serve(self._groups[name])

    def _enqueue(self, caller: Caller, sender: Address, call: TaskCall) -> str:
        line = self._line(call, caller)
        name = line.group
        queued = QueuedCall(call, sender)
        if caller.unwanted and call.task_id in caller.unwanted:
            del caller.unwanted[call.task_id]
            self.answer_cancelled(queued)
            return name
        line.calls.append(queued)
        self._queued[call.task_id] = (line, queued)
        self._groups[name].turns.append(line)
        if not self._arguments.came(queued):
            self._arguments.bring(queued, lambda _: self._arrived(line), may_give_up=False)
        return name

    def _line(self, call: TaskCall, caller: Caller) -> Line:
        """Where it waits for its turn."""
        assert self.spec is not None
        name = call.group
        if name and name not in self._groups:
            name = ""
        if self.spec.out_of_order or call.out_of_turn:
            return Line(name)
        line = caller.lines.get(name)
        if line is None:
            line = caller.lines[name] = Line(name)
        return line

    def _arrived(self, line: Line) -> None:
        """The head may be ready now: the turns that were put aside for it come first."""
        group = self._groups[line.group]
        self._take_turns(group, line)
        self._serve(group)

    def _take_turns(self, group: Group, line: Line) -> None:
        if line.parked and (not line.calls or line.calls[0].ready):
            group.turns.extendleft([line] * line.parked)
            line.parked = 0

    def _serve(self, group: Group) -> None:
        """Start as many as may run, each the head of the line whose turn came first among those ready."""
        if self._held:
            return
        turns, limit = group.turns, group.limit
        while turns and group.running < limit:
            line = turns.popleft()
            if not line.calls:
                continue
            if not line.calls[0].ready:
                line.parked += 1
                continue
            queued = line.calls.popleft()
            del self._queued[queued.call.task_id]
            if line.parked:
                self._take_turns(group, line)
            self._begin(queued, group)

    def _begin(self, queued: QueuedCall, group: Group) -> None:
        group.running += 1
        self._run(queued, self.runnable(queued.call, queued.caller, queued.args))

    def runnable(self, call: TaskCall, caller: Address, args: Sequence[LocalArg]) -> RunnableTask:
        """A method call as the host gets it."""
        start = self._start
        assert start is not None
        return RunnableTask(
            call, caller, args, None, None, self.spec, self.incarnation, -1, start.accelerators
        )

    def finished(self, queued: QueuedCall) -> None:
        call = queued.call
        group = (self._groups.get(call.group) if call.group else None) or self._default
        if call.method != CONSTRUCTOR:
            group.running -= 1
        if group.turns:
            self._serve(group)

    def hold(self, given: list[QueuedCall]) -> None:
        """Begin no call until `let_go`; these, which were begun last, are the next ones then."""
        self._held += 1
        self._default.limit = (
            1  # It may return what is large again: to take calls back each time is worse.
        )
        waiting, self._queued = self._queued, {}
        for queued in given:
            line = self._line(queued.call, self._callers[queued.caller.worker_id])
            self._queued[queued.call.task_id] = (line, queued)
        self._queued.update(waiting)
        for queued in reversed(given):
            line, _ = self._queued[queued.call.task_id]
            group = self._groups[line.group]
            line.calls.appendleft(queued)
            group.turns.appendleft(line)
            group.running -= 1

    def let_go(self) -> None:
        self._held -= 1
        for group in self._groups.values():
            self._serve(group)

    def waiting(self) -> bool:
        """Whether calls have arrived that did not start."""
        return bool(self._queued)

    def queued(self) -> Iterable[QueuedCall]:
        """Those that have not started."""
        return [queued for _, queued in self._queued.values()]

    def cancel(self, task_id: TaskId) -> None:
        """Answer it now, if it waits here. Its number is spent: those behind it are not held up."""
        found = self._queued.get(task_id)
        if found is not None:
            line, queued = found
            self._take_out([(line, queued)])
            self.answer_cancelled(queued)
            self._arrived(line)
            return
        for caller in self._callers.values():
            if any(call.task_id == task_id for call in caller.early.values()):
                caller.unwanted[task_id] = None

    def _take_out(self, unwanted: list[tuple[Line, QueuedCall]]) -> None:
        for _, queued in unwanted:
            del self._queued[queued.call.task_id]
            queued.dropped = True
            self._arguments.release(queued)
        for line in {id(line): line for line, _ in unwanted}.values():
            line.calls = deque(queued for queued in line.calls if not queued.dropped)

    def answer_cancelled(self, queued: QueuedCall) -> None:
        call = queued.call
        text = f"Call {call.method} ({call.task_id.hex()[:8]}) was cancelled before it started."
        outcome = Outcome(TaskStatus.FAILED, failure=Failure(FailureKind.TASK_CANCELLED, text))
        self._results.finish(RunnableTask(call, queued.caller, []), outcome, self._host.now_ns())

    def callers(self) -> list[Address]:
        return list(self._addresses.values())

    def caller_lost(self, peer: Address) -> None:
        self._addresses.pop(peer.worker_id, None)
        self._callers.pop(peer.worker_id, None)
        self._drop(lambda queued: queued.caller.worker_id == peer.worker_id)

    def drop_all(self) -> None:
        """The process ends: the callers learn it from the GCS."""
        self._closed = True
        self._drop(lambda queued: True)

    def _drop(self, unwanted: Callable[[QueuedCall], bool]) -> None:
        self._take_out([found for found in self._queued.values() if unwanted(found[1])])


def _constructor_failure(spec: ActorSpec, outcome: Outcome) -> Failure | None:
    name = f"{spec.class_name} ({spec.actor_id.hex()[:8]})"
    if outcome.failure is not None:
        text = f"Actor {name} was not made: {outcome.failure.text}"
        return Failure(FailureKind.ACTOR_DIED, text, spec.actor_id, True)
    if outcome.status != TaskStatus.OK:
        payload = b"".join(outcome.returns[0].parts)
        text = f"The constructor of actor {name} raised."
        return Failure(FailureKind.ACTOR_DIED, text, spec.actor_id, True, payload)
    return None
