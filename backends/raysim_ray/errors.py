"""Ray's exceptions as raysim's of the same name, so that a program catches what it wrote. Never decides one."""

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import ray.exceptions as theirs

from raysim import exceptions as ours
from raysim.task_error import dual_class, readable

P = ParamSpec("P")
R = TypeVar("R")

_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def translating(call: Callable[P, R]) -> Callable[P, R]:
    """A call into Ray whose errors are raysim's."""

    @wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except theirs.RayError as error:
            raise translated(error) from None

    return wrapped


def translated(error: BaseException) -> BaseException:
    """The same error in raysim's classes; what is none of Ray's stays as it is."""
    if isinstance(error, ours.RayError) or not isinstance(error, theirs.RayError):
        return error
    if isinstance(error, theirs.RayTaskError):
        return _task_error(error)
    cls = _same_class(type(error))
    text = str(error)
    if isinstance(error, theirs.RayActorError):
        return cls(text, error.actor_id, error.actor_init_failed)
    if isinstance(error, theirs.ObjectLostError):
        hex_id = error.object_ref_hex
        return cls(hex_id, text.removeprefix(f"Failed to retrieve object {hex_id}. "))
    if isinstance(error, theirs.TaskCancelledError):
        return cls(error.task_id.hex() if error.task_id else None, text)
    if isinstance(error, theirs.TaskUnschedulableError | theirs.ActorUnschedulableError):
        return cls(error.error_message)
    return cls(text)


def known_to_ray() -> None:
    """In a worker: where user code raises raysim's UserCodeException, Ray looks at the cause to retry it."""
    ours.UserCodeException.__bases__ = (ours.RayError, theirs.UserCodeException)


def _same_class(cls: type) -> Callable[..., ours.RayError]:
    """raysim's class of the name of this one, or of the nearest base that raysim has too."""
    for base in cls.__mro__:
        found: Any = getattr(ours, base.__name__, None)
        if isinstance(found, type) and issubclass(found, ours.RayError):
            return found
    raise AssertionError(f"{cls} does not derive from RayError")


def _task_error(error: Any) -> BaseException:
    cause = _innermost(error.cause)
    text = readable(_COLOUR.sub("", str(error)), "")
    if type(error) is not theirs.RayTaskError:
        # Ray made it an instance of the cause's class; such an error has no more than its text.
        made = dual_class(type(cause))(cause, text)
    else:
        made = ours.RayTaskError(
            error.function_name,
            text,
            cause,
            error.proctitle,
            error.pid,
            error.ip,
            error.actor_repr,
            error._actor_id,
        ).as_instanceof_cause()
    made.__class__ = _both(type(made))  # type: ignore[arg-type]  # A class hashes, whatever its instances do.
    return made


@lru_cache(maxsize=256)
def _both(cls: type[ours.RayTaskError]) -> type[ours.RayTaskError]:
    """The class, as one of Ray's too: where a task lets it pass, Ray passes the cause on.

    Else Ray would wrap the error of the task inside as if the task outside had raised it.
    """
    return type(cls.__name__, (cls, theirs.RayTaskError), {"__module__": cls.__module__})


def _innermost(cause: BaseException) -> BaseException:
    """What user code raised, below the errors of tasks that passed it on."""
    while isinstance(cause, ours.RayTaskError | theirs.RayTaskError):
        cause = cause.cause
    return translated(cause)
