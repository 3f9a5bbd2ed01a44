"""Why an object has no value, as data. Never an exception: `raysim.runtime.errors` makes those."""

from enum import StrEnum

import msgspec

from raysim.spec.ids import ActorId


class FailureKind(StrEnum):
    """Each kind is one exception of `raysim.exceptions`."""

    WORKER_CRASHED = "WorkerCrashedError"
    NODE_DIED = "NodeDiedError"
    ACTOR_DIED = "ActorDiedError"
    ACTOR_UNAVAILABLE = "ActorUnavailableError"
    TASK_CANCELLED = "TaskCancelledError"
    OBJECT_LOST = "ObjectLostError"
    OBJECT_FREED = "ObjectFreedError"
    OWNER_DIED = "OwnerDiedError"
    RECONSTRUCTION_FAILED = "ObjectReconstructionFailedError"
    OBJECT_STORE_FULL = "ObjectStoreFullError"
    OUT_OF_DISK = "OutOfDiskError"
    OUT_OF_MEMORY = "OutOfMemoryError"
    TASK_UNSCHEDULABLE = "TaskUnschedulableError"
    ACTOR_UNSCHEDULABLE = "ActorUnschedulableError"
    TASK_PLACEMENT_GROUP_REMOVED = "TaskPlacementGroupRemoved"
    ACTOR_PLACEMENT_GROUP_REMOVED = "ActorPlacementGroupRemoved"
    REPLAY_INCONSISTENT = "StreamingGeneratorReplayInconsistentError"
    RUNTIME_ENV_SETUP = "RuntimeEnvSetupError"
    ACTOR_NAME_TAKEN = "ActorAlreadyExistsError"
    CHANNEL_CLOSED = "RayChannelError"


class Failure(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A typed error of the system. `text` says what, with which values, and what to do."""

    kind: FailureKind
    text: str
    actor_id: ActorId | None = None
    init_failed: bool = False
    """The actor's constructor raised; `payload` then holds the exception."""
    payload: bytes | None = None
    reason: str = ""
    """Of an actor's death, in Ray's word (`ActorDiedErrorContext.Reason`)."""
