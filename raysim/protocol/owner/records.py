"""What an owner remembers of each call. Never what it does with it: see tasks and actor_calls."""

import msgspec

from raysim.protocol.messages import ContainedRef
from raysim.spec.ids import ActorId, ObjectId
from raysim.spec.task import TaskCall, TaskTemplate


class TaskRecord(msgspec.Struct, gc=False):
    """A call under way, or retained because what it returned could be lost."""

    call: TaskCall
    template: TaskTemplate | None
    """None for an actor's method."""
    name: str
    retries_left: int
    """-1: for ever."""
    nested: list[ContainedRef]
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
    lineage: list[ObjectId] = []
    """What `retained` keeps: it would be needed again."""
    function: bytes | None = None
    actor_id: ActorId | None = None
