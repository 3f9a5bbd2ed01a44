"""Has the arguments of a call brought to this node before it runs. Never runs it, never decides whose turn it is."""

from collections.abc import Callable

import msgspec

from raysim.protocol.host import LocalArg
from raysim.protocol.messages import FetchReason
from raysim.protocol.owner import Owner
from raysim.protocol.owner.fetches import Pin
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import NodeId, ObjectId
from raysim.spec.task import TaskArg, TaskCall, TaskTemplate


class QueuedCall(msgspec.Struct):
    """A call that waits for its arguments or its turn, or runs."""

    call: TaskCall
    caller: Address
    template: TaskTemplate | None = None
    missing: int = 0
    pins: list[Pin] = []
    args: list[LocalArg] = []
    failure: Failure | None = None
    lost: dict[ObjectId, list[NodeId]] = {}
    """Arguments without a copy on the nodes that were said to have one."""
    ready: bool = False
    dropped: bool = False
    """Nobody waits for it any more."""


class Arguments:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def bring(
        self, queued: QueuedCall, ready: Callable[[QueuedCall], None], may_give_up: bool
    ) -> None:
        """Run `ready` when every argument by reference is inline, or pinned in the node's store.

        `may_give_up`: an argument whose copies are gone ends the wait and stands in `queued.lost`,
        for a call that keeps CPUs while it waits could keep them from the task that makes the
        argument again. Otherwise it is waited for until it exists again.
        """
        queued.missing = 1
        objects = self._owner.objects
        for arg in queued.call.refs:
            if arg.payload is not None:
                queued.args.append(LocalArg(arg.slot, arg.payload))
                continue
            entry = objects.find(arg.object_id, arg.owner)
            objects.use(entry)
            if entry.owner is not None and not entry.ready:
                objects.set_stored(entry, arg.size, arg.holders)
            queued.missing += 1
            gone = self._gone(queued, arg, ready) if may_give_up else None
            arrived = self._arrived(queued, arg, ready)
            self._owner.fetches.fetch(entry, FetchReason.ARGUMENT, arrived, gone)
        self._one_less(queued, ready)

    def _arrived(
        self, queued: QueuedCall, arg: TaskArg, ready: Callable[[QueuedCall], None]
    ) -> Callable[[], None]:
        def done() -> None:
            fetches = self._owner.fetches
            entry = self._owner.objects.entries[arg.object_id]
            pin = fetches.pin_of(arg.object_id)
            failure = fetches.failure_of(entry)
            if failure is not None:
                queued.failure = queued.failure or failure
            elif pin is not None:
                fetches.acquire(pin)
                queued.pins.append(pin)
                queued.args.append(LocalArg(arg.slot, handle=pin.handle, size=pin.size))
            else:
                queued.args.append(LocalArg(arg.slot, entry.payload))
            self._owner.objects.drop_use(arg.object_id)
            self._one_less(queued, ready)

        return done

    def _gone(
        self, queued: QueuedCall, arg: TaskArg, ready: Callable[[QueuedCall], None]
    ) -> Callable[[list[NodeId]], None]:
        def gone(nodes: list[NodeId]) -> None:
            queued.lost[arg.object_id] = nodes
            self._owner.objects.drop_use(arg.object_id)
            self._one_less(queued, ready)

        return gone

    def _one_less(self, queued: QueuedCall, ready: Callable[[QueuedCall], None]) -> None:
        queued.missing -= 1
        if queued.missing:
            return
        queued.ready = True
        if queued.dropped:
            self.release(queued)  # Cancelled, or its caller is gone, while the arguments travelled.
        else:
            ready(queued)

    def release(self, queued: QueuedCall) -> None:
        pins, queued.pins = queued.pins, []
        for pin in pins:
            self._owner.fetches.release(pin)
