"""What a process shows of the references that it has when somebody asks for the state of objects. Changes nothing.

Which kind of reference it is follows Ray's order: an actor's handle, pinned, an argument, held by Python,
inside another object.
"""

from collections.abc import Callable, Iterator

from raysim.protocol.host import ProcessHost
from raysim.protocol.messages.state import ObjectSeen
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.owner.fetches import Fetches
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.task_states import TaskStates
from raysim.spec.ids import ObjectId, is_actor_handle, task_of_object


class ObjectStates:
    def __init__(
        self, host: ProcessHost, objects: ObjectTable, fetches: Fetches, tasks: TaskStates
    ) -> None:
        self._host = host
        self._objects = objects
        self._fetches = fetches
        self._tasks = tasks
        self.is_driver = False
        self.site_of: Callable[[ObjectId], str] | None = None
        """Where the program made a reference, where that is noted."""

    def rows(self, limit: int, only: bytes) -> tuple[list[ObjectSeen], int]:
        """The newest so many, and how many there are."""
        found = [entry for entry in self._in_use() if entry.object_id.startswith(only)]
        return [self._row(entry) for entry in found[-limit:] if limit], len(found)

    def _in_use(self) -> Iterator[Entry]:
        for entry in self._objects.entries.values():
            if entry.in_use():
                yield entry

    def _row(self, entry: Entry) -> ObjectSeen:
        state, attempt = self._of_call(entry)
        known = entry.ready and entry.failure is None
        row = ObjectSeen(
            entry.object_id,
            entry.size if known and not is_actor_handle(entry.object_id) else -1,
            state,
            attempt + 1,
            self._reference(entry),
            self._host.address,
            self._host.pid,
            self.is_driver,
            entry.owner or self._host.address,
        )
        if self.site_of is not None:
            row.call_site = self.site_of(entry.object_id)
        return row

    def _of_call(self, entry: Entry) -> tuple[str, int]:
        """The state of the call that makes it, and its attempt."""
        if entry.owner is not None or is_actor_handle(entry.object_id):
            return "NIL", 0
        record = entry.task or self._tasks.find(task_of_object(entry.object_id))
        attempt = record.call.attempt if record is not None else 0
        if entry.state == ObjectState.PENDING:
            return ("NIL" if record is None else self._tasks.state_of(record)), attempt
        return "FINISHED", attempt  # Whatever it has come to (Ray).

    def _reference(self, entry: Entry) -> str:
        if is_actor_handle(entry.object_id):
            return "ACTOR_HANDLE"
        if self._fetches.pin_of(entry.object_id) is not None:
            return "PINNED_IN_MEMORY"
        if entry.uses:
            return "USED_BY_PENDING_TASK"
        if entry.local:
            return "LOCAL_REFERENCE"
        return "CAPTURED_IN_OBJECT" if entry.held else "UNKNOWN_STATUS"
