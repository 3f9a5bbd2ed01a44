"""`get`, `put`, `wait`, `cancel`: values behind references. Never how they travel."""

from collections.abc import Sequence
from typing import Any, overload

from raysim.api.session import auto_init
from raysim.runtime.current import current
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.ids import ACTOR_ID_BYTES, JOB_ID_BYTES, ObjectId, actor_of_task, task_of_object

_REFS_ONLY = {ObjectRef}
_NO_ACTOR = b"\xff" * (ACTOR_ID_BYTES - JOB_ID_BYTES)


@overload
def get(object_refs: ObjectRef, *, timeout: float | None = None) -> Any: ...
@overload
def get(object_refs: Sequence[ObjectRef], *, timeout: float | None = None) -> list[Any]: ...
def get(object_refs: Any, *, timeout: float | None = None) -> Any:
    """The value of a reference, or of each of a list of them, waiting until they are there.

    `timeout` in seconds; None (or -1) waits for ever, 0 not at all. Raises the first error found
    (an application's as RayTaskError and as its own class), GetTimeoutError when time is over,
    ValueError for what is neither a reference nor a list, TypeError for a list with anything else.
    """
    if timeout is not None and timeout < 0:
        if timeout != -1:
            raise ValueError(f"The timeout must be None, -1 or at least 0 s, but it is {timeout}.")
        timeout = None
    backend = current() or auto_init()
    if isinstance(object_refs, ObjectRef):
        return backend.get((object_refs,), timeout)[0]
    if not isinstance(object_refs, list):
        raise ValueError(
            f"Invalid type of object refs, {type(object_refs)}, is given. 'object_refs' must "
            "either be an ObjectRef or a list of ObjectRefs."
        )
    if not object_refs:
        return []
    if set(map(type, object_refs)) != _REFS_ONLY:
        for ref in object_refs:  # A backend may have references of a class of its own.
            if not isinstance(ref, ObjectRef):
                raise TypeError(
                    f"Attempting to call `get` on the value {ref!r}, which is no ObjectRef."
                )
    return backend.get(object_refs, timeout)


def put(value: Any) -> ObjectRef:
    """Store a value and give a reference to it, owned by this process.

    Raises TypeError for a reference (wrap it in a list) and for what cannot be pickled.
    """
    if isinstance(value, ObjectRef):
        raise TypeError(
            "Calling 'put' on an ObjectRef is not allowed. If you really want to do this, wrap "
            "the ObjectRef in a list and call 'put' on it."
        )
    return (current() or auto_init()).put(value)


def wait(
    ray_waitables: list[ObjectRef],
    *,
    num_returns: int = 1,
    timeout: float | None = None,
    fetch_local: bool = True,
) -> tuple[list[ObjectRef], list[ObjectRef]]:
    """Split references into ready ones, at most `num_returns`, and the others; both in their order.

    Waits until so many are ready or `timeout` seconds are over. An error counts as ready.
    Raises TypeError for what is no list of references, ValueError for duplicates, a negative
    timeout, or a `num_returns` that is not in 1..len.
    """
    given: Any = ray_waitables
    if not isinstance(given, list):
        kind = "a single ObjectRef" if isinstance(given, ObjectRef) else type(given)
        raise TypeError(f"wait() expected a list of ObjectRef, got {kind}.")
    if timeout is not None and timeout < 0:
        raise ValueError(f"The 'timeout' argument must be nonnegative. Received {timeout}.")
    for ref in given:
        if not isinstance(ref, ObjectRef):
            raise TypeError(
                f"wait() expected a list of ObjectRef, got a list containing {type(ref)}."
            )
    backend = current() or auto_init()
    if not given:
        return [], []
    if len(set(given)) != len(given):
        raise ValueError("wait() requires a list of unique references.")
    if num_returns <= 0:
        raise ValueError(f"Invalid number of objects to return {num_returns}.")
    if num_returns > len(given):
        raise ValueError(
            f"num_returns={num_returns} cannot be greater than the {len(given)} references "
            "given to wait()."
        )
    return backend.wait(given, num_returns, timeout, fetch_local)


def cancel(ref: ObjectRef, *, force: bool = False, recursive: bool = True) -> None:
    """Do not start the task of this reference: its `get` then raises TaskCancelledError.

    A task that runs or has ended is left alone. Raises TypeError for what is no reference,
    ValueError for `force` on an actor's method.
    """
    if not isinstance(ref, ObjectRef):
        raise TypeError(
            f"cancel() is for references only; for actors there is kill(). Got: {type(ref)}."
        )
    task = task_of_object(ObjectId(ref.binary()))
    if force and not actor_of_task(task).startswith(_NO_ACTOR):
        raise ValueError("force=True is not supported for actor tasks.")
    (current() or auto_init()).cancel(ref, force, recursive)
