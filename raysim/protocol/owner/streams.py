"""Items of this process's generators: taken in as they are made, in order, and handed out. Never values.

Item i of a call is its return i + 1; return 0 is the end of the stream. A call that runs again makes
its items again, under the same ids: of each the first copy counts, so that what the consumer has seen
stays so. The stream keeps one reference to each item that was not taken, and hands it over.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host
from raysim.protocol.messages import (
    NO_LIMIT,
    Consumed,
    GeneratorConsumed,
    GeneratorItem,
    GeneratorItems,
    ReleaseReturnHolds,
    Return,
    TaskResult,
)
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.returns import take_return
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ObjectId, TaskId, return_id
from raysim.spec.task import DYNAMIC


def item_id(task_id: TaskId, index: int) -> ObjectId:
    return return_id(task_id, index + 1)


class Stream(msgspec.Struct):
    """What the consumer of one generator sees."""

    record: TaskRecord
    arrived: int = 0
    """Items that are here or were: all below this index."""
    taken: int = 0
    over: bool = False
    producer: Address | None = None
    waiting: list[Callable[[], None]] = []


class Streams:
    def __init__(self, host: Host, objects: ObjectTable) -> None:
        self._host = host
        self._objects = objects
        self._streams: dict[TaskId, Stream] = {}
        self._running: dict[TaskId, TaskRecord] = {}
        """Calls of generators that have not ended, with or without a consumer."""
        self._consumed: Batcher[Consumed] = Batcher(host, GeneratorConsumed)
        self._release_holds: Batcher[ObjectId] = Batcher(
            host, lambda ids: ReleaseReturnHolds([], ids)
        )

    # The call

    def open(self, record: TaskRecord) -> None:
        """A generator was called."""
        task_id = record.call.task_id
        self._running[task_id] = record
        self._streams[task_id] = Stream(record)

    def again(self, record: TaskRecord) -> None:
        """It runs once more, for items that were lost."""
        self._running[record.call.task_id] = record

    def on_items(self, worker: Address, message: GeneratorItems) -> None:
        behind: dict[TaskId, Stream] = {}
        for item in message.items:
            record = self._running.get(item.task_id)
            if record is None or record.call.attempt != item.attempt:
                self._refuse(item, worker, message.raylet)
                continue
            stream = self._streams.get(item.task_id)
            self._arrived(record, stream, item.index, item.value, worker, message.raylet)
            if stream is None:
                self._tell(record, worker, NO_LIMIT)
            else:
                stream.producer = worker
                if item.index < stream.taken:
                    behind[item.task_id] = stream
        for stream in behind.values():
            # It runs again, and does not know yet how far its consumer is.
            self._tell(stream.record, worker, stream.taken)

    def _refuse(self, item: GeneratorItem, worker: Address, raylet: Address) -> None:
        """Of an attempt that was given up, or a call that has ended: nobody takes what it makes."""
        object_id = item_id(item.task_id, item.index)
        entry = self._objects.entries.get(object_id)
        if item.value.payload is None and (entry is None or raylet not in entry.holders):
            self._objects.copies.free(object_id, raylet)
        if item.value.contained:
            self._release_holds.add(worker, object_id)
        self._consumed.add(worker, Consumed(item.task_id, item.attempt, NO_LIMIT))

    def _arrived(
        self,
        record: TaskRecord,
        stream: Stream | None,
        index: int,
        value: Return,
        worker: Address,
        raylet: Address,
    ) -> None:
        objects = self._objects
        object_id = item_id(record.call.task_id, index)
        if stream is not None and index == stream.arrived:
            stream.arrived += 1
            objects.create(object_id).local = 1
        record.items = max(record.items, index + 1)
        entry = take_return(objects, object_id, value, raylet)
        if entry is not None and entry.task is None and record.rebuilds:
            entry.task = record
            record.retained += 1
        if value.contained:
            objects.after_acknowledgements(lambda: self._release_holds.add(worker, object_id))
        if stream is not None:
            self._wake(stream)

    def result(
        self, record: TaskRecord, worker: Address, raylet: Address, result: TaskResult
    ) -> None:
        """The call ended by itself: its error, if it raised one, is one item more."""
        count = result.items
        if len(result.returns) > 1:
            stream = self._streams.get(record.call.task_id)
            self._arrived(record, stream, count, result.returns[1], worker, raylet)
            count += 1
        before, record.items_in_all = record.items_in_all, count
        if before not in (count, -1):
            self._inconsistent(record, before, count)

    def _inconsistent(self, record: TaskRecord, before: int, now: int) -> None:
        text = (
            f"Generator {record.name} ({record.call.task_id.hex()[:8]}) ran again to make lost items, and gave"
            f" {now} of them instead of {before}. What it gives must follow from its arguments alone."
        )
        failure = Failure(FailureKind.REPLAY_INCONSISTENT, text)
        for entry in self._missing(record):
            self._objects.set_failed(entry, failure)
            self._objects.check(entry)

    def _missing(self, record: TaskRecord) -> list[Entry]:
        task_id, entries = record.call.task_id, self._objects.entries
        found = (entries.get(item_id(task_id, index)) for index in range(record.items))
        return [entry for entry in found if entry and entry.state == ObjectState.PENDING]

    def over(self, record: TaskRecord) -> None:
        """The call has ended, well or not. It runs again at once for items that were lost meanwhile."""
        task_id = record.call.task_id
        self._running.pop(task_id, None)
        stream = self._streams.get(task_id)
        if stream is not None:
            stream.over = True
            self._wake(stream)
            if record.num_returns == DYNAMIC:
                self.close(task_id)  # From here on the references in its return keep the items.
        if record.items_missing:
            record.items_missing = False
            for entry in self._missing(record):
                self._objects.cascade.run(partial(self._make_again, entry))

    def _make_again(self, entry: Entry) -> None:
        if entry.state == ObjectState.PENDING and not self._objects.rebuild(entry):
            text = (
                f"Object {entry.object_id.hex()} was lost, and no retry is left to make it again."
            )
            self._objects.set_failed(entry, Failure(FailureKind.OBJECT_LOST, text))
            self._objects.check(entry)

    # The consumer

    def next(self, task_id: TaskId) -> ObjectId | None:
        """The first item that was not taken; the caller has its reference from now on."""
        stream = self._streams[task_id]
        if stream.taken == stream.arrived:
            return None
        stream.taken += 1
        if stream.producer is not None:
            self._tell(stream.record, stream.producer, stream.taken)
        return item_id(task_id, stream.taken - 1)

    def peek(self, task_id: TaskId) -> Entry | None:
        """The entry of the item that `next` would give."""
        stream = self._streams[task_id]
        if stream.taken == stream.arrived:
            return None
        return self._objects.entries[item_id(task_id, stream.taken)]

    def exhausted(self, task_id: TaskId) -> bool:
        """Nothing is left, and nothing comes any more."""
        stream = self._streams[task_id]
        return stream.over and stream.taken == stream.arrived

    def when_next(self, task_id: TaskId, action: Callable[[], None]) -> None:
        """Run `action` once there is an item to take, or there never will be: now, if that is so already."""
        stream = self._streams[task_id]
        stream.waiting.append(action)
        self._wake(stream)

    def awaited(self) -> list[Entry]:
        """Of generators whose next item somebody waits for: what is set when the whole call is over."""
        ids = [return_id(task_id, 0) for task_id, one in self._streams.items() if one.waiting]
        entries = self._objects.entries
        return [entries[object_id] for object_id in ids if object_id in entries]

    def forget(self, task_id: TaskId, action: Callable[[], None]) -> None:
        """`action` is not to be run any more."""
        stream = self._streams.get(task_id)
        if stream is not None and action in stream.waiting:
            stream.waiting.remove(action)

    def close(self, task_id: TaskId) -> None:
        """The consumer is gone: items that it did not take are nobody's. The call goes on (Ray)."""
        stream = self._streams.pop(task_id)
        for index in range(stream.taken, stream.arrived):
            self._objects.drop_local(item_id(task_id, index))
        if stream.producer is not None:
            self._tell(stream.record, stream.producer, NO_LIMIT)

    def _wake(self, stream: Stream) -> None:
        if stream.waiting and (stream.over or stream.taken < stream.arrived):
            waiting, stream.waiting = stream.waiting, []
            for action in waiting:
                self._objects.cascade.run(action)

    def _tell(self, record: TaskRecord, worker: Address, count: int) -> None:
        if record.item_limit > 0 and record.running:
            task_id, attempt = record.call.task_id, record.call.attempt
            self._consumed.add(worker, Consumed(task_id, attempt, count))
