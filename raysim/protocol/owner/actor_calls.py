"""Calls to actors: direct, in order per caller and incarnation, retried or failed when the actor goes.

Never where an actor runs or whether it restarts: the GCS says so (ActorChanged).
"""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from raysim.journal import ObjectRebuilt
from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host
from raysim.protocol.messages import (
    ActorChanged,
    CancelTasks,
    ContainedRef,
    ReleaseReturnHolds,
    TaskResult,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.messages.tasks import OK
from raysim.protocol.owner.actor_batches import ActorBatches
from raysim.protocol.owner.actor_clients import ActorClient, ActorClients, died, unavailable
from raysim.protocol.owner.call_arguments import Arguments
from raysim.protocol.owner.history import History
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import TaskRecord, ended, finished
from raysim.protocol.owner.returns import (
    fail_returns,
    fail_returns_like,
    plain_value,
    take_returns,
)
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
    actor_handle_object,
    first_return,
    return_id,
)
from raysim.spec.task import TaskCall, returns_of


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
        self.clients = ActorClients(host, gcs, self._owner_of)
        self.records: dict[TaskId, TaskRecord] = {}
        self._batches = ActorBatches(host)
        self._release_holds: Batcher[TaskId] = Batcher(host, ReleaseReturnHolds)

    def record(self, task_id: TaskId) -> TaskRecord | None:
        """A call that has not ended."""
        return self.records.get(task_id)

    def _owner_of(self, actor_id: ActorId) -> Address:
        """As the counted handle says."""
        handle = self._objects.entries.get(actor_handle_object(actor_id))
        return NOWHERE if handle is None or handle.owner is None else handle.owner

    # What the GCS says of actors

    def on_changed(self, sender: Address, changed: ActorChanged) -> None:
        info = changed.info
        actor = self.clients.answered(info)
        if actor is None:
            return
        if actor.info is not None and info.incarnation != actor.info.incarnation:
            self.clients.disconnect(actor)
            actor.next_sequence = 0
        actor.info = info
        if info.state == ActorState.ALIVE and info.incarnation == actor.lost_incarnation:
            # The GCS has not noticed yet what this caller saw: the process is gone.
            self.clients.subscribe_later(actor)
        elif info.state == ActorState.ALIVE and info.moving:
            actor.connected = False  # What was sent is answered yet; the rest waits.
        elif info.state == ActorState.ALIVE:
            self._connect(actor)
        elif info.state == ActorState.DEAD:
            self.clients.disconnect(actor)
            self._end(actor)
        else:
            self.clients.disconnect(actor)
            self._lose_in_flight(actor)
        self.clients.tell_watchers(info)

    def _connect(self, actor: ActorClient) -> None:
        if actor.connected:
            return
        if actor.in_flight:
            self._lose_in_flight(actor)
            actor.next_sequence = 0
        self.clients.connect(actor)
        self._drain(actor)

    # Calling

    def submit(
        self,
        actor_id: ActorId,
        call: TaskCall,
        nested: Sequence[ContainedRef],
        name: str,
        retries: int,
        parent: TaskId = NIL_TASK,
        hidden: bool | None = None,
    ) -> ObjectId:
        """Take a call over. The id of its first return, if it has any."""
        actor = self.clients.of(actor_id)
        task_id, count, refs = call.task_id, call.num_returns, call.refs
        now = self._host.now_ns()
        record = TaskRecord(
            call,
            None,
            name,
            retries,
            nested,
            now,
            actor_id=actor_id,
            rebuilds=retries != 0,
            parent=parent,
            hidden=hidden,
        )
        first = first_return(task_id)
        self.records[task_id] = record
        if count == 1:
            self._objects.create(first, 1)
        else:
            for index in range(returns_of(count)):
                self._objects.create(return_id(task_id, index), 1)
            if count < 0:
                self._streams.open(record)
        if refs or nested:
            self._arguments.hold(record)
        if (
            actor.connected
            and not actor.queue
            and (not refs or self._arguments.fill_at_once(record))
        ):
            self._batches.add(actor, record, now)  # Nothing holds it up: nearly all.
        elif not self._refused(actor, record):
            actor.queue.append(record)
            if call.group:
                actor.some_in_groups = True
            if refs:
                self._arguments.wait(record, partial(self._drain, actor))
            else:
                self._drain(actor)
        return first

    def _refused(self, actor: ActorClient, record: TaskRecord) -> bool:
        """Whether it has failed at once, for there is no actor to call now."""
        info = actor.info
        if info is None or actor.connected:
            return False
        if info.state == ActorState.DEAD:
            self._fail(record, died(info))
            return True
        unavailable_now = info.state == ActorState.RESTARTING and not info.moving
        if unavailable_now and record.retries_left == 0:
            self._fail(record, unavailable(info, "is restarting"))
            return True
        return False

    def _drain(self, actor: ActorClient) -> None:
        """Send the calls at the head that are ready; one that is not blocks those behind it in its group (Ray)."""
        if not actor.connected or actor.info is None:
            return
        if actor.info.out_of_order:
            actor.overtake()
        else:
            if actor.some_out_of_turn:
                actor.let_pass()
            if actor.some_in_groups:
                actor.part_groups()
        queue = actor.queue
        if not queue:
            return
        now = self._host.now_ns()
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
            self._batches.add(actor, record, now)

    def flush(self) -> None:
        """Send what was gathered: somebody is about to wait for it."""
        self._batches.flush()

    # Results

    def on_done(self, worker: Address, done: TasksDone) -> None:
        records = self.records
        if not records:
            return
        actor: ActorClient | None = None
        for result in done.results:
            task_id = result.task_id
            record = records.get(task_id)
            if record is None or not record.running:
                continue
            call = record.call
            if call.attempt != result.attempt:
                continue
            actor_id = record.actor_id
            if actor is None or actor.actor_id != actor_id:
                assert actor_id is not None
                actor = self.clients.of(actor_id)
            del actor.in_flight[task_id]
            record.running = False
            value = plain_value(result) if call.num_returns == 1 else None
            if value is None or record.retained:
                self._result(actor, record, worker, done.raylet, result)
                continue
            self._note_finished(actor, record, worker, result)
            self._objects.set_returned(first_return(task_id), value)
            # As `_forget`, of a call that is no generator's.
            del records[task_id]
            if call.refs or record.nested:
                self._arguments.release(record)
            if actor.when_idle is not None:
                self._look_idle(actor)

    def _note_finished(
        self, actor: ActorClient, record: TaskRecord, worker: Address, result: TaskResult
    ) -> None:
        if self._host.takes_notes:
            self._host.note(finished(record, worker, result))
        hidden, info = record.hidden, actor.info
        if hidden is None:
            hidden = info is not None and info.hidden
        if not hidden:
            self._history.add_finished(record, worker, result.start_ns, result.end_ns, info)

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
        task_id, returns = record.call.task_id, result.returns
        if result.status is OK:
            self._note_finished(actor, record, worker, result)
        else:
            self._note(record, "failed", worker, result)
        if record.num_returns < 0:
            self._streams.result(record, worker, raylet, result)
            returns = returns[:1]
        stored = take_returns(self._objects, task_id, returns, raylet)
        if record.rebuilds and (stored or record.retained):
            self._arguments.keep(record, stored)
        if any(value.contained for value in returns):
            self._objects.after_acknowledgements(lambda: self._release_holds.add(worker, task_id))
        self._forget(record, actor)

    def rebuild(self, record: TaskRecord, lost: ObjectId) -> bool:
        """Call the actor again for a return that was lost, if it lives and retries are left (Ray)."""
        task_id, actor_id = record.call.task_id, record.actor_id
        assert actor_id is not None
        if task_id in self.records:
            record.items_missing = True
            return True
        actor = self.clients.of(actor_id)
        if actor.is_dead or not self._take_retry(record):
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

    def _forget(self, record: TaskRecord, actor: ActorClient | None = None) -> None:
        call = record.call
        del self.records[call.task_id]
        if call.refs or record.nested:
            self._arguments.release(record)
        if record.num_returns < 0:
            self._streams.over(record)
        if actor is None:
            assert record.actor_id is not None
            actor = self.clients.of(record.actor_id)
        if actor.when_idle is not None:
            self._look_idle(actor)

    def cancel(self, task_id: TaskId, recursive: bool = False) -> None:
        """Drop the call if it was not sent yet; the actor deals with one that was."""
        record = self.records.get(task_id)
        if record is None:
            return
        assert record.actor_id is not None
        actor = self.clients.of(record.actor_id)
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
        actor = self.clients.known(actor_id)
        return 0 if actor is None else len(actor.in_flight) + len(actor.queue)

    def when_idle(self, actor_id: ActorId, action: Callable[[], None]) -> None:
        """Run `action` once every call of this process to the actor was answered."""
        actor = self.clients.of(actor_id)
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
        for actor in self.clients.on_node(node_id):
            self.worker_lost(actor.address)

    def worker_lost(self, worker: Address) -> None:
        """The actor's process is gone: what becomes of it, the GCS will say. Or the GCS itself is."""
        if worker.worker_id == self._gcs.worker_id:
            self.clients.gcs_lost()
            return
        actor = self.clients.at(worker)
        if actor is not None and actor.info is not None:
            self.clients.disconnect(actor)
            actor.lost_incarnation = actor.info.incarnation
            if actor.timer is None:
                self.clients.subscribe(actor)

    def _lose_in_flight(self, actor: ActorClient) -> None:
        """What was sent may have run; what was only gathered has not, and waits for the next incarnation."""
        gathered, actor.outbox = actor.outbox, []
        for record in reversed(gathered):
            record.running = False
            del actor.in_flight[record.call.task_id]
            actor.put_back(record)
        lost = actor.sent()
        actor.in_flight = {}
        self._retry_or_fail(actor, lost)

    def _retry_or_fail(self, actor: ActorClient, lost: list[TaskRecord]) -> None:
        again: list[TaskRecord] = []
        for record in lost:
            record.running = False
            if record.cancelled:
                self._cancelled(record)
            elif self._take_retry(record):
                self._note(record, "retried", actor.address, reason="the actor went")
                again.append(record)
            else:
                assert actor.info is not None
                self._fail(record, unavailable(actor.info, "restarts; this call may have run"))
        self._requeue(actor, again)

    def _requeue(self, actor: ActorClient, again: list[TaskRecord]) -> None:
        """In front of what was not sent yet, in their old order, once their arguments are there (again)."""
        for record in reversed(again):
            record.missing = 1
            call = record.call
            record.call = msgspec.structs.replace(
                call, attempt=call.attempt + 1, refs=list(call.refs), sequence=-1
            )
            actor.put_back(record)
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
        failure = died(actor.info)
        records = actor.sent() + [record for record in actor.queue if not record.cancelled]
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
        actor = self.clients.of(actor_id, subscribe=False)
        actor.info = ActorInfo(actor_id, ActorState.DEAD, 0, 0, death=failure)
        self._end(actor)
        self.clients.tell_watchers(actor.info)

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
            actor = self.clients.known(record.actor_id)
            info = None if actor is None else actor.info
            self._history.add(record, note, info, result, failure)

    def is_hidden(self, record: TaskRecord) -> bool:
        if record.hidden is not None:
            return record.hidden
        assert record.actor_id is not None
        actor = self.clients.known(record.actor_id)
        return actor is not None and actor.info is not None and actor.info.hidden
