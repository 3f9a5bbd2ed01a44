"""What objects do when only one client uses them: what a linearizable history has to agree with. Never concurrent."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, Protocol

from raysim.testing.histories import Operation

EMPTY: Final = None
"""What an empty queue and a missing key give."""


class Model(Protocol):
    """A deterministic object. States are values: hashable, never changed."""

    def initial(self) -> Hashable:
        """The state before any operation."""

    def step(self, state: Any, operation: Operation) -> tuple[Hashable, Any]:
        """The state after this operation (its name and arguments), and the result that it has to give.

        Raises ValueError for an operation that the object does not have.
        """

    def part(self, operation: Operation) -> Hashable:
        """Which of several independent objects it is about, each of which is judged by itself; None: there is one."""


class _Whole:
    def part(self, operation: Operation) -> Hashable:
        return None


def _unknown(model: object, operation: Operation) -> ValueError:
    given = ", ".join(map(repr, operation.args))
    return ValueError(
        f"{type(model).__name__} has no operation {operation.name}({given}); it has: {model.__doc__}"
    )


class Register(_Whole):
    """`read()` -> value, `write(value)`, `cas(old, new)` -> whether it was `old`."""

    def __init__(self, value: Hashable = None) -> None:
        self._value = value

    def initial(self) -> Hashable:
        return self._value

    def step(self, state: Any, operation: Operation) -> tuple[Hashable, Any]:
        match operation.name, operation.args:
            case "read", ():
                return state, state
            case "write", (value,):
                return value, None
            case "cas", (old, new):
                return (new, True) if state == old else (state, False)
        raise _unknown(self, operation)


class Map:
    """`get(key)` -> value or None, `put(key, value)`, `delete(key)`, `cas(key, old, new)` -> whether it was `old`."""

    def initial(self) -> Hashable:
        return EMPTY

    def part(self, operation: Operation) -> Hashable:
        """Each key is an object of its own."""
        key: Hashable = operation.args[0]
        return key

    def step(self, state: Any, operation: Operation) -> tuple[Hashable, Any]:
        match operation.name, operation.args:
            case "get", (_,):
                return state, state
            case "put", (_, value):
                return value, None
            case "delete", (_,):
                return EMPTY, None
            case "cas", (_, old, new):
                return (new, True) if state == old else (state, False)
        raise _unknown(self, operation)


class Queue(_Whole):
    """`put(value)`, `get()` -> the oldest value, or None where there is none."""

    def initial(self) -> Hashable:
        return ()

    def step(self, state: Any, operation: Operation) -> tuple[Hashable, Any]:
        match operation.name, operation.args:
            case "put", (value,):
                return (*state, value), None
            case "get", ():
                return (state[1:], state[0]) if state else (state, EMPTY)
        raise _unknown(self, operation)


class Counter(_Whole):
    """`add(number)` -> the sum after it, `read()` -> the sum."""

    def initial(self) -> Hashable:
        return 0

    def step(self, state: Any, operation: Operation) -> tuple[Hashable, Any]:
        match operation.name, operation.args:
            case "add", (number,):
                return state + number, state + number
            case "read", ():
                return state, state
        raise _unknown(self, operation)
