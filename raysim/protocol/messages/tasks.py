"""Calls and their results, owner to executor and back."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import msgspec

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, NodeId, ObjectId, TaskId
from raysim.spec.resources import Accelerators
from raysim.spec.task import TaskCall, TaskTemplate


class TaskStatus(IntEnum):
    OK = 0
    APPLICATION_ERROR = 1
    """User code raised; every return holds the exception."""
    RETRIABLE_ERROR = 2
    """User code raised what `retry_exceptions` names."""
    NOT_RUN = 3
    """Handed back: the worker blocks, ends, or was told to cancel it."""
    FAILED = 4
    """The system could not run it: `failure` says why."""


OK: Final = TaskStatus.OK
"""For what every call does: to look a member up in its class takes ten times as long in Python 3.11."""


class ContainedRef(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A reference inside a serialised value."""

    object_id: ObjectId
    owner: Address


class Return(msgspec.Struct, gc=False, array_like=True):
    """One return value: inline, or sealed in the store of the executor's node (payload None)."""

    payload: bytes | None
    size: int = 0
    contained: list[ContainedRef] = []
    is_error: bool = False


class TaskResult(msgspec.Struct, gc=False, array_like=True):
    """How one call ended. Times on the executor's clock."""

    task_id: TaskId
    attempt: int
    status: TaskStatus
    returns: list[Return] = []
    start_ns: int = 0
    end_ns: int = 0
    failure: Failure | None = None
    lost: Mapping[ObjectId, list[NodeId]] = {}
    """Of a call handed back: arguments that none of these nodes had any more."""
    items: int = 0
    """Of a generator: how many it gave. If it raised, the last of `returns` is one item more, the error."""


class PushTasks(Message):
    """Owner to leased worker: run these, in this order.

    Reply: TasksDone, in as many parts as the worker likes. Lost: with the connection; the owner retries
    elsewhere. A second copy of (task, attempt) is dropped.
    """

    lease_id: int
    template: TaskTemplate
    calls: list[TaskCall]
    function: bytes | None = None
    """The pickled function, the first time that this owner sends it to this worker."""
    accelerators: Accelerators = {}
    """The GPUs of the lease."""


class TasksDone(Message):
    """Executor to owner: how these calls ended.

    `raylet`: whose store holds the returns that are not inline. `retires`: the worker has run its
    `max_calls` and hands back whatever else it is sent; it exits once its lease was returned. Lost:
    with the connection; the owner retries or fails the calls.
    """

    raylet: Address
    results: list[TaskResult]
    retires: bool = False


class CancelTasks(Message):
    """Owner to executor: these are not wanted any more.

    Those not started are answered at once: tasks with NOT_RUN, actor calls as cancelled. One that runs is
    interrupted, or, by `force`, its worker ends; an actor's method that runs goes on and is answered
    as cancelled. `recursive`: what they submitted is cancelled, too. Reply: TasksDone. Lost: they run.
    """

    task_ids: list[TaskId]
    force: bool = False
    recursive: bool = False


class PreemptTasks(Message):
    """Owner to executor: these have to make room.

    Reply: TasksDone with NOT_RUN. What runs can stop only if it is synthetic; its times say how much of it was done.
    Lost: they run.
    """

    task_ids: list[TaskId]


class CancelOwned(Message):
    """Borrower of a reference to its owner: cancel the call that makes it.

    Reply: none; the object fails. Lost: asked again by the user.
    """

    task_id: TaskId
    force: bool
    recursive: bool


class PushActorCalls(Message):
    """Caller to actor: run these calls; `sequence` in each counts from 0 per caller and incarnation.

    Reply: TasksDone. Lost: with the connection; the caller then asks the GCS for the actor's state.
    A call for another incarnation is dropped: its caller learns of the new one from the GCS.
    """

    actor_id: ActorId
    incarnation: int
    calls: list[TaskCall]


class ReleaseReturnHolds(Message):
    """Owner to executor: the references inside these calls' return values are held by me now.

    `items`: those inside single items of generators. Reply: none. Lost: the executor lets go when the
    owner is lost.
    """

    task_ids: list[TaskId]
    items: list[ObjectId] = []
