"""Ids as bytes, laid out as Ray's and derived, not drawn. Never random, never a class a message has to rebuild.

A job id (4 bytes) ends an actor id (16), which ends a task id (24), which begins an object id (28):
`ref -> task -> actor -> job` is slicing. Source of the layout: Ray's design document on ids.
"""

from hashlib import blake2b
from typing import NewType

JobId = NewType("JobId", bytes)
ActorId = NewType("ActorId", bytes)
TaskId = NewType("TaskId", bytes)
ObjectId = NewType("ObjectId", bytes)
NodeId = NewType("NodeId", bytes)
WorkerId = NewType("WorkerId", bytes)
FunctionId = NewType("FunctionId", bytes)
PlacementGroupId = NewType("PlacementGroupId", bytes)

JOB_ID_BYTES = 4
ACTOR_ID_BYTES = 16
TASK_ID_BYTES = 24
OBJECT_ID_BYTES = 28
UNIQUE_ID_BYTES = 28
PLACEMENT_GROUP_ID_BYTES = 18

NIL_NODE = NodeId(b"\xff" * UNIQUE_ID_BYTES)
NIL_WORKER = WorkerId(b"\xff" * UNIQUE_ID_BYTES)
NIL_TASK = TaskId(b"\xff" * TASK_ID_BYTES)
NIL_OBJECT = ObjectId(b"\xff" * OBJECT_ID_BYTES)
CURRENT_GROUP = PlacementGroupId(b"")
"""In options: the placement group that the submitting code is captured in."""

NIL_GROUP = PlacementGroupId(b"\xff" * PLACEMENT_GROUP_ID_BYTES)

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
"""Odd, so that index -> (base + index * step) mod 2**64 never repeats for one parent (Weyl sequence)."""

_STEP_BACK = pow(_STEP, -1, 1 << 64)
_CHILDREN_LIMIT = 1 << 28
"""Ids that one attempt gives and that are known to be its own afterwards."""

_SUFFIXES = [(index + 1).to_bytes(4, "little") for index in range(16)]
"""Of the first returns of a task: nearly all there are."""

_FIRST = _SUFFIXES[0]

_PUT_BIT = 1 << 31
_PUT_ATTEMPT_SHIFT = 27
_PUT_INDEX_LIMIT = 1 << _PUT_ATTEMPT_SHIFT


def job_id(number: int) -> JobId:
    return JobId(number.to_bytes(JOB_ID_BYTES, "little"))


def nil_actor(job: JobId) -> ActorId:
    """The actor part of ids of tasks that belong to no actor."""
    return ActorId(b"\xff" * (ACTOR_ID_BYTES - JOB_ID_BYTES) + job)


def driver_task(job: JobId) -> TaskId:
    """The task that a driver counts as: its submissions and puts are derived from it."""
    return TaskId(b"\xff" * (TASK_ID_BYTES - ACTOR_ID_BYTES) + nil_actor(job))


def job_of_task(task: TaskId) -> JobId:
    return JobId(task[-JOB_ID_BYTES:])


def job_of_group(group: PlacementGroupId) -> JobId:
    return JobId(group[-JOB_ID_BYTES:])


def actor_of_task(task: TaskId) -> ActorId:
    return ActorId(task[8:])


def task_of_object(object_id: ObjectId) -> TaskId:
    return TaskId(object_id[:TASK_ID_BYTES])


def return_id(task: TaskId, index: int) -> ObjectId:
    """The object id of a task's return value; `index` counts from 0, the id's index from 1 as in Ray."""
    suffix = _SUFFIXES[index] if index < len(_SUFFIXES) else (index + 1).to_bytes(4, "little")
    return task + suffix  # type: ignore[return-value] # a call of ObjectId costs more than the rest


def first_return(task: TaskId) -> ObjectId:
    """`return_id(task, 0)`: most calls have no other."""
    return task + _FIRST  # type: ignore[return-value] # as above


def is_put(object_id: ObjectId) -> bool:
    return object_id[-1] >= 0x80


def function_id(payload: bytes) -> FunctionId:
    return FunctionId(blake2b(payload, digest_size=UNIQUE_ID_BYTES).digest())


def named_worker_id(name: str) -> WorkerId:
    """A process id derived from a name: for worlds where ids must be reproducible."""
    return WorkerId(blake2b(name.encode(), digest_size=UNIQUE_ID_BYTES).digest())


def named_node_id(name: str) -> NodeId:
    return NodeId(blake2b(name.encode(), digest_size=UNIQUE_ID_BYTES).digest())


class IdSource:
    """Derives the ids of what one attempt of one task submits, puts and creates, in program order.

    Another attempt derives other ids, so that what a dead attempt left behind is never taken for
    the living one's.
    """

    __slots__ = ("_actor", "_base", "_job", "_latest", "_puts", "_task", "_tasks")

    def __init__(self, task: TaskId, attempt: int = 0) -> None:
        digest = blake2b(task, digest_size=8, salt=attempt.to_bytes(4, "little")).digest()
        self._task = task
        self._base = int.from_bytes(digest, "little")
        self._job = job_of_task(task)
        self._actor: bytes = nil_actor(self._job)
        self._latest = self._base
        self._puts = (attempt & 0xF) << _PUT_ATTEMPT_SHIFT | _PUT_BIT
        self._tasks = 0

    def _unique(self) -> bytes:
        self._latest = latest = (self._latest + _STEP) & _MASK
        return latest.to_bytes(8, "little")

    def task(self) -> TaskId:
        """The id of the next normal task."""
        self._latest = latest = (self._latest + _STEP) & _MASK
        return latest.to_bytes(8, "little") + self._actor  # type: ignore[return-value] # see `return_id`

    def actor(self) -> ActorId:
        """The id of the next actor."""
        return ActorId(self._unique() + self._unique()[:4] + self._job)

    def placement_group(self) -> PlacementGroupId:
        """The id of the next placement group; it ends with the job's, as Ray's does."""
        return PlacementGroupId(self._unique() + self._unique()[:6] + self._job)

    def made(self, task: TaskId) -> bool:
        """Whether this source gave, or will give, the task its id: nobody has to write down who submitted what."""
        unique = int.from_bytes(task[:8], "little")
        return 0 < ((unique - self._base) * _STEP_BACK & _MASK) <= _CHILDREN_LIMIT

    def actor_task(self, actor: ActorId) -> TaskId:
        """The id of the next call of this actor."""
        self._latest = latest = (self._latest + _STEP) & _MASK
        return latest.to_bytes(8, "little") + actor  # type: ignore[return-value] # see `return_id`

    def put(self) -> ObjectId:
        """The id of the next `put`. Raises OverflowError after 2**27 puts of one task."""
        self._puts = index = self._puts + 1
        if index & (_PUT_INDEX_LIMIT - 1) == 0:
            raise OverflowError(f"one task made {_PUT_INDEX_LIMIT} puts: its put ids are used up")
        return ObjectId(self._task + index.to_bytes(4, "little"))


def actor_creation_task(actor: ActorId) -> TaskId:
    """The task that runs an actor's constructor. Its only return stands for the actor's handles."""
    return TaskId(b"\x00" * 8 + actor)


def actor_handle_object(actor: ActorId) -> ObjectId:
    """The object whose references are the actor's counted handles (Ray: ObjectID::ForActorHandle)."""
    return return_id(actor_creation_task(actor), 0)


def is_actor_creation(task: TaskId) -> bool:
    """Whether it is the task that runs an actor's constructor."""
    actor = actor_of_task(task)
    return actor != nil_actor(job_of_task(task)) and task == actor_creation_task(actor)


def is_actor_handle(object_id: ObjectId) -> bool:
    """Whether the object stands for an actor's handles."""
    return is_actor_creation(task_of_object(object_id))
