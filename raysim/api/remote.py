"""The decorator `remote`. Only tells functions from classes."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from raysim.api.actors import ActorClass
from raysim.api.functions import RemoteFunction
from raysim.api.options import ACTOR_OPTIONS, TASK_OPTIONS

T = TypeVar("T")


class Decorator:
    """What `remote(...)` with options gives: to be put over a function or a class."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    @overload
    def __call__(self, target: type) -> ActorClass: ...  # type: ignore[overload-overlap]  # See `remote`.
    @overload
    def __call__(self, target: Callable[..., Any]) -> RemoteFunction: ...
    def __call__(self, target: Any) -> ActorClass | RemoteFunction:
        return _make(target, self._given)


# A class is a callable too; the first overload that fits is taken, which is what is meant.
@overload
def remote(target: type, /) -> ActorClass: ...  # type: ignore[overload-overlap]  # As said above.
@overload
def remote(target: Callable[..., Any], /) -> RemoteFunction: ...
@overload
def remote(**options: Any) -> Decorator: ...
def remote(*args: Any, **options: Any) -> Any:
    """Make a remote function of a function, or an actor class of a class. Ray: `ray.remote`.

    Bare (`@remote`) or with options (`@remote(num_cpus=2)`). Raises AssertionError for empty
    parentheses and for positional arguments, ValueError for an unknown option or a bad value,
    TypeError for a value of the wrong type.
    """
    if len(args) == 1 and not options and callable(args[0]):
        return _make(args[0], {})
    if args or not options:
        names = ", ".join({**TASK_OPTIONS, **ACTOR_OPTIONS})
        raise AssertionError(
            "The @remote decorator must be applied either with no arguments and no parentheses, "
            f"as '@remote', or with some of the options {names}, as '@remote(num_cpus=2)'."
        )
    return Decorator(options)


def _make(target: Any, given: dict[str, Any]) -> ActorClass | RemoteFunction:
    if inspect.isclass(target):
        return ActorClass(target, given)
    if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
        raise ValueError(
            f"{target.__qualname__}: 'async def' should not be used for remote tasks. Wrap it in "
            "a function that calls asyncio.run(...)."
        )
    if inspect.isfunction(target):
        return RemoteFunction(target, given)
    raise TypeError(
        "The @remote decorator must be applied to either a function or a class, not to "
        f"{type(target).__name__}: {target!r}."
    )
