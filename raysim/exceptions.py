"""What a program catches, with Ray's names and inheritance. Never decides that something failed.

An error that the protocol found arrives as a `Failure` (`from_failure` makes the exception of it);
an error that user code raised arrives as a `RayTaskError` (see `raysim.task_error`). All of them
survive pickling.
"""

from typing import Any

from raysim.spec.failure import Failure, FailureKind
from raysim.task_error import RayError as RayError
from raysim.task_error import RayTaskError as RayTaskError
from raysim.task_error import UnserializableException as UnserializableException


class TaskCancelledError(RayError):
    """The task was cancelled before it ran."""

    def __init__(self, task_id: str | None = None, error_message: str | None = None) -> None:
        super().__init__(task_id, error_message)
        self.task_id = task_id
        self.error_message = error_message

    def __str__(self) -> str:
        return self.error_message or f"Task {self.task_id or ''} was cancelled."


class LocalRayletDiedError(RayError):
    """The raylet of this process's node is gone, and the cluster with it for this process."""


class WorkerCrashedError(RayError):
    """The worker process died while it ran the task, and the retries are over."""


class _WithMessage(RayError):
    """An error that is its message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class NodeDiedError(_WithMessage):
    """The node died or cannot be reached."""


class OutOfMemoryError(_WithMessage):
    """The node's memory ran out, and the worker that ran this was ended to free some."""


class AuthenticationError(_WithMessage):
    """Another process does not know the session's token, or ours."""


class RpcError(_WithMessage):
    """A message between processes failed. Nothing raises it: a lost message is a lost process here."""

    def __init__(self, message: str, rpc_code: int | None = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.rpc_code)


class RayActorError(RayError):
    """A call could not be done because of the actor's state. Two kinds: died, unavailable."""

    BASE_ERROR_MSG = "The actor experienced an error before finishing this task."

    def __init__(
        self,
        error_msg: str | None = None,
        actor_id: str | None = None,
        actor_init_failed: bool = False,
    ) -> None:
        super().__init__(error_msg, actor_id, actor_init_failed)
        self.error_msg = error_msg or self.BASE_ERROR_MSG
        self.actor_id = actor_id
        """In hex."""
        self.actor_init_failed = actor_init_failed
        """Its constructor raised."""

    def __str__(self) -> str:
        return self.error_msg


class ActorDiedError(RayActorError):
    """The actor is dead for good; the call may or may not have begun."""

    BASE_ERROR_MSG = "The actor died unexpectedly before finishing this task."


class ActorUnavailableError(RayActorError):
    """The actor restarts or cannot be reached now; the call may or may not have been executed."""

    BASE_ERROR_MSG = "The actor is unavailable; the call may or may not have been executed."


class ActorAlreadyExistsError(ValueError, RayError):
    """A live actor of the namespace has this name."""


class ActorHandleNotFoundError(ValueError, RayError):
    """The handle belongs to a session that has ended."""


class PendingCallsLimitExceeded(RayError):
    """The caller has `max_pending_calls` calls under way on the actor: get some results first."""


class AsyncioActorExit(RayError):
    """Inside an asynchronous actor only: it ends itself."""


class ObjectLostError(RayError):
    """All copies of an object are gone."""

    WHY = "All copies of it have been lost, because their nodes died."

    def __init__(self, object_ref_hex: str = "", why: str | None = None) -> None:
        super().__init__(object_ref_hex, why)
        self.object_ref_hex = object_ref_hex
        self.why = why or self.WHY

    def __str__(self) -> str:
        return f"Failed to retrieve object {self.object_ref_hex}. {self.why}"


class ObjectFreedError(ObjectLostError):
    """The object was freed by hand."""

    WHY = "It was freed by hand before this use."


class OwnerDiedError(ObjectLostError):
    """The process that made the reference is gone, and its objects with it."""

    WHY = "Its owner, the process that called .remote() or put(), has exited."


class ObjectReconstructionFailedError(ObjectLostError):
    """All copies are gone, and the task that made the object cannot be run again."""

    WHY = "It cannot be made again."


class ObjectFetchTimedOutError(ObjectLostError):
    """No copy was found in time. Nothing raises it: who has copies is known, and `get` has its own time."""

    WHY = "No copy of it was found in time."


class ReferenceCountingAssertionError(ObjectLostError, AssertionError):
    """It was deleted while somebody referred to it. Nothing raises it: that would be an error of raysim."""

    WHY = "It was deleted while there was still a reference to it, which is an error of raysim."


class ObjectStoreFullError(RayError):
    """The object does not fit into the node's object store."""


class OutOfDiskError(RayError):
    """The object fits neither into the node's object store nor onto its disk."""


class PlasmaObjectNotAvailable(RayError):
    """The object was not in the node's store in time. Nothing raises it: `get` raises GetTimeoutError."""


class OufOfBandObjectRefSerializationException(RayError):
    """A reference was pickled by hand, which RAY_allow_out_of_band_object_ref_serialization=0 forbids."""


class UserCodeException(RayError):
    """For programs that wrap what user code raised: `retry_exceptions` looks at its cause (`raise ... from`)."""


class TaskUnschedulableError(RayError):
    """The task can run on no node: hard affinity to a node that is dead or too small, say."""

    def __str__(self) -> str:
        return f"The task is not schedulable: {super().__str__()}"


class ActorUnschedulableError(RayError):
    """The actor can be placed on no node."""

    def __str__(self) -> str:
        return f"The actor is not schedulable: {super().__str__()}"


class RuntimeEnvSetupError(RayError):
    """The runtime environment of a task or an actor cannot be made."""


class TaskPlacementGroupRemoved(RayError):
    """The placement group that the task was to run in has been removed."""


class ActorPlacementGroupRemoved(RayError):
    """The placement group that the actor was to run in has been removed."""


class GetTimeoutError(RayError, TimeoutError):
    """`get` did not have all values within its time."""


class RaySystemError(RayError):
    """raysim itself cannot go on, or was not started."""


class StreamingGeneratorReplayInconsistentError(RaySystemError):
    """A generator that ran again, for items that were lost, gave another number of items than before."""


class ObjectRefStreamEndOfStreamError(RayError):
    """A generator has no more items."""


class RayChannelError(RaySystemError):
    """A channel of a compiled graph is closed: the graph was torn down, or has lost an actor."""


class RayChannelTimeoutError(RayChannelError, TimeoutError):
    """A pass of a compiled graph was not done, or could not begin, within its time."""


class RayCgraphCapacityExceeded(RaySystemError):
    """More passes of a compiled graph are under way, or more results wait to be taken, than it may have."""


_WITH_TEXT: dict[FailureKind, type[RayError]] = {
    FailureKind.WORKER_CRASHED: WorkerCrashedError,
    FailureKind.NODE_DIED: NodeDiedError,
    FailureKind.OBJECT_STORE_FULL: ObjectStoreFullError,
    FailureKind.OUT_OF_DISK: OutOfDiskError,
    FailureKind.OUT_OF_MEMORY: OutOfMemoryError,
    FailureKind.TASK_UNSCHEDULABLE: TaskUnschedulableError,
    FailureKind.ACTOR_UNSCHEDULABLE: ActorUnschedulableError,
    FailureKind.TASK_PLACEMENT_GROUP_REMOVED: TaskPlacementGroupRemoved,
    FailureKind.ACTOR_PLACEMENT_GROUP_REMOVED: ActorPlacementGroupRemoved,
    FailureKind.RUNTIME_ENV_SETUP: RuntimeEnvSetupError,
    FailureKind.REPLAY_INCONSISTENT: StreamingGeneratorReplayInconsistentError,
    FailureKind.ACTOR_NAME_TAKEN: ActorAlreadyExistsError,
    FailureKind.CHANNEL_CLOSED: RayChannelError,
}

_OF_OBJECTS: dict[FailureKind, type[ObjectLostError]] = {
    FailureKind.OBJECT_LOST: ObjectLostError,
    FailureKind.OBJECT_FREED: ObjectFreedError,
    FailureKind.OWNER_DIED: OwnerDiedError,
    FailureKind.RECONSTRUCTION_FAILED: ObjectReconstructionFailedError,
}


def from_failure(
    failure: Failure, object_hex: str = "", init_error: RayTaskError | None = None
) -> RayError:
    """The exception of a failure that the protocol found.

    `object_hex`: the object that was asked for. `init_error`: what the actor's constructor raised
    (`failure.payload`, unpickled by the caller).
    """
    kind, text = failure.kind, failure.text
    if kind in _WITH_TEXT:
        return _WITH_TEXT[kind](text)
    if kind in _OF_OBJECTS:
        return _OF_OBJECTS[kind](object_hex, text)
    if kind is FailureKind.TASK_CANCELLED:
        return TaskCancelledError(object_hex[:48] or None, text)
    actor_hex = failure.actor_id.hex() if failure.actor_id else None
    if kind is FailureKind.ACTOR_UNAVAILABLE:
        return ActorUnavailableError(text, actor_hex)
    assert kind is FailureKind.ACTOR_DIED, f"no exception for {kind}"
    if init_error is not None:
        text = f"The actor died because of an error raised in its creation task, {init_error}"
    return ActorDiedError(text, actor_hex, failure.init_failed)
