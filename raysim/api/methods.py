"""What a handle knows of an actor's methods: names, parameters, options. Never calls one.

It travels with the handle as bytes (`method_meta`), so that a process that has never seen the
class can check a call and say which methods there are.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, overload

import msgspec

from raysim.api.options import DECORATED_METHOD_OPTIONS, unknown_name
from raysim.api.resolve import call_options
from raysim.api.signature import Signature
from raysim.backend import CallOptions
from raysim.spec.actor import METHOD_OPTIONS

M = TypeVar("M", bound=Callable[..., Any])


class Method(msgspec.Struct, array_like=True):
    """One method of an actor class."""

    name: str
    signature: Signature
    options: CallOptions
    is_generator: bool = False


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(list[Method]).decode


def encode_methods(cls: type) -> bytes:
    """The methods of a class, inherited ones included, in the order of their names."""
    return _ENCODE([_method(cls, name, value) for name, value in _members(cls)])


def with_limits(meta: bytes, max_pending_calls: int, item_limit: int) -> bytes:
    """The same methods for an actor of which no caller may have more calls, and none of whose generators
    more items, under way; 0: as they are."""
    replace = msgspec.structs.replace
    methods: list[Method] = []
    for method in decode_methods(meta).values():
        options = method.options
        if max_pending_calls > 0:
            options = replace(options, max_pending_calls=max_pending_calls)
        if item_limit > 0 and not options.item_limit:
            options = replace(options, item_limit=item_limit)
        methods.append(replace(method, options=options))
    return _ENCODE(methods)


def groups_of(meta: bytes) -> frozenset[str]:
    """The concurrency groups that methods name."""
    found = (method.options.concurrency_group for method in decode_methods(meta).values())
    return frozenset(name for name in found if name)


def is_async(cls: type) -> bool:
    """Whether any method is a coroutine: then all of them run on one event loop (Ray)."""
    return any(_is_async(value) for _, value in inspect.getmembers(cls, inspect.isfunction))


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


@lru_cache(maxsize=4096)
def decode_methods(meta: bytes) -> dict[str, Method]:
    return {method.name: method for method in _DECODE(meta)}


def constructor(cls: type) -> Signature:
    """What `.remote()` of the class takes."""
    if cls.__init__ is object.__init__:  # type: ignore[misc]  # Of this very class.
        return Signature([], 0, 0, False)
    return Signature.of(cls.__init__, skip_first=True)  # type: ignore[misc]  # As above.


def _members(cls: type) -> list[tuple[str, Callable[..., Any]]]:
    found = inspect.getmembers(cls, lambda m: inspect.isfunction(m) or inspect.ismethod(m))
    return [(name, value) for name, value in found if name != "__init__"]


def _method(cls: type, name: str, function: Callable[..., Any]) -> Method:
    is_plain = inspect.isfunction(function)
    is_static = isinstance(inspect.getattr_static(cls, name), staticmethod)
    is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    return Method(
        name,
        Signature.of(function, skip_first=is_plain and not is_static),
        call_options(getattr(function, METHOD_OPTIONS, {}), is_generator),
        is_generator,
    )


@overload
def method(function: M, /) -> M: ...
@overload
def method(**options: Any) -> Callable[[M], M]: ...
def method(*args: Any, **options: Any) -> Any:
    """Options of one method of an actor class. Ray: `ray.method`.

    `num_returns`, `max_task_retries` (None: the actor's), `retry_exceptions` (bool, or a list of
    classes), `concurrency_group`. Raises AssertionError for other keywords and for anything
    positional but the method.
    """
    if len(args) == 1 and not options and callable(args[0]):
        return args[0]
    if args:
        raise AssertionError(
            "The @method decorator takes a method, or some of the keywords "
            f"{', '.join(DECORATED_METHOD_OPTIONS)}."
        )
    for name in options:
        if name not in DECORATED_METHOD_OPTIONS:
            raise AssertionError(unknown_name(name, DECORATED_METHOD_OPTIONS, "@method"))

    def annotate(function: M) -> M:
        setattr(function, METHOD_OPTIONS, options)
        return function

    return annotate
