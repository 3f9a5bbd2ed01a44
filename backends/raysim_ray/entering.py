"""User code as Ray's workers run it: with raysim's API connected to Ray. Never changes what it does.

Ray starts and ends workers as it likes. So each function, and each actor's constructor, first makes
sure that this process knows its backend; nested `remote`, `get` and their like then find it.
"""

import functools
import inspect
import time
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import ray

from raysim.runtime.current import current, set_current
from raysim.spec.actor import METHOD_OPTIONS
from raysim.spec.task import Work
from raysim_ray.errors import known_to_ray
from raysim_ray.handles import description
from raysim_ray.references import from_ray

NS = 1_000_000_000


class Here(msgspec.Struct, frozen=True):
    """The actor that this process is."""

    class_name: str
    method_meta: bytes


_here: Here | None = None


def here() -> Here | None:
    """None outside of an actor, and in one that raysim did not make."""
    return _here


def enter(actor: Here | None = None) -> None:
    """Connect this worker, unless it is."""
    global _here
    if actor is not None:
        _here = actor
    if current() is None:
        from raysim_ray.backend import RayBackend
        from raysim_ray.serializers import forward

        set_current(RayBackend())  # type: ignore[arg-type]  # It stands for a CoreWorker.
        forward()
        known_to_ray()


def entered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, in a process that knows its backend."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            enter()
            return (yield from function(*_given(args), **kwargs))

        return generate

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        enter()
        return function(*_given(args), **kwargs)

    return run


def _given(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Positional arguments as raysim gives them."""
    return tuple(map(from_ray, args))


def entered_class(cls: type, class_name: str, method_meta: bytes, named: bool) -> type:
    """The class, whose constructor runs in a process that knows its backend."""
    actor = Here(class_name, method_meta)
    members: dict[str, Any] = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__init__": _entered_constructor(cls.__init__, actor),  # type: ignore[misc]  # Of this very class.
    }
    if named:
        members[description(class_name, method_meta)] = _described
    for _, method in inspect.getmembers(cls, inspect.isfunction):
        per_yield = getattr(method, METHOD_OPTIONS, {}).get("_num_objects_per_yield")
        if per_yield is not None:
            # The one option of methods that Ray does not take with a call.
            ray.method(_num_objects_per_yield=per_yield)(method)
    return type(cls)(cls.__name__, (cls,), members)


def _entered_constructor(construct: Callable[..., Any], actor: Here) -> Callable[..., Any]:
    begin: Callable[..., Any]
    if inspect.iscoroutinefunction(construct):

        async def begin(self: Any, *args: Any, **kwargs: Any) -> None:
            enter(actor)
            await construct(self, *args, **kwargs)

    else:

        def begin(self: Any, *args: Any, **kwargs: Any) -> None:
            enter(actor)
            construct(self, *args, **kwargs)

    # What a class inherits from object has no signature that Ray could read.
    return functools.wraps(construct)(begin) if inspect.isfunction(construct) else begin


def _described(self: Any) -> None:
    """Never called: see handles.py."""


def synthetic(work: Work, *_: Any, **__: Any) -> Any:
    """A task without Python: it takes its time and leaves its sizes."""
    time.sleep(work.duration_ns / NS)
    values = [bytes(size) for size in work.return_sizes]
    if not values:
        return None
    return values[0] if len(values) == 1 else values
