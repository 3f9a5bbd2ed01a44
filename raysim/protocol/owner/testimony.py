"""What an owner can say of its objects when somebody wonders why they are not ready. Changes nothing."""

from raysim.protocol.host import Host
from raysim.protocol.messages import ContainedRef, ObjectStage, ObjectStory
from raysim.protocol.owner.actor_calls import ActorCalls
from raysim.protocol.owner.actor_creation import ActorCreation
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.tasks import Tasks
from raysim.spec.ids import (
    ObjectId,
    PlacementGroupId,
    TaskId,
    actor_creation_task,
    actor_of_task,
    task_of_object,
)

LEASES = 3
"""Requests that one answer names. Ours: they are all alike."""


class Testimony:
    def __init__(
        self,
        host: Host,
        objects: ObjectTable,
        tasks: Tasks,
        calls: ActorCalls,
        creations: ActorCreation,
    ) -> None:
        self._host = host
        self._objects = objects
        self._tasks = tasks
        self._calls = calls
        self._creations = creations
        self.groups: dict[ObjectId, PlacementGroupId] = {}
        """Objects that are set when a placement group has its places."""

    def of(self, object_id: ObjectId) -> ObjectStory:
        entry = self._objects.entries.get(object_id)
        if entry is None or entry.owner is not None or entry.state == ObjectState.FREED:
            return ObjectStory(ObjectStage.UNKNOWN)
        if entry.ready:
            return _of_ready(entry)
        story = self.of_call(task_of_object(object_id))
        if story.stage == ObjectStage.UNKNOWN:
            return ObjectStory(ObjectStage.NO_CALL, group_id=self.groups.get(object_id))
        story.rebuilt = entry.task is not None
        return story

    def of_call(self, task_id: TaskId) -> ObjectStory:
        """Also of one whose returns nobody refers to. UNKNOWN: it has ended, or is none of this process."""
        record = self._tasks.records.get(task_id)
        if record is not None:
            story = self._of_task(record)
        elif (record := self._calls.record(task_id)) is not None:
            story = self._of_actor_call(record)
        elif (record := self._constructor(task_id)) is not None:
            story = ObjectStory(ObjectStage.ARGUMENTS, arguments=self._missing(record))
        else:
            return ObjectStory(ObjectStage.UNKNOWN)
        story.task_id = task_id
        story.name = story.name or record.name
        story.attempt = record.call.attempt
        started_ns = record.pushed_ns if record.running else record.submitted_ns
        story.for_ns = self._host.now_ns() - started_ns
        return story

    def _constructor(self, task_id: TaskId) -> TaskRecord | None:
        actor_id = actor_of_task(task_id)
        if task_id != actor_creation_task(actor_id):
            return None
        return self._creations.unready(actor_id)

    def _of_task(self, record: TaskRecord) -> ObjectStory:
        if record.running:
            lease = self._tasks.leases.where(record.call.task_id)
            assert lease is not None, f"{record.name} runs without a lease"
            return ObjectStory(ObjectStage.PUSHED, worker=lease.worker)
        missing = self._missing(record)
        if missing:
            return ObjectStory(ObjectStage.ARGUMENTS, arguments=missing)
        assert record.template is not None
        leases = self._tasks.leases
        cls = self._tasks.class_of(record)
        asked = [
            (lease_id, leases.requests.raylet_of(lease_id)) for lease_id in list(cls.asked)[:LEASES]
        ]
        return ObjectStory(ObjectStage.LEASE, leases=asked)

    def _of_actor_call(self, record: TaskRecord) -> ObjectStory:
        assert record.actor_id is not None
        actor = self._calls.clients.of(record.actor_id)
        if record.running and actor.info is not None:
            story = ObjectStory(ObjectStage.PUSHED, worker=actor.info.address)
        elif missing := self._missing(record):
            story = ObjectStory(ObjectStage.ARGUMENTS, arguments=missing)
        elif constructor := self._creations.unready(record.actor_id):
            arguments = self._missing(constructor)
            story = ObjectStory(ObjectStage.ACTOR_ARGUMENTS, arguments=arguments)
        elif actor.connected and (head := actor.head(record.call.group)) is not None:
            story = ObjectStory(
                ObjectStage.BEHIND, f"call {head.name}", arguments=self._missing(head)
            )
        else:
            story = ObjectStory(ObjectStage.ACTOR)
        story.actor_id = record.actor_id
        if actor.info is not None:
            story.name = f"{actor.info.class_name}.{record.name}"
        return story

    def _missing(self, record: TaskRecord) -> list[ContainedRef]:
        if not record.missing:
            return []
        entries = self._objects.entries
        refs = [(arg.object_id, arg.owner) for arg in record.call.refs]
        return [
            ContainedRef(object_id, owner or self._objects.address)
            for object_id, owner in refs
            if (entry := entries.get(object_id)) is not None and not entry.ready
        ]


def _of_ready(entry: Entry) -> ObjectStory:
    if entry.failure is not None:
        return ObjectStory(ObjectStage.FAILED, entry.failure.text)
    if entry.is_error:
        return ObjectStory(ObjectStage.FAILED, "the call that made it raised.")
    if entry.state == ObjectState.INLINE:
        return ObjectStory(ObjectStage.READY, f"with its owner, {entry.size} bytes")
    nodes = ", ".join(holder.node_id.hex()[:8] for holder in entry.holders)
    return ObjectStory(ObjectStage.READY, f"in the store of {nodes}, {entry.size} bytes")
