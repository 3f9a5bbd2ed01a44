"""Has the arguments of a call brought to this node before it runs. Never runs it, never decides whose turn it is.

A call pins what it has of its arguments while it waits for the others. Calls that wait for each other's
room would do so for ever: one for whose arguments there is no room lets go of those that it has, and
begins again a little later. It fails when they can never fit together, or after a long time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from raysim.config import MS
from raysim.protocol.executor.results import NONE_LOST
from raysim.protocol.host import LocalArg, ProcessHost, RunnableTask
from raysim.protocol.messages import FetchReason
from raysim.protocol.owner import Owner
from raysim.protocol.owner.fetches import Pin
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NodeId, ObjectId
from raysim.spec.task import TaskArg, TaskCall, TaskTemplate

NO_ROOM = (FailureKind.OBJECT_STORE_FULL, FailureKind.OUT_OF_DISK)

BACK_OFF_NS = 100 * MS
"""Until a call whose arguments found no room asks for them again, about. Ours."""


NO_ARGS: Final[Sequence[LocalArg]] = ()
NO_PINS: Final[Sequence[Pin]] = ()
"""Of the calls without references, which are most: containers of their own would cost each as much as the rest."""


class QueuedCall(msgspec.Struct, gc=False):
    """A call that waits for its arguments or its turn, or runs."""

    call: TaskCall
    caller: Address
    template: TaskTemplate | None = None
    task: RunnableTask | None = None
    """What user code works on."""
    missing: int = 0
    pins: Sequence[Pin] = NO_PINS
    args: Sequence[LocalArg] = NO_ARGS
    failure: Failure | None = None
    lost: Mapping[ObjectId, list[NodeId]] = NONE_LOST
    """Arguments without a copy on the nodes that were said to have one."""
    ready: bool = False
    dropped: bool = False
    """Nobody waits for it any more."""
    given: int = 0
    """Arguments that were there when it began to wait."""
    no_room: Failure | None = None
    """Why some argument was not brought, though it exists."""
    no_room_since_ns: int = -1


class Arguments:
    def __init__(self, host: ProcessHost, owner: Owner) -> None:
        self._host = host
        self._owner = owner

    def came(self, queued: QueuedCall) -> bool:
        """Whether all arguments came with the call: then they are at hand."""
        refs = queued.call.refs
        if refs:
            args: list[LocalArg] = []
            for arg in refs:
                if arg.payload is None:
                    return False
                args.append(LocalArg(arg.slot, arg.payload))
            queued.args = args
        queued.ready = True
        return True

    def bring(
        self, queued: QueuedCall, ready: Callable[[QueuedCall], None], may_give_up: bool
    ) -> None:
        """Run `ready` when every argument by reference is inline, or pinned in the node's store.

        `may_give_up`: an argument whose copies are gone ends the wait and stands in `queued.lost`,
        for a call that keeps CPUs while it waits could keep them from the task that makes the
        argument again. Otherwise it is waited for until it exists again.
        """
        queued.missing = 1
        queued.given = len(queued.args)
        args = queued.args = [*queued.args]
        one_less = partial(self._one_less, queued, ready, may_give_up)
        objects = self._owner.objects
        for arg in queued.call.refs:
            if arg.payload is not None:
                args.append(LocalArg(arg.slot, arg.payload))
                continue
            entry = objects.find(arg.object_id, arg.owner or queued.caller)
            objects.use(entry)
            if entry.owner is not None and not entry.ready:
                objects.set_stored(entry, arg.size, arg.holders)
            queued.missing += 1
            gone = self._gone(queued, arg, one_less) if may_give_up else None
            arrived = self._arrived(queued, args, arg, one_less)
            self._owner.fetches.fetch(entry, FetchReason.ARGUMENT, arrived, gone)
        one_less()

    def _arrived(
        self,
        queued: QueuedCall,
        args: list[LocalArg],
        arg: TaskArg,
        one_less: Callable[[], None],
    ) -> Callable[[], None]:
        def done() -> None:
            fetches = self._owner.fetches
            entry = self._owner.objects.entries[arg.object_id]
            pin = fetches.pin_of(arg.object_id)
            failure = fetches.failure_of(entry)
            if failure is not None and failure.kind in NO_ROOM and entry.failure is None:
                queued.no_room = failure
            elif failure is not None:
                queued.failure = queued.failure or failure
            elif pin is not None:
                fetches.acquire(pin)
                queued.pins = *queued.pins, pin
                args.append(LocalArg(arg.slot, handle=pin.handle, size=pin.size))
            else:
                args.append(LocalArg(arg.slot, entry.payload))
            self._owner.objects.drop_use(arg.object_id)
            one_less()

        return done

    def _gone(
        self, queued: QueuedCall, arg: TaskArg, one_less: Callable[[], None]
    ) -> Callable[[list[NodeId]], None]:
        def gone(nodes: list[NodeId]) -> None:
            queued.lost = {**queued.lost, arg.object_id: nodes}
            self._owner.objects.drop_use(arg.object_id)
            one_less()

        return gone

    def _one_less(
        self, queued: QueuedCall, ready: Callable[[QueuedCall], None], may_give_up: bool
    ) -> None:
        queued.missing -= 1
        if queued.missing:
            return
        if queued.no_room is not None and self._begins_again(queued):
            self.release(queued)
            queued.args = queued.args[: queued.given]
            queued.no_room = None
            self._host.call_later(
                self._while_ns(), partial(self._again, queued, ready, may_give_up)
            )
            return
        queued.failure = queued.failure or queued.no_room
        queued.ready = True
        if queued.dropped:
            self.release(queued)  # Cancelled, or its caller is gone, while the arguments travelled.
        else:
            ready(queued)

    def _begins_again(self, queued: QueuedCall) -> bool:
        if queued.dropped or queued.lost or queued.failure is not None:
            return False
        sizes = {arg.object_id: arg.size for arg in queued.call.refs if arg.payload is None}
        if sum(sizes.values()) > self._owner.fetches.store_bytes:
            return False  # Not even alone.
        now_ns = self._host.now_ns()
        if queued.no_room_since_ns < 0:
            queued.no_room_since_ns = now_ns
        return now_ns - queued.no_room_since_ns < self._host.config.fetch_fail_timeout_ns

    def _while_ns(self) -> int:
        """Not the same for all: those who let go together would meet again."""
        return int(BACK_OFF_NS * (0.5 + self._host.rng("arguments").random()))

    def _again(
        self, queued: QueuedCall, ready: Callable[[QueuedCall], None], may_give_up: bool
    ) -> None:
        if not queued.dropped:
            self.bring(queued, ready, may_give_up)

    def release(self, queued: QueuedCall) -> None:
        pins, queued.pins = queued.pins, NO_PINS
        for pin in pins:
            self._owner.fetches.release(pin)
