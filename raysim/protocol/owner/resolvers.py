"""The processes that asked for an object of this one before it was ready. Never asks another process itself."""

from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host
from raysim.protocol.messages import ObjectsResolved, ObjectStatus
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ObjectId, WorkerId


class Resolvers:
    """Each is told once: that the object is ready, or that it is gone."""

    def __init__(self, host: Host) -> None:
        self.waiting: dict[ObjectId, dict[WorkerId, Address]] = {}
        self._resolved: Batcher[ObjectStatus] = Batcher(host, ObjectsResolved)

    def ask(self, entry: Entry, asker: Address) -> None:
        """Answered now, or as soon as `entry` is ready."""
        if entry.ready:
            self._resolved.add(asker, _status(entry))
        else:
            self.waiting.setdefault(entry.object_id, {})[asker.worker_id] = asker

    def tell(self, entry: Entry) -> None:
        askers = self.waiting.pop(entry.object_id, None)
        if askers is not None:
            status = _status(entry)
            for asker in askers.values():
                self._resolved.add(asker, status)

    def gone(self, object_id: ObjectId) -> None:
        for asker in self.waiting.pop(object_id, {}).values():
            self.refuse(object_id, asker)

    def refuse(self, object_id: ObjectId, asker: Address) -> None:
        """There is no such object here any more."""
        self._resolved.add(asker, ObjectStatus(object_id, failure=_freed(object_id)))

    def peer_lost(self, worker_id: WorkerId) -> None:
        for askers in self.waiting.values():
            askers.pop(worker_id, None)


def _status(entry: Entry) -> ObjectStatus:
    entry.seen = True
    if entry.state == ObjectState.INLINE:
        return ObjectStatus(entry.object_id, entry.payload, entry.is_error)
    if entry.state == ObjectState.STORED:
        return ObjectStatus(entry.object_id, holders=list(entry.holders), size=entry.size)
    failure = entry.failure or _freed(entry.object_id)
    return ObjectStatus(entry.object_id, failure=failure)


def _freed(object_id: ObjectId) -> Failure:
    text = f"Object {object_id.hex()} was freed: its owner held no reference to it any more."
    return Failure(FailureKind.OBJECT_FREED, text)
