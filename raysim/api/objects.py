"""`get`, `put`, `wait`, `cancel`: values behind references. Never how they travel."""

from collections.abc import Sequence
from typing import Any, overload

from raysim.api.binding import GraphRef
from raysim.api.session import auto_init, connected
from raysim.runtime.current import current
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.object_ref_generator import ObjectRefGenerator
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
    given = timeout
    if timeout is not None and timeout < 0:
        if timeout != -1:
            raise ValueError(f"The timeout must be None, -1 or at least 0 s, but it is {timeout}.")
        timeout = None
    backend = current() or auto_init()
    if isinstance(object_refs, ObjectRef):
        return backend.get((object_refs,), timeout)[0]
    if isinstance(object_refs, ObjectRefGenerator):
        return object_refs  # Ray.
    if isinstance(object_refs, GraphRef):
        return object_refs.get(given)
    if not isinstance(object_refs, list):
        raise ValueError(
            f"Invalid type of object refs, {type(object_refs)}, is given. 'object_refs' must "
            "either be an ObjectRef or a list of ObjectRefs."
        )
    if not object_refs:
        return []
    kinds = set(map(type, object_refs))
    if kinds != _REFS_ONLY:
        of_graphs = [issubclass(kind, GraphRef) for kind in kinds]
        if any(of_graphs):
            return _of_graphs(object_refs, given, all(of_graphs))
        for ref in object_refs:  # A backend may have references of a class of its own.
            if not isinstance(ref, ObjectRef):
                raise TypeError(
                    f"Attempting to call `get` on the value {ref!r}, which is no ObjectRef."
                )
    return backend.get(object_refs, timeout)


def _of_graphs(refs: list[Any], timeout: float | None, nothing_else: bool) -> list[Any]:
    if not nothing_else:
        raise ValueError(
            "Invalid type of object refs. 'object_refs' must be a list of CompiledDAGRefs if there is "
            "any CompiledDAGRef within it."
        )
    return [ref.get(timeout) for ref in refs]


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
    ray_waitables: list[Any],
    *,
    num_returns: int = 1,
    timeout: float | None = None,
    fetch_local: bool = True,
) -> tuple[list[Any], list[Any]]:
    """Split references into ready ones, at most `num_returns`, and the others; both in their order.

    Waits until so many are ready or `timeout` seconds are over. An error counts as ready; so does a
    generator whose `next` would not wait. Raises TypeError for what is no list of references or
    generators, ValueError for duplicates, a negative timeout, or a `num_returns` that is not in 1..len.
    """
    given: Any = ray_waitables
    if not isinstance(given, list):
        kind = "a single ObjectRef" if isinstance(given, ObjectRef) else type(given)
        raise TypeError(f"wait() expected a list of ObjectRef, got {kind}.")
    if timeout is not None and timeout < 0:
        raise ValueError(f"The 'timeout' argument must be nonnegative. Received {timeout}.")
    kinds = set(map(type, given))
    for kind in kinds:
        if not issubclass(kind, ObjectRef | ObjectRefGenerator):
            raise TypeError(f"wait() expected a list of ObjectRef, got a list containing {kind}.")
    backend = current() or auto_init()
    if not given:
        return [], []
    # The bytes, which know their hash: the loop over what is left calls this a thousand times for a thousand.
    unique = {ref._id for ref in given} if kinds == _REFS_ONLY else set(given)
    if len(unique) != len(given):
        raise ValueError("wait() requires a list of unique references.")
    if num_returns <= 0:
        raise ValueError(f"Invalid number of objects to return {num_returns}.")
    if num_returns > len(given):
        raise ValueError(
            f"num_returns={num_returns} cannot be greater than the {len(given)} references "
            "given to wait()."
        )
    return backend.wait(given, num_returns, timeout, fetch_local)


def free(object_refs: ObjectRef | list[ObjectRef], local_only: bool = False) -> None:
    """Drop the values behind references now, though they are referred to: to use them raises ObjectFreedError.

    For values that this process made or whose tasks it called; others, and those that are not there yet,
    are left alone. `local_only` is Ray's and changes nothing: an object has one owner, who frees all
    copies. Raises TypeError for what is no reference. Ray, until 2.5x: `ray.internal.free`.
    """
    given: object = [object_refs] if isinstance(object_refs, ObjectRef) else object_refs
    if not isinstance(given, list) or not all(isinstance(ref, ObjectRef) for ref in given):
        raise TypeError(
            f"free() expected a reference or a list of references, got {object_refs!r}."
        )
    connected().free(given)


def cancel(
    ref: ObjectRef | ObjectRefGenerator, *, force: bool = False, recursive: bool = True
) -> None:
    """Have the task of this reference not start, or end: its `get` then raises TaskCancelledError.

    A task that runs gets a KeyboardInterrupt where it is, which it may catch; with `force` its
    worker is killed. An actor's method that runs sees `is_canceled()` of its runtime context, a
    coroutine CancelledError. `recursive`: what it submitted is cancelled, too. Nothing that was
    cancelled is retried; what has ended is left alone. Raises TypeError for what is no reference,
    ValueError for `force` on an actor's method.
    """
    if isinstance(ref, ObjectRefGenerator):
        ref = ref.completed()
    if not isinstance(ref, ObjectRef):
        raise TypeError(
            f"cancel() is for references only; for actors there is kill(). Got: {type(ref)}."
        )
    task = task_of_object(ObjectId(ref.binary()))
    if force and not actor_of_task(task).startswith(_NO_ACTOR):
        raise ValueError("force=True is not supported for actor tasks.")
    (current() or auto_init()).cancel(ref, force, recursive)
