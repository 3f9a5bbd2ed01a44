"""What becomes of the returns of a call: values, or why there are none. Never when a call ends: see tasks."""

from raysim.protocol.messages import Return, TaskResult
from raysim.protocol.messages.tasks import OK
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import TaskRecord
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ObjectId, TaskId, return_id


def take_returns(
    objects: ObjectTable, task_id: TaskId, returns: list[Return], raylet: Address
) -> list[Entry]:
    """Give the returns of a call their values. The entries that are stored and in scope."""
    taken = [
        take_return(objects, return_id(task_id, index), value, raylet)
        for index, value in enumerate(returns)
    ]
    if not any(taken):
        return []
    return [entry for entry in taken if entry and objects.entries.get(entry.object_id) is entry]


def plain_value(result: TaskResult) -> bytes | None:
    """What the call returned, if it ended well and this is one value in a message, with nothing inside."""
    returns = result.returns
    if result.status is not OK or len(returns) != 1:
        return None
    value = returns[0]
    return None if value.contained or value.is_error else value.payload


def carries(returns: list[Return]) -> bool:
    """Whether there are references inside of these values."""
    for value in returns:  # noqa: SIM110  (a generator costs twice as much here)
        if value.contained:
            return True
    return False


def take_return(
    objects: ObjectTable, object_id: ObjectId, value: Return, raylet: Address
) -> Entry | None:
    """Give one return its value. Its entry, if the value is stored and wanted."""
    entry = objects.entries.get(object_id)
    if entry is None or entry.state != ObjectState.PENDING:
        # Out of scope; or whole still, and made once more for the sake of another return.
        if value.payload is None and (entry is None or raylet not in entry.holders):
            objects.copies.free(object_id, raylet)
        elif value.is_error and value.payload is not None and entry is None:
            objects.unhandled(value.payload)
        return None
    if value.contained or entry.contained:
        objects.carry(entry, value.contained)
    if value.payload is not None:
        objects.set_inline(entry, value.payload, value.is_error)
    else:
        objects.set_stored(entry, value.size, [raylet])
    if not entry.local:
        objects.check(entry)
    return entry if value.payload is None else None


def fail_returns(objects: ObjectTable, record: TaskRecord, failure: Failure) -> None:
    for entry in _pending_returns(objects, record):
        objects.set_failed(entry, failure)
        objects.check(entry)


def fail_returns_like(objects: ObjectTable, record: TaskRecord, broken: Entry) -> None:
    for entry in _pending_returns(objects, record):
        if broken.failure is not None:
            objects.set_failed(entry, broken.failure)
        else:
            assert broken.payload is not None
            objects.set_inline(entry, broken.payload, is_error=True)
        objects.check(entry)


def _pending_returns(objects: ObjectTable, record: TaskRecord) -> list[Entry]:
    task_id = record.call.task_id
    found = (objects.entries.get(return_id(task_id, index)) for index in range(record.objects))
    return [entry for entry in found if entry is not None and entry.state == ObjectState.PENDING]
