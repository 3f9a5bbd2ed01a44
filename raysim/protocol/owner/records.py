"""What an owner remembers of each call. Never what it does with it: see tasks and actor_calls."""

from collections.abc import Sequence

import msgspec

from raysim.journal import TaskEnded
from raysim.protocol.messages import ContainedRef, TaskResult
from raysim.spec.address import NOWHERE, Address
from raysim.spec.ids import NIL_TASK, ActorId, ObjectId, TaskId
from raysim.spec.task import Claim, TaskCall, TaskTemplate, returns_of


class OutOfMemory(msgspec.Struct, frozen=True):
    """Why a worker went: the node's memory ran out. `final`: what it ran is not to run again."""

    final: bool = False


class TaskRecord(msgspec.Struct, gc=False):
    """A call under way, or retained because what it returned could be lost."""

    call: TaskCall
    template: TaskTemplate | None
    """None for an actor's method."""
    name: str
    retries_left: int
    """-1: for ever."""
    nested: Sequence[ContainedRef]
    """References inside the arguments' values, held until the call ended."""
    submitted_ns: int
    pushed_ns: int = 0
    missing: int = 0
    """Arguments that are not ready."""
    cancelled: bool = False
    running: bool = False
    """Pushed to a worker, and not heard of since."""
    retained: int = 0
    """Stored returns in scope that this call could make again."""
    lineage: Sequence[ObjectId] = ()
    """What `retained` keeps: it would be needed again."""
    function: bytes | None = None
    actor_id: ActorId | None = None
    rebuilds: bool = False
    """Whether it may run again for the sake of a return that was lost."""
    items: int = 0
    """Of a generator: so many items have, or had, an entry."""
    items_in_all: int = -1
    """Of a generator that has ended before: what it gave then."""
    items_missing: bool = False
    """Items were lost while it ran: it may have to run again."""
    oom_retries: int = 0
    """Runs that ended because memory ran out, and after which it ran again."""
    parent: TaskId = NIL_TASK
    """The call that submitted it."""
    hidden: bool | None = False
    """Nobody is told of it who asks for the state of tasks; None: as its actor. Ray: `enable_task_events`."""

    claim: Claim | None = None
    """It waits for its turn, on a lease of its own: see turns."""
    done_ns: int = 0
    """Of its work, before it made room for others."""

    @property
    def num_returns(self) -> int:
        return self.call.num_returns if self.template is None else self.template.num_returns

    @property
    def item_limit(self) -> int:
        return self.call.item_limit if self.template is None else self.template.item_limit

    @property
    def objects(self) -> int:
        """Returns, and items, that may have an entry."""
        return returns_of(self.num_returns) + self.items


def finished(record: TaskRecord, worker: Address, result: TaskResult) -> TaskEnded:
    """As `ended`, of an attempt that ended well: nearly all do."""
    call = record.call
    return TaskEnded(
        call.task_id,
        record.name,
        call.attempt,
        "finished",
        record.submitted_ns,
        record.pushed_ns,
        result.start_ns,
        result.end_ns,
        worker.node_id,
        worker.worker_id,
        "",
    )


def ended(
    record: TaskRecord,
    now_ns: int,
    status: str,
    worker: Address = NOWHERE,
    result: TaskResult | None = None,
    reason: str = "",
) -> TaskEnded:
    """The note of an attempt's end; of one that went with its worker, from when it was pushed until now."""
    lost = result is None and worker is not NOWHERE
    return TaskEnded(
        record.call.task_id,
        record.name,
        record.call.attempt,
        status,
        record.submitted_ns,
        record.pushed_ns,
        result.start_ns if result is not None else record.pushed_ns if lost else now_ns,
        result.end_ns if result is not None else now_ns,
        worker.node_id,
        worker.worker_id,
        reason,
    )
