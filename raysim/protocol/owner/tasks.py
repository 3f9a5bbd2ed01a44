"""The calls of this owner's tasks: dependencies, results, retries, lineage. Never which worker: see leases.py."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from raysim.config import MS
from raysim.journal import ObjectRebuilt
from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host
from raysim.protocol.messages import (
    CancelTasks,
    ContainedRef,
    ReleaseReturnHolds,
    TaskResult,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.messages.tasks import OK
from raysim.protocol.owner.call_arguments import Arguments
from raysim.protocol.owner.entries import Entry
from raysim.protocol.owner.history import History
from raysim.protocol.owner.leases import Leases
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import OutOfMemory, TaskRecord, ended, finished
from raysim.protocol.owner.returns import (
    carries,
    fail_returns,
    fail_returns_like,
    plain_value,
    take_returns,
)
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.protocol.owner.streams import Streams
from raysim.protocol.owner.turns import preempted, restored
from raysim.protocol.owner.variants import bytes_held
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NIL_TASK, NodeId, ObjectId, TaskId, first_return, return_id
from raysim.spec.task import Claim, Default, TaskCall, returns_of

LONGEST_DELAY_NS = 60_000 * MS
"""Nanoseconds until a call that ran out of memory runs again, at most. Ray: `ExponentialBackoff`."""


class Tasks:
    """Submits, retries, completes, rebuilds."""

    def __init__(
        self,
        host: Host,
        objects: ObjectTable,
        streams: Streams,
        history: History,
        raylet: Address,
    ) -> None:
        self._host = host
        self._objects = objects
        self._streams = streams
        self._history = history
        self.arguments = Arguments(objects)
        self._by_locality = host.config.locality_aware_leasing
        self.leases = Leases(host, raylet, self._prefer, self._fail, self._lost)
        self.records: dict[TaskId, TaskRecord] = {}
        self._classes: dict[TaskId, SchedulingClass] = {}
        self._release_holds: Batcher[TaskId] = Batcher(host, ReleaseReturnHolds)
        self.rebuild_method: Callable[[TaskRecord, ObjectId], bool] = lambda record, lost: False
        """Set by those who call actors."""
        objects.rebuild = self._rebuild
        objects.release_task = self._release_lineage

    # Submission

    def submit(
        self,
        cls: SchedulingClass,
        call: TaskCall,
        nested: Sequence[ContainedRef],
        name: str,
        parent: TaskId = NIL_TASK,
        claim: Claim | None = None,
    ) -> None:
        """Take a call over. Each return entry exists from now on, with one reference: the caller's."""
        template, task_id = cls.template, call.task_id
        record = TaskRecord(
            call,
            template,
            name,
            template.max_retries,
            nested,
            self._host.now_ns(),
            function=cls.function,
            rebuilds=template.max_retries != 0,
            parent=parent,
            hidden=template.hidden,
            claim=claim,
        )
        count = template.num_returns
        if count == 1:
            self._objects.create(first_return(task_id), 1)
        else:
            for index in range(returns_of(count)):
                self._objects.create(return_id(task_id, index), 1)
        self.records[task_id] = record
        if count < 0:
            self._streams.open(record)
        if call.refs or nested:
            self.arguments.hold(record)
            self.arguments.wait(record, lambda: self._ready(record))
        else:
            self.leases.add(cls, record)

    def class_of(self, record: TaskRecord) -> SchedulingClass:
        assert record.template is not None
        return self.leases.turns.of(record) or self.leases.class_of(
            record.template, record.function
        )

    def _ready(self, record: TaskRecord) -> None:
        if self.records.get(record.call.task_id) is not record:
            return  # Cancelled while it waited.
        broken = self.arguments.fill(record)
        if broken is not None:
            self._fail_like(record, broken)
            return
        self.leases.add(self.class_of(record), record)

    def _prefer(self, record: TaskRecord) -> Address | None:
        """The raylet that holds most bytes of the arguments (locality, for DEFAULT only, as Ray)."""
        if not record.call.refs or record.template is None or not self._by_locality:
            return None
        if not isinstance(record.template.strategy, Default):
            return None
        bytes_at = bytes_held(record)
        return max(bytes_at, key=lambda raylet: bytes_at[raylet], default=None)

    # Results

    def on_done(self, worker: Address, done: TasksDone) -> None:
        if done.retires:
            self.leases.retires(worker)
        back: list[tuple[SchedulingClass, TaskRecord]] = []
        for result in done.results if self.records else ():
            record = self.records.get(result.task_id)
            if record is None or record.template is None or not record.running:
                continue
            if record.call.attempt != result.attempt:
                continue  # A stale copy: that attempt was given up.
            handed_back = result.status == TaskStatus.NOT_RUN
            cls = self.leases.finished(worker, result.task_id, handed_back)
            if cls is None:
                continue
            record.running = False
            if handed_back and record.cancelled:
                self._cancelled(record)
                continue
            if handed_back and result.lost:
                self._await_lost(record, result.lost)
                continue
            if handed_back:
                if record.call.work is not None and result.end_ns:
                    self._note(record, "preempted", worker, result)
                    preempted(cls, record, result)
                cls.came_back()
                back.append((cls, record))
                continue
            cls.learn(result.end_ns - result.start_ns)
            self._result(cls, record, worker, done.raylet, result)
        for cls, record in reversed(back):
            cls.queue.appendleft(record)
        self.leases.settle(worker)
        if back:
            # Elsewhere: the worker that handed them back waits for something, perhaps for these very calls.
            for cls in {id(cls): cls for cls, _ in back}.values():
                self.leases.dispatch(cls)

    def _await_lost(self, record: TaskRecord, lost: Mapping[ObjectId, list[NodeId]]) -> None:
        """Arguments turned out to be gone: the call runs once they were made again, wherever that is."""
        for object_id, nodes in lost.items():
            entry = self._objects.entries.get(object_id)
            if entry is not None:
                self._objects.said_missing(entry, nodes)
        # A copy: the call that was handed back may still be on its way to somebody.
        record.call = msgspec.structs.replace(record.call, refs=list(record.call.refs))
        self.arguments.wait(record, lambda: self._ready(record))

    def _result(
        self,
        cls: SchedulingClass,
        record: TaskRecord,
        worker: Address,
        raylet: Address,
        result: TaskResult,
    ) -> None:
        if result.status is OK:
            if self._host.takes_notes:
                self._host.note(finished(record, worker, result))
            if not record.hidden:
                self._history.add_finished(record, worker, result.start_ns, result.end_ns)
            value = plain_value(result)
            if value is None or record.retained or record.num_returns != 1:
                self._complete(record, worker, raylet, result)
            else:
                self._objects.set_returned(first_return(result.task_id), value)
                self._forget(record)
            return
        if result.status == TaskStatus.RETRIABLE_ERROR and self._take_retry(record):
            self._note(record, "retried", worker, result)
            if carries(result.returns):
                self._release_holds.add(worker, record.call.task_id)
            self._run_again(record)
            return
        if result.status == TaskStatus.FAILED:
            assert result.failure is not None
            crashed = result.failure.kind == FailureKind.WORKER_CRASHED
            if crashed:
                self.leases.retires(worker)  # Or the retry would be sent to the process that ends.
            if crashed and self._take_retry(record):
                self._note(record, "retried", worker, result)
                self._run_again(record)
            else:
                self._note(record, "failed", worker, result)
                self._end_with_failure(record, result.failure)
            return
        self._note(record, "failed", worker, result)
        self._complete(record, worker, raylet, result)

    def _complete(
        self, record: TaskRecord, worker: Address, raylet: Address, result: TaskResult
    ) -> None:
        task_id, returns = record.call.task_id, result.returns
        if record.num_returns < 0:
            self._streams.result(record, worker, raylet, result)
            returns = returns[:1]
        stored = take_returns(self._objects, task_id, returns, raylet)
        if carries(returns):
            self._release_holds_later(worker, task_id)
        if record.rebuilds and (stored or record.retained):
            self.arguments.keep(record, stored)
            record.cancelled = False  # It ran all the same, and may again.
        self._forget(record)

    def _release_holds_later(self, worker: Address, task_id: TaskId) -> None:
        self._objects.after_acknowledgements(lambda: self._release_holds.add(worker, task_id))

    def _forget(self, record: TaskRecord) -> None:
        call = record.call
        self.records.pop(call.task_id, None)
        if record.claim is not None:
            self.leases.turns.forget(record)
        if call.refs or record.nested:
            self.arguments.release(record)
        if record.num_returns < 0:
            self._streams.over(record)

    # Failures

    def _take_retry(self, record: TaskRecord) -> bool:
        if record.cancelled or record.retries_left == 0:
            return False
        if record.retries_left > 0:
            record.retries_left -= 1
        return True

    def _run_again(self, record: TaskRecord) -> None:
        # A copy: the call of the attempt before may still be on its way to somebody.
        call = record.call
        record.call = msgspec.structs.replace(call, attempt=call.attempt + 1, refs=list(call.refs))
        record.running = False
        self.arguments.wait(record, lambda: self._ready(record))

    def _lost(
        self, record: TaskRecord, worker: Address, reason: str, memory: OutOfMemory | None
    ) -> None:
        """The worker went with this call."""
        if record.cancelled:
            self._cancelled(record)
            return
        if memory is not None:
            self._out_of_memory(record, worker, reason, memory)
            return
        # Ray: an end with a node that was drained is none of its retries.
        retried = record.retries_left != 0 and worker.node_id in self.leases.draining
        retried = retried or self._take_retry(record)
        self._note(record, "retried" if retried else "failed", worker, reason=reason)
        if retried:
            self._run_again(record)
            return
        assert record.template is not None
        text = (
            f"Task {record.name} ({record.call.task_id.hex()[:8]}) died with its worker ({reason}) in"
            f" attempt {record.call.attempt + 1}; max_retries={record.template.max_retries} allows no"
            " more. Raise max_retries if it may run again."
        )
        self._end_with_failure(record, Failure(FailureKind.WORKER_CRASHED, text))

    def _out_of_memory(
        self, record: TaskRecord, worker: Address, reason: str, memory: OutOfMemory
    ) -> None:
        """It runs again after a while: not one of its retries for crashes, and without a limit (Ray)."""
        config, template = self._host.config, record.template
        assert template is not None
        most = config.task_oom_retries if template.max_retries != 0 else 0
        if memory.final or 0 <= most <= record.oom_retries:
            text = f"Task {record.name} ({record.call.task_id.hex()[:8]}) was ended: {reason}."
            failure = Failure(FailureKind.OUT_OF_MEMORY, text)
            self._note(record, "failed", worker, reason=reason, failure=failure)
            self._end_with_failure(record, failure)
            return
        self._note(record, "retried", worker, reason=reason)
        delay_ns = min(config.task_oom_retry_delay_ns << record.oom_retries, LONGEST_DELAY_NS)
        record.oom_retries += 1

        def again() -> None:
            if not record.cancelled:
                self._run_again(record)

        self._host.call_later(delay_ns, again)

    def _fail(self, record: TaskRecord, failure: Failure) -> None:
        self._note(record, "failed", reason=failure.text, failure=failure)
        self._end_with_failure(record, failure)

    def _fail_like(self, record: TaskRecord, broken: Entry) -> None:
        """An argument is an error: the call does not run and ends with the same one (Ray)."""
        self._note(record, "failed", reason="an argument failed")
        fail_returns_like(self._objects, record, broken)
        self._forget(record)

    def _end_with_failure(self, record: TaskRecord, failure: Failure) -> None:
        fail_returns(self._objects, record, failure)
        self._forget(record)

    # Cancelling

    def cancel(self, task_id: TaskId, force: bool = False, recursive: bool = False) -> None:
        """Drop the call if it has not started; its worker deals with one that may have."""
        record = self.records.get(task_id)
        if record is None or record.template is None:
            return
        if record.running:
            lease = self.leases.where(task_id)
            if lease is not None:
                record.cancelled = True
                self.leases.flush()
                self._host.send(lease.worker, CancelTasks([task_id], force, recursive))
            return
        if record.cancelled:
            return
        cls = self.class_of(record)
        record.cancelled = True
        if record.missing == 0:
            cls.drop_cancelled()
        self._cancelled(record)
        self.leases.dispatch(cls)

    def _cancelled(self, record: TaskRecord) -> None:
        self._note(record, "cancelled")
        name = f"Task {record.name} ({record.call.task_id.hex()[:8]})"
        text = f"{name} was cancelled, and did not start or did not finish."
        self._end_with_failure(record, Failure(FailureKind.TASK_CANCELLED, text))

    # Lineage

    def _release_lineage(self, record: TaskRecord) -> None:
        record.retained -= 1
        if record.retained == 0:
            self.arguments.let_go(record)

    def _rebuild(self, entry: Entry) -> bool:
        record = entry.task
        if record is None:
            return False
        self._objects.set_pending(entry)
        if record.template is None:
            return self.rebuild_method(record, entry.object_id)
        if record.call.task_id in self.records:
            record.items_missing = True
            return True  # It runs again already, for another of its returns.
        if not self._take_retry(record):
            return False
        self._host.note(ObjectRebuilt(entry.object_id))
        if record.done_ns:
            restored(record)
        self.records[record.call.task_id] = record
        self.arguments.hold(record)
        if record.num_returns < 0:
            self._streams.again(record)
        self._objects.cascade.run(lambda: self._run_again(record))
        return True

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
        if not record.hidden:
            self._history.add(record, note, None, result, failure)
