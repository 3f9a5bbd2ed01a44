"""Which `sometimes` and `reachable` a test could come to, read from its source. Never runs it.

One that no run ever comes to would otherwise not be known, and that is the one to tell of.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any, Final

_PLACES: Final = {"sometimes": 1, "reachable": 0}
"""The words, and which of their arguments is the label."""


def labels_of(function: Callable[..., object]) -> tuple[str, ...]:
    """Those with a literal label in the function, and in what it uses of its own module."""
    labels: dict[str, None] = {}
    for one in _used(function):
        labels.update(dict.fromkeys(_labels(one)))
    return tuple(labels)


def _used(function: Callable[..., object]) -> Iterator[Any]:
    """Functions and classes of the module that can be reached by names, the function first."""
    module = inspect.getmodule(function)
    waiting: list[Any] = [inspect.unwrap(function)]
    known: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in known:
            continue
        known.add(id(one))
        yield one
        for name in sorted(_names(one)):
            found = _plain(getattr(module, name, None))
            if found is not None and found.__module__ == getattr(module, "__name__", ""):
                waiting.append(found)


def _plain(value: Any) -> Any:
    """What a remote function or an actor class was made of; None for what has no source."""
    for name in ("_function", "_cls"):
        inside = getattr(value, name, None)
        if isinstance(inside, FunctionType | type):
            return inside
    return value if isinstance(value, FunctionType | type) else None


def _names(one: Any) -> set[str]:
    if isinstance(one, FunctionType):
        return set(_names_in(one.__code__))
    methods = [inspect.unwrap(value) for value in vars(one).values() if callable(value)]
    return {
        name
        for method in methods
        if isinstance(method, FunctionType)
        for name in _names_in(method.__code__)
    }


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _labels(one: Any) -> Iterator[str]:
    try:
        source = textwrap.dedent(inspect.getsource(one))
        tree = ast.parse(source)
    except (OSError, SyntaxError, TypeError):
        return  # Made where there is no source: at a prompt, by `exec`. What it meets counts all the same.
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _label(node)


def _label(call: ast.Call) -> Iterator[str]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    place = _PLACES.get(name)
    if place is None:
        return
    given = [one.value for one in call.keywords if one.arg == "message"]
    label = call.args[place] if len(call.args) > place else next(iter(given), None)
    if isinstance(label, ast.Constant) and isinstance(label.value, str):
        yield label.value
