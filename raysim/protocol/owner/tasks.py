"""The calls of this owner's tasks: dependencies, results, retries, lineage. Never which worker: see leases.py."""

from collections.abc import Callable

import msgspec

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
from raysim.protocol.owner.leases import Leases
from raysim.protocol.owner.objects import Entry, ObjectState, ObjectTable
from raysim.protocol.owner.records import TaskRecord, ended
from raysim.protocol.owner.returns import fail_returns, fail_returns_like, take_returns
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.protocol.owner.streams import Streams
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NodeId, ObjectId, TaskId, return_id
from raysim.spec.task import Default, TaskArg, TaskCall, returns_of


class Arguments:
    """What calls need before they may run, for tasks and actor calls alike."""

    def __init__(self, objects: ObjectTable) -> None:
        self._objects = objects

    def hold(self, record: TaskRecord) -> None:
        """Keep everything alive that the call refers to."""
        objects = self._objects
        for arg in record.call.refs:
            if arg.payload is None:
                objects.borrow(arg.object_id, arg.owner).uses += 1
            else:
                objects.recall(arg.object_id, arg.owner, arg.payload).uses += 1
        for ref in record.nested:
            self._objects.borrow(ref.object_id, ref.owner).uses += 1

    def release(self, record: TaskRecord) -> None:
        """The call ended: whoever it told of a reference holds that itself by now."""
        for arg in record.call.refs:
            self._objects.drop_use(arg.object_id)
        for ref in record.nested:
            self._objects.drop_use(ref.object_id)

    def retain(self, record: TaskRecord) -> None:
        """Keep what another run would need: places of arguments, and all references inside of values."""
        objects = self._objects
        places: list[ObjectId] = []
        for arg in record.call.refs:
            if arg.payload is None:
                places.append(arg.object_id)
                continue
            inside = objects.entries[arg.object_id].contained
            for ref in inside:
                objects.borrow(ref.object_id, ref.owner).uses += 1
            record.nested.extend(inside)
        record.lineage = places + [ref.object_id for ref in record.nested]
        for object_id in record.lineage:
            objects.hold_lineage(objects.entries[object_id])

    def keep(self, record: TaskRecord, stored: list[Entry]) -> None:
        """The call ended: keep it as long as one of its stored returns could be lost."""
        for entry in stored:
            if entry.task is None:
                entry.task = record
                record.retained += 1
        if record.retained and not record.lineage:
            self.retain(record)

    def let_go(self, record: TaskRecord) -> None:
        """It will not run again."""
        lineage, record.lineage = record.lineage, []
        for object_id in lineage:
            self._objects.drop_lineage(object_id)

    def wait(self, record: TaskRecord, ready: Callable[[], None]) -> None:
        """Run `ready` once every argument is; at once, if they are."""
        record.missing = 1
        entries = self._objects.entries

        def one_more() -> None:
            record.missing -= 1
            if record.missing == 0:
                ready()

        for ref in record.nested:
            self._objects.revive(entries[ref.object_id])
        for arg in record.call.refs:
            entry = entries[arg.object_id]
            self._objects.revive(entry)
            if not entry.ready:
                record.missing += 1
                self._objects.when_ready(entry, one_more)
        one_more()

    def fill(self, record: TaskRecord) -> Entry | None:
        """Put values and places into the call. The first argument that is an error, if one is."""
        refs = record.call.refs
        for index, arg in enumerate(refs):
            entry = self._objects.entries[arg.object_id]
            if entry.failure is not None or entry.is_error:
                entry.seen = True
                return entry
            payload = entry.payload if entry.state == ObjectState.INLINE else None
            refs[index] = TaskArg(
                arg.slot, arg.object_id, arg.owner, payload, list(entry.holders), entry.size
            )
        return None


class Tasks:
    """Submits, retries, completes, rebuilds."""

    def __init__(self, host: Host, objects: ObjectTable, streams: Streams, raylet: Address) -> None:
        self._host = host
        self._objects = objects
        self._streams = streams
        self.arguments = Arguments(objects)
        self.leases = Leases(host, raylet, self._prefer, self._fail, self._lost)
        self.records: dict[TaskId, TaskRecord] = {}
        self._classes: dict[TaskId, SchedulingClass] = {}
        self._release_holds = Batcher[TaskId](host, lambda ids: ReleaseReturnHolds(ids))
        self.rebuild_method: Callable[[TaskRecord, ObjectId], bool] = lambda record, lost: False
        """Set by those who call actors."""
        objects.rebuild = self._rebuild
        objects.release_task = self._release_lineage

    # Submission

    def submit(
        self, cls: SchedulingClass, call: TaskCall, nested: list[ContainedRef], name: str
    ) -> None:
        """Take a call over. Each return entry exists from now on, with one reference: the caller's."""
        template = cls.template
        record = TaskRecord(call, template, name, template.max_retries, nested, self._host.now_ns())
        record.function = cls.function
        record.rebuilds = template.max_retries != 0
        create = self._objects.create
        for index in range(returns_of(template.num_returns)):
            create(return_id(call.task_id, index)).local = 1
        self.records[call.task_id] = record
        if template.num_returns < 0:
            self._streams.open(record)
        if call.refs or nested:
            self.arguments.hold(record)
            self.arguments.wait(record, lambda: self._ready(record))
        else:
            cls.queue.append(record)
            self.leases.dispatch(cls)

    def _class_of(self, record: TaskRecord) -> SchedulingClass:
        assert record.template is not None
        return self.leases.class_of(record.template, record.function)

    def _ready(self, record: TaskRecord) -> None:
        if self.records.get(record.call.task_id) is not record:
            return  # Cancelled while it waited.
        broken = self.arguments.fill(record)
        if broken is not None:
            self._fail_like(record, broken)
            return
        cls = self._class_of(record)
        cls.queue.append(record)
        self.leases.dispatch(cls)

    def _prefer(self, record: TaskRecord) -> Address | None:
        """The raylet that holds most bytes of the arguments (locality, for DEFAULT only, as Ray)."""
        if not record.call.refs or record.template is None:
            return None
        if not isinstance(record.template.strategy, Default):
            return None
        bytes_at: dict[bytes, int] = {}
        raylets: dict[bytes, Address] = {}
        for arg in record.call.refs:
            for holder in arg.holders:
                bytes_at[holder.worker_id] = bytes_at.get(holder.worker_id, 0) + arg.size
                raylets[holder.worker_id] = holder
        if not bytes_at:
            return None
        return raylets[max(bytes_at, key=lambda worker_id: bytes_at[worker_id])]

    # Results

    def on_done(self, worker: Address, done: TasksDone) -> None:
        if done.retires:
            self.leases.retires(worker)
        back: list[tuple[SchedulingClass, TaskRecord]] = []
        for result in done.results:
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
                back.append((cls, record))
                continue
            cls.learn(result.end_ns - result.start_ns)
            self._result(cls, record, worker, done.raylet, result)
        for cls, record in reversed(back):
            cls.queue.appendleft(record)
        self.leases.settle(worker)
        # Elsewhere: the worker that handed them back waits for something, perhaps for these very calls.
        for cls in {id(cls): cls for cls, _ in back}.values():
            self.leases.dispatch(cls)

    def _await_lost(self, record: TaskRecord, lost: dict[ObjectId, list[NodeId]]) -> None:
        """Arguments turned out to be gone: the call runs once they were made again, wherever that is."""
        for object_id, nodes in lost.items():
            entry = self._objects.entries.get(object_id)
            if entry is not None:
                self._objects.copies_missing(entry, nodes)
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
        if result.status == TaskStatus.RETRIABLE_ERROR and self._take_retry(record):
            self._note(record, "retried", worker, result)
            if any(value.contained for value in result.returns):
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
        status = "finished" if result.status == TaskStatus.OK else "failed"
        self._note(record, status, worker, result)
        self._complete(record, worker, raylet, result)

    def _complete(
        self, record: TaskRecord, worker: Address, raylet: Address, result: TaskResult
    ) -> None:
        call, returns = record.call, result.returns
        if record.num_returns < 0:
            self._streams.result(record, worker, raylet, result)
            returns = returns[:1]
        stored = take_returns(self._objects, call.task_id, returns, raylet)
        if any(value.contained for value in returns):
            self._objects.after_acknowledgements(
                lambda: self._release_holds.add(worker, call.task_id)
            )
        if record.rebuilds and (stored or record.retained):
            self.arguments.keep(record, stored)
            record.cancelled = False  # It ran all the same, and may again.
        self._forget(record)

    def _forget(self, record: TaskRecord) -> None:
        self.records.pop(record.call.task_id, None)
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

    def _lost(self, record: TaskRecord, worker: Address, reason: str) -> None:
        """The worker went with this call."""
        if record.cancelled:
            self._cancelled(record)
            return
        retried = self._take_retry(record)
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

    def _fail(self, record: TaskRecord, failure: Failure) -> None:
        self._note(record, "failed", reason=failure.text)
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
        cls = self._class_of(record)
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
    ) -> None:
        self._host.note(ended(record, self._host.now_ns(), status, worker, result, reason))
