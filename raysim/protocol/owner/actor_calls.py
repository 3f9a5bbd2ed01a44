"""Calls to actors: direct, in order per caller and incarnation, retried or failed when the actor goes.

Never where an actor runs or whether it restarts: the GCS says so (ActorChanged).
"""

from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec

from raysim.journal import ObjectRebuilt
from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import (
    ActorChanged,
    CancelTasks,
    ContainedRef,
    PushActorCalls,
    ReleaseReturnHolds,
    SubscribeActor,
    TaskResult,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.owner.call_arguments import Arguments
from raysim.protocol.owner.history import History
from raysim.protocol.owner.leases import SEND_AFTER_NS, SEND_AT
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import TaskRecord, ended
from raysim.protocol.owner.returns import fail_returns, fail_returns_like, take_returns
from raysim.protocol.owner.streams import Streams
from raysim.spec.actor import ActorInfo, ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import (
    NIL_TASK,
    ActorId,
    NodeId,
    ObjectId,
    TaskId,
    WorkerId,
    actor_handle_object,
    return_id,
)
from raysim.spec.task import TaskCall, returns_of


class ActorClient(msgspec.Struct):
    """One actor as this caller sees it."""

    actor_id: ActorId
    info: ActorInfo | None = None
    queue: deque[TaskRecord] = msgspec.field(default_factory=deque)
    """Not sent yet, in the order of the calls."""
    in_flight: dict[TaskId, TaskRecord] = {}
    outbox: list[TaskRecord] = []
    next_sequence: int = 0
    some_out_of_turn: bool = False
    """Calls that are made again may be in `queue`."""
    connected: bool = False
    """The incarnation in `info` is alive as far as is known, and takes calls."""
    timer: Timer | None = None
    when_idle: Callable[[], None] | None = None
    lost_incarnation: int = -1
    """The incarnation whose process this caller saw go."""


class ActorCalls:
    def __init__(
        self, host: Host, objects: ObjectTable, streams: Streams, history: History, gcs: Address
    ) -> None:
        self._host = host
        self._objects = objects
        self._streams = streams
        self._history = history
        self._arguments = Arguments(objects)
        self._gcs = gcs
        self._actors: dict[ActorId, ActorClient] = {}
        self._by_worker: dict[WorkerId, ActorClient] = {}
        self.records: dict[TaskId, TaskRecord] = {}
        self._dirty: dict[ActorId, ActorClient] = {}
        self._flush_timer = False
        self._watchers: dict[ActorId, dict[TaskId, Callable[[ActorInfo], None]]] = {}
        self._release_holds = Batcher[TaskId](host, lambda ids: ReleaseReturnHolds(ids))

    # Knowing actors

    def client(self, actor_id: ActorId, subscribe: bool = True) -> ActorClient:
        """The actor's client; asks the GCS to be told of its state the first time."""
        found = self._actors.get(actor_id)
        if found is None:
            found = self._actors[actor_id] = ActorClient(actor_id)
            if subscribe:
                self._subscribe(found)
        return found

    def record(self, task_id: TaskId) -> TaskRecord | None:
        """A call that has not ended."""
        return self.records.get(task_id)

    def watch(self, actor_id: ActorId, who: TaskId, changed: Callable[[ActorInfo], None]) -> None:
        """Run `changed` with the actor's state, as far as it is known, and whenever the GCS says more."""
        self._watchers.setdefault(actor_id, {})[who] = changed
        info = self.client(actor_id).info
        if info is not None:
            changed(info)

    def unwatch(self, actor_id: ActorId, who: TaskId) -> None:
        watchers = self._watchers.get(actor_id, {})
        watchers.pop(who, None)
        if not watchers:
            self._watchers.pop(actor_id, None)

    def _tell_watchers(self, info: ActorInfo) -> None:
        for changed in list(self._watchers.get(info.actor_id, {}).values()):
            changed(info)

    def _owner_of(self, actor_id: ActorId) -> Address:
        """Who made it, as the counted handle says: should that process die first, the GCS never hears of it."""
        handle = self._objects.entries.get(actor_handle_object(actor_id))
        return NOWHERE if handle is None or handle.owner is None else handle.owner

    def _subscribe(self, actor: ActorClient) -> None:
        """Ask until the GCS answers: calls wait for it."""
        self._host.send(self._gcs, SubscribeActor(actor.actor_id, self._owner_of(actor.actor_id)))
        actor.timer = self._host.call_later(
            self._host.config.request_retry_ns, lambda: self._subscribe(actor)
        )

    def _gcs_lost(self) -> None:
        """It remembers actors, and not who wants to hear of them: tell it again, once it is back."""
        for actor in self._actors.values():
            is_dead = actor.info is not None and actor.info.state == ActorState.DEAD
            if actor.timer is None and not is_dead:
                actor.timer = self._host.call_later(
                    self._host.config.request_retry_ns, partial(self._subscribe, actor)
                )

    def on_changed(self, sender: Address, changed: ActorChanged) -> None:
        info = changed.info
        actor = self._actors.get(info.actor_id)
        if actor is None:
            return  # Late news of an actor that nobody here can call any more.
        if actor.timer is not None:
            actor.timer.cancel()
            actor.timer = None
        known = actor.info
        if known is not None and info.version < known.version:
            return
        if known is not None and info.incarnation != known.incarnation:
            self._disconnect(actor)
            actor.next_sequence = 0
        actor.info = info
        if info.state == ActorState.ALIVE and info.incarnation == actor.lost_incarnation:
            # The GCS has not noticed yet what this caller saw: the process is gone. Ask again later.
            actor.timer = self._host.call_later(
                self._host.config.request_retry_ns, lambda: self._subscribe(actor)
            )
        elif info.state == ActorState.ALIVE:
            self._connect(actor, info)
        elif info.state == ActorState.DEAD:
            self._disconnect(actor)
            self._end(actor)
        else:
            self._disconnect(actor)
            self._lose_in_flight(actor)
        self._tell_watchers(info)

    def _connect(self, actor: ActorClient, info: ActorInfo) -> None:
        if actor.connected:
            return
        if actor.in_flight:
            self._lose_in_flight(actor)
            actor.next_sequence = 0
        actor.connected = True
        self._by_worker[info.address.worker_id] = actor
        self._drain(actor)

    def _disconnect(self, actor: ActorClient) -> None:
        actor.connected = False
        if actor.info is not None:
            self._by_worker.pop(actor.info.address.worker_id, None)

    # Calling

    def submit(
        self,
        actor_id: ActorId,
        call: TaskCall,
        nested: list[ContainedRef],
        name: str,
        retries: int,
        parent: TaskId = NIL_TASK,
        hidden: bool | None = None,
    ) -> None:
        actor = self.client(actor_id)
        record = TaskRecord(call, None, name, retries, nested, self._host.now_ns())
        record.actor_id = actor_id
        record.rebuilds = retries != 0
        record.parent, record.hidden = parent, hidden
        for index in range(returns_of(call.num_returns)):
            self._objects.create(return_id(call.task_id, index)).local = 1
        self.records[call.task_id] = record
        if call.num_returns < 0:
            self._streams.open(record)
        if call.refs or nested:
            self._arguments.hold(record)
        info = actor.info
        if info is not None and info.state == ActorState.DEAD:
            self._fail(record, _died(info))
            return
        if info is not None and info.state == ActorState.RESTARTING and retries == 0:
            self._fail(record, _unavailable(info, "is restarting"))
            return
        actor.queue.append(record)
        if call.refs:
            self._arguments.wait(record, lambda: self._drain(actor))
        else:
            self._drain(actor)

    def _drain(self, actor: ActorClient) -> None:
        """Send the calls at the head that are ready; one that is not blocks those behind it (Ray)."""
        if not actor.connected or actor.info is None:
            return
        if actor.info.out_of_order:
            self._overtake(actor)
        elif actor.some_out_of_turn:
            self._let_pass(actor)
        queue = actor.queue
        while queue and (queue[0].missing == 0 or queue[0].cancelled):
            record = queue.popleft()
            if record.cancelled:
                continue
            if record.call.refs:
                broken = self._arguments.fill(record)
                if broken is not None:
                    self._note(record, "failed", reason="an argument failed")
                    fail_returns_like(self._objects, record, broken)
                    self._forget(record)
                    continue
            record.call.sequence = actor.next_sequence
            actor.next_sequence += 1
            record.running = True
            record.pushed_ns = self._host.now_ns()
            idle = not actor.in_flight
            actor.in_flight[record.call.task_id] = record
            actor.outbox.append(record)
            if idle or len(actor.outbox) >= SEND_AT:
                self._send(actor)
        if actor.outbox:
            self._dirty[actor.actor_id] = actor
            if not self._flush_timer:
                self._flush_timer = True
                self._host.call_later(SEND_AFTER_NS, self._flush_late)

    def _overtake(self, actor: ActorClient) -> None:
        """The actor keeps no order: the calls that are ready go before those that wait."""
        queue = actor.queue
        if queue and queue[0].missing and not all(record.missing for record in queue):
            actor.queue = deque(
                [record for record in queue if not record.missing]
                + [record for record in queue if record.missing]
            )

    def _let_pass(self, actor: ActorClient) -> None:
        """Those out of turn that are ready go first: what is ahead of them may wait for what they return."""
        queue = actor.queue
        ready = [record for record in queue if record.call.out_of_turn and not record.missing]
        if ready:
            others = [record for record in queue if record.missing or not record.call.out_of_turn]
            actor.queue = deque(ready + others)
        else:
            actor.some_out_of_turn = any(record.call.out_of_turn for record in queue)

    def _send(self, actor: ActorClient) -> None:
        assert actor.info is not None
        calls = [record.call for record in actor.outbox]
        actor.outbox = []
        self._host.send(
            actor.info.address, PushActorCalls(actor.actor_id, actor.info.incarnation, calls)
        )

    def flush(self) -> None:
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            for actor in dirty.values():
                if actor.outbox and actor.connected:
                    self._send(actor)

    def _flush_late(self) -> None:
        self._flush_timer = False
        self.flush()

    # Results

    def on_done(self, worker: Address, done: TasksDone) -> None:
        for result in done.results:
            record = self.records.get(result.task_id)
            if record is None or not record.running or record.call.attempt != result.attempt:
                continue
            assert record.actor_id is not None
            actor = self._actors[record.actor_id]
            del actor.in_flight[result.task_id]
            record.running = False
            self._result(actor, record, worker, done.raylet, result)

    def _result(
        self,
        actor: ActorClient,
        record: TaskRecord,
        worker: Address,
        raylet: Address,
        result: TaskResult,
    ) -> None:
        if result.status == TaskStatus.NOT_RUN:
            self._retry_or_fail(actor, [record])
            return
        if result.status == TaskStatus.RETRIABLE_ERROR and self._take_retry(record):
            self._note(record, "retried", worker, result)
            if any(value.contained for value in result.returns):
                self._release_holds.add(worker, record.call.task_id)
            self._requeue(actor, [record])
            self._drain(actor)
            return
        if result.status == TaskStatus.FAILED:
            assert result.failure is not None
            self._fail(record, result.failure)
            return
        is_error = result.status != TaskStatus.OK
        self._note(record, "failed" if is_error else "finished", worker, result)
        task_id, returns = record.call.task_id, result.returns
        if record.num_returns < 0:
            self._streams.result(record, worker, raylet, result)
            returns = returns[:1]
        stored = take_returns(self._objects, task_id, returns, raylet)
        if record.rebuilds and (stored or record.retained):
            self._arguments.keep(record, stored)
        if any(value.contained for value in returns):
            self._objects.after_acknowledgements(lambda: self._release_holds.add(worker, task_id))
        self._forget(record)

    def rebuild(self, record: TaskRecord, lost: ObjectId) -> bool:
        """Call the actor again for a return that was lost, if it lives and retries are left (Ray)."""
        task_id, actor_id = record.call.task_id, record.actor_id
        assert actor_id is not None
        if task_id in self.records:
            record.items_missing = True
            return True
        actor = self.client(actor_id)
        dead = actor.info is not None and actor.info.state == ActorState.DEAD
        if dead or not self._take_retry(record):
            return False
        self._host.note(ObjectRebuilt(lost))
        self.records[task_id] = record
        self._arguments.hold(record)
        if record.num_returns < 0:
            self._streams.again(record)
        self._objects.cascade.run(partial(self._call_again, actor, record))
        return True

    def _call_again(self, actor: ActorClient, record: TaskRecord) -> None:
        actor.some_out_of_turn = True
        record.call = msgspec.structs.replace(record.call, out_of_turn=True)
        self._requeue(actor, [record])
        self._drain(actor)

    def _forget(self, record: TaskRecord) -> None:
        del self.records[record.call.task_id]
        self._arguments.release(record)
        if record.num_returns < 0:
            self._streams.over(record)
        assert record.actor_id is not None
        self._look_idle(self._actors[record.actor_id])

    def cancel(self, task_id: TaskId, recursive: bool = False) -> None:
        """Drop the call if it was not sent yet; the actor deals with one that was."""
        record = self.records.get(task_id)
        if record is None:
            return
        assert record.actor_id is not None
        actor = self._actors[record.actor_id]
        if record.running:
            record.cancelled = True
            if actor.connected and actor.info is not None:
                self.flush()
                self._host.send(actor.info.address, CancelTasks([task_id], False, recursive))
        elif not record.cancelled:
            # It leaves the queue when its turn comes: no number is spent on it.
            record.cancelled = True
            self._cancelled(record)
            self._drain(actor)

    def _cancelled(self, record: TaskRecord) -> None:
        self._note(record, "cancelled")
        name = f"Call {record.name} ({record.call.task_id.hex()[:8]})"
        text = f"{name} was cancelled, and did not start or did not finish."
        self._end_with_failure(record, Failure(FailureKind.TASK_CANCELLED, text))

    def pending(self, actor_id: ActorId) -> int:
        """Calls of this process to the actor that have no result yet."""
        actor = self._actors.get(actor_id)
        return 0 if actor is None else len(actor.in_flight) + len(actor.queue)

    def when_idle(self, actor_id: ActorId, action: Callable[[], None]) -> None:
        """Run `action` once every call of this process to the actor was answered."""
        actor = self.client(actor_id)
        actor.when_idle = action
        self._look_idle(actor)

    def _look_idle(self, actor: ActorClient) -> None:
        if actor.when_idle is None or actor.in_flight:
            return
        while actor.queue and actor.queue[0].cancelled:
            actor.queue.popleft()
        if not actor.queue:
            action, actor.when_idle = actor.when_idle, None
            action()

    # Losing actors

    def node_lost(self, node_id: NodeId) -> None:
        for actor in list(self._by_worker.values()):
            if actor.info is not None and actor.info.address.node_id == node_id:
                self.worker_lost(actor.info.address)

    def worker_lost(self, worker: Address) -> None:
        """The actor's process is gone: what becomes of it, the GCS will say. Or the GCS itself is."""
        if worker.worker_id == self._gcs.worker_id:
            self._gcs_lost()
            return
        actor = self._by_worker.get(worker.worker_id)
        if actor is not None and actor.info is not None:
            self._disconnect(actor)
            actor.lost_incarnation = actor.info.incarnation
            if actor.timer is None:
                self._subscribe(actor)

    def _lose_in_flight(self, actor: ActorClient) -> None:
        """What was sent may have run; what was only gathered has not, and waits for the next incarnation."""
        gathered, actor.outbox = actor.outbox, []
        for record in reversed(gathered):
            record.running = False
            del actor.in_flight[record.call.task_id]
            actor.queue.appendleft(record)
        lost = sorted(actor.in_flight.values(), key=lambda record: record.call.sequence)
        actor.in_flight = {}
        self._retry_or_fail(actor, lost)

    def _retry_or_fail(self, actor: ActorClient, lost: list[TaskRecord]) -> None:
        again: list[TaskRecord] = []
        for record in lost:
            record.running = False
            if record.cancelled:
                self._cancelled(record)
            elif self._take_retry(record):
                self._note(record, "retried", _address(actor), reason="the actor went")
                again.append(record)
            else:
                assert actor.info is not None
                self._fail(record, _unavailable(actor.info, "restarts; this call may have run"))
        self._requeue(actor, again)

    def _requeue(self, actor: ActorClient, again: list[TaskRecord]) -> None:
        """In front of what was not sent yet, in their old order, once their arguments are there (again)."""
        for record in reversed(again):
            record.missing = 1
            call = record.call
            record.call = msgspec.structs.replace(
                call, attempt=call.attempt + 1, refs=list(call.refs), sequence=-1
            )
            actor.queue.appendleft(record)
            actor.some_out_of_turn = actor.some_out_of_turn or call.out_of_turn
        for record in again:
            self._arguments.wait(record, lambda: self._drain(actor))

    def _take_retry(self, record: TaskRecord) -> bool:
        if record.cancelled or record.retries_left == 0:
            return False
        if record.retries_left > 0:
            record.retries_left -= 1
        return True

    def _end(self, actor: ActorClient) -> None:
        """Dead for good: every call that waits or is out fails."""
        assert actor.info is not None
        failure = _died(actor.info)
        records = sorted(actor.in_flight.values(), key=lambda record: record.call.sequence)
        records += [record for record in actor.queue if not record.cancelled]
        actor.in_flight, actor.outbox = {}, []
        actor.queue.clear()
        for record in records:
            self._fail(record, failure)

    def _fail(self, record: TaskRecord, failure: Failure) -> None:
        self._note(record, "failed", reason=failure.text, failure=failure)
        self._end_with_failure(record, failure)

    def _end_with_failure(self, record: TaskRecord, failure: Failure) -> None:
        fail_returns(self._objects, record, failure)
        self._forget(record)

    def refuse(self, actor_id: ActorId, failure: Failure) -> None:
        """The GCS does not make this actor."""
        actor = self.client(actor_id, subscribe=False)
        actor.info = ActorInfo(actor_id, ActorState.DEAD, 0, 0, death=failure)
        self._end(actor)
        self._tell_watchers(actor.info)

    def forget(self, actor_id: ActorId) -> None:
        """It is dead, and the counted handles are gone. Who finds another one asks the GCS anew."""
        actor = self._actors.get(actor_id)
        if actor is not None and not actor.in_flight and not actor.queue:
            if actor.timer is not None:
                actor.timer.cancel()
            del self._actors[actor_id]

    def _note(
        self,
        record: TaskRecord,
        status: str,
        worker: Address = NOWHERE,
        result: TaskResult | None = None,
        reason: str = "",
        failure: Failure | None = None,
    ) -> None:
        note = ended(record, self._host.now_ns(), status, worker, result, reason)
        self._host.note(note)
        if not self.is_hidden(record):
            assert record.actor_id is not None
            actor = self._actors.get(record.actor_id)
            info = None if actor is None else actor.info
            self._history.add(record, note, info, result, failure)

    def is_hidden(self, record: TaskRecord) -> bool:
        if record.hidden is not None:
            return record.hidden
        assert record.actor_id is not None
        actor = self._actors.get(record.actor_id)
        return actor is not None and actor.info is not None and actor.info.hidden


def _address(actor: ActorClient) -> Address:
    return actor.info.address if actor.info is not None else NOWHERE


def _died(info: ActorInfo) -> Failure:
    if info.death is not None:
        return info.death
    text = f"Actor {info.class_name} ({info.actor_id.hex()[:8]}) is dead."
    return Failure(FailureKind.ACTOR_DIED, text, info.actor_id)


def _unavailable(info: ActorInfo, what: str) -> Failure:
    text = (
        f"Actor {info.class_name} ({info.actor_id.hex()[:8]}) {what}. Set max_task_retries if its"
        " calls may run twice."
    )
    return Failure(FailureKind.ACTOR_UNAVAILABLE, text, info.actor_id)
