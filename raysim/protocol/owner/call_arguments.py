"""What calls need before they may run, tasks' and actors' alike: holds it, waits for it. Never the calls' ends."""

from collections.abc import Callable

from raysim.protocol.owner.entries import INLINE, STORED, Entry, ObjectState
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import TaskRecord
from raysim.spec.ids import ObjectId
from raysim.spec.task import TaskArg


class Arguments:
    def __init__(self, objects: ObjectTable) -> None:
        self._objects = objects

    def hold(self, record: TaskRecord) -> None:
        """Keep everything alive that the call refers to."""
        objects = self._objects
        for arg in record.call.refs:
            entry = objects.entries.get(arg.object_id)
            if entry is not None and (entry.owner is None or entry.epoch >= 0):
                entry.uses += 1
            elif arg.payload is None:
                objects.borrow(arg.object_id, arg.owner or objects.address).uses += 1
            else:
                owner = arg.owner or objects.address
                objects.recall(arg.object_id, owner, arg.payload).uses += 1
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
            record.nested = [*record.nested, *inside]
        record.lineage = [*places, *(ref.object_id for ref in record.nested)]
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
        lineage, record.lineage = record.lineage, ()
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

    def fill_at_once(self, record: TaskRecord) -> bool:
        """Of a new call: whether all arguments are there, and none is an error. They are in the call then."""
        if record.nested:
            return False
        entries, refs = self._objects.entries, record.call.refs
        for arg in refs:
            entry = entries[arg.object_id]
            state = entry.state
            if entry.is_error or not (state is INLINE or state is STORED):
                return False
        for arg in refs:
            entry = entries[arg.object_id]
            if entry.state is INLINE:
                arg.payload = entry.payload
            arg.holders, arg.size = list(entry.holders), entry.size
        return True

    def fill(self, record: TaskRecord) -> Entry | None:
        """Put values and places into the call. The first argument that is an error, if one is."""
        filled: list[TaskArg] = []
        for arg in record.call.refs:
            entry = self._objects.entries[arg.object_id]
            if entry.failure is not None or entry.is_error:
                entry.seen = True
                return entry
            payload = entry.payload if entry.state == ObjectState.INLINE else None
            holders = list(entry.holders)
            filled.append(TaskArg(arg.slot, arg.object_id, arg.owner, payload, holders, entry.size))
        if filled:
            record.call.refs = filled
        return None
