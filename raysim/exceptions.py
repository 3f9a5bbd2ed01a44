"""What a program catches, with Ray's names and inheritance. Never decides that something failed.

An error that the protocol found arrives as a `Failure` (`from_failure` makes the exception of it);
an error that user code raised arrives as a `RayTaskError` (`RayTaskError.of` makes it where it
happened, `as_instanceof_cause` gives what `get` raises). All of them survive pickling.
"""

import traceback
import types
from collections.abc import Callable
from typing import Any

import cloudpickle

from raysim.spec.failure import Failure, FailureKind

_OWN_FRAMES = (
    __file__.removesuffix("exceptions.py"),
    "/raysim_sim/",
    "/raysim_cluster/",
    "/raysim_ray/",
)
"""Parts of paths whose frames a user need not see in a remote traceback."""

_SlotTypes = (types.MemberDescriptorType, types.GetSetDescriptorType)


class RayError(Exception):
    """The root of all errors of raysim. Ray: `RayError`."""


class RayTaskError(RayError):
    """User code raised in a task or an actor method. Ray: `RayTaskError`.

    `cause` is the exception itself, or a stand-in with its text when it cannot be pickled.
    """

    def __init__(
        self,
        function_name: str,
        traceback_str: str,
        cause: BaseException,
        proctitle: str | None = None,
        pid: int | None = None,
        ip: str | None = None,
        actor_repr: str | None = None,
        actor_id: str | None = None,
    ) -> None:
        super().__init__(
            function_name, traceback_str, cause, proctitle, pid, ip, actor_repr, actor_id
        )
        self.function_name = function_name
        self.traceback_str = traceback_str
        self.cause = cause
        self.proctitle = proctitle or f"ray::{function_name}"
        self.pid = pid or 0
        self.ip = ip or ""
        self.actor_repr = actor_repr
        self._actor_id = actor_id

    @classmethod
    def of(
        cls,
        error: BaseException,
        function_name: str,
        pid: int | None = None,
        ip: str | None = None,
        actor_repr: str | None = None,
        actor_id: str | None = None,
    ) -> "RayTaskError":
        """Of what user code just raised; call it while the exception has its traceback.

        A `RayTaskError` of a task inside is not wrapped again: its innermost cause is kept.
        """
        text = "".join(traceback.format_exception(error))
        cause = error.cause if isinstance(error, RayTaskError) else portable(error, text)
        return cls(function_name, text, cause, None, pid, ip, actor_repr, actor_id)

    def as_instanceof_cause(self) -> "RayTaskError":
        """The same error as an instance of the cause's class too, for `except ValueError`.

        The plain error where the cause's class cannot be a base class.
        """
        cause = self.cause
        if issubclass(RayTaskError, type(cause)):
            return self
        try:
            return dual_class(type(cause))(cause, str(self))
        except Exception:  # noqa: BLE001  (whatever a user's metaclass or constructor may raise)
            return self

    def __str__(self) -> str:
        where = f"pid={self.pid}, ip={self.ip}"
        if self.actor_repr:
            where += f", actor_id={self._actor_id}, repr={self.actor_repr}"
        return readable(self.traceback_str, f"{self.proctitle}() ({where})")


def dual_class(cause_class: type[BaseException]) -> Callable[[BaseException, str], RayTaskError]:
    """Makes errors of class `RayTaskError(X)`: both a RayTaskError and an X.

    Raises TypeError where X forbids subclasses.
    """

    def make(cause: BaseException, text: str) -> RayTaskError:
        error: RayTaskError
        if isinstance(cause, BaseExceptionGroup):
            error = dual.__new__(dual, cause.message, cause.exceptions)
        else:
            error = dual.__new__(dual)
        error.__dict__.update(vars(cause), _cause=cause, _text=text)
        return error

    # `args`, `__str__` and attribute access go to the cause without calling its constructor,
    # whose parameters nobody knows.
    members: dict[str, Any] = {
        "__module__": "raysim.exceptions",
        "__init__": lambda self, *_: None,
        "cause": property(lambda self: self.__dict__["_cause"]),
        "args": property(lambda self: (self.__dict__["_cause"],)),
        "__str__": lambda self: self.__dict__["_text"],
        "__reduce__": lambda self: (_rebuild_dual, (self.__dict__["_cause"], str(self))),
        "__getattr__": lambda self, name: getattr(self.__dict__["_cause"], name),
    }
    for name, slot in _slots(cause_class):
        members.setdefault(name, slot)
    dual: Any = type(f"RayTaskError({cause_class.__name__})", (RayTaskError, cause_class), members)
    return make


def _slots(cause_class: type) -> list[tuple[str, property]]:
    """Attributes such as `OSError.errno`, which live in the object and not in its `__dict__`."""

    def delegate(name: str) -> property:
        return property(lambda self: getattr(self.__dict__["_cause"], name))

    return [
        (name, delegate(name))
        for cls in cause_class.__mro__
        if cls not in BaseException.__mro__
        for name, value in vars(cls).items()
        if isinstance(value, _SlotTypes) and not name.startswith("__")
    ]


def _rebuild_dual(cause: BaseException, text: str) -> RayTaskError:
    return dual_class(type(cause))(cause, text)


def portable(error: BaseException, text: str) -> BaseException:
    """The exception if it survives pickling, else a stand-in with its type and text."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    try:
        pickled = cloudpickle.dumps(error)
    except Exception as refusal:  # noqa: BLE001  (a user's __reduce__ may raise anything)
        return RayError(f"Exception {kind} isn't serializable: {refusal}.\nOriginal:\n{text}")
    try:
        cloudpickle.loads(pickled)
    except Exception:  # noqa: BLE001  (a user's __init__ that does not fit its args, typically)
        return UnserializableException(text)
    return error


def readable(text: str, title: str) -> str:
    """A remote traceback without our own frames, its header naming the process."""
    kept: list[str] = []
    hidden = False
    for line in text.strip().split("\n"):
        if line.startswith("Traceback "):
            hidden = False
            kept.append(title)
        elif line.startswith("  File "):
            hidden = any(part in line for part in _OWN_FRAMES)
            if not hidden:
                kept.append(line)
        elif not (hidden and line.startswith("    ")):
            hidden = False
            kept.append(line)
    return "\n".join(kept)


class TaskCancelledError(RayError):
    """The task was cancelled before it ran."""

    def __init__(self, task_id: str | None = None, error_message: str | None = None) -> None:
        super().__init__(task_id, error_message)
        self.task_id = task_id
        self.error_message = error_message

    def __str__(self) -> str:
        return self.error_message or f"Task {self.task_id or ''} was cancelled."


class WorkerCrashedError(RayError):
    """The worker process died while it ran the task, and the retries are over."""


class NodeDiedError(RayError):
    """The node died or cannot be reached."""


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


class ObjectStoreFullError(RayError):
    """The object does not fit into the node's object store."""


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


class UnserializableException(RayError):
    """An exception of user code that could not be unpickled: its text and traceback instead."""

    def __str__(self) -> str:
        return f"The exception cannot be unpickled. It was:\n{super().__str__()}"


_WITH_TEXT: dict[FailureKind, type[RayError]] = {
    FailureKind.WORKER_CRASHED: WorkerCrashedError,
    FailureKind.NODE_DIED: NodeDiedError,
    FailureKind.OBJECT_STORE_FULL: ObjectStoreFullError,
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
