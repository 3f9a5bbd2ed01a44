"""What clients did and what they were told, with times: the material of a linearizability check. Never a judgement.

The words are Jepsen's: an operation is invoked, and ends as `ok` (it took place), `fail` (it did not) or `info`
(nobody knows: a time-out, a lost actor). One history serves the driver, tasks and actors of a simulation alike:
wherever it is sent, it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final
from weakref import WeakValueDictionary

import msgspec

from raysim.exceptions import RayError
from raysim.testing.clock import now_ns, who

OK, FAIL, INFO = "ok", "fail", "info"


class _Unknown:
    def __repr__(self) -> str:
        return "?"


UNKNOWN: Final = _Unknown()
"""A result that nobody looked at, or that nobody was told."""


class Operation(msgspec.Struct):
    """One operation of one client."""

    name: str
    args: tuple[Any, ...]
    process: str
    invoked: int
    """Place among all events of the history: orders what happens at one time."""
    invoked_ns: int
    kind: str = INFO
    """INFO until it has ended."""
    result: Any = UNKNOWN
    ended: int | None = None
    ended_ns: int | None = None

    def __str__(self) -> str:
        given = ", ".join(map(repr, self.args))
        result = "" if self.kind != OK else f" -> {self.result!r}"
        state = "" if self.kind == OK else f" ({self.kind})"
        end = "" if self.ended_ns is None else f"{self.ended_ns / 1e9:.6f}"
        times = f"{self.invoked_ns / 1e9:.6f} .. {end:<9} s"
        return f"{times}  {self.process}: {self.name}({given}){result}{state}"


class Invoked:
    """An operation under way, in the hands of the client that ends it: once."""

    def __init__(self, history: History, operation: Operation) -> None:
        self._history = history
        self.operation = operation

    def ok(self, result: Any = UNKNOWN) -> Any:
        """It took place, and gave this, which is handed back."""
        self._end(OK, result)
        return result

    def fail(self) -> None:
        """It certainly did not take place, and never will."""
        self._end(FAIL)

    def info(self) -> None:
        """Nobody knows whether it took place, or will yet."""
        self._end(INFO)

    def _end(self, kind: str, result: Any = UNKNOWN) -> None:
        operation = self.operation
        if operation.ended is not None:
            raise ValueError(f"this operation has ended already: {operation}")
        operation.kind = kind
        operation.result = result
        operation.ended = self._history.place()
        operation.ended_ns = now_ns()


class History:
    """All operations of one object under test, in the order of their invocations."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._places = count()
        self._number = next(_numbers)
        _known[self._number] = self

    def invoke(self, name: str, *args: Any, process: str = "") -> Invoked:
        """A client begins this; `process` says who, by default the simulated process."""
        operation = Operation(name, args, process or who(), self.place(), now_ns())
        self.operations.append(operation)
        return Invoked(self, operation)

    @contextmanager
    def operation(self, name: str, *args: Any, process: str = "") -> Iterator[Invoked]:
        """As `invoke`, for `with`: `op.ok(ray.get(...))` ends it.

        An error of Ray that leaves the block makes it `info` and goes no further, as a client goes on
        with its next operation. Any other error makes it `info` and is raised.
        """
        invoked = self.invoke(name, *args, process=process)
        try:
            yield invoked
        except RayError:
            if invoked.operation.ended is None:
                invoked.info()
        finally:
            if invoked.operation.ended is None:
                invoked.info()

    def place(self) -> int:
        """The next place in the order of events."""
        return next(self._places)

    def __reduce__(self) -> tuple[Any, ...]:
        return _find, (self._number,)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def __str__(self) -> str:
        return "\n".join(map(str, self.operations))


_numbers = count()
_known: WeakValueDictionary[int, History] = WeakValueDictionary()


def _find(number: int) -> History:
    """The history of this number: simulated processes share one real one."""
    history = _known.get(number)
    if history is None:
        raise ValueError(
            "a History is kept by the process that made it: use it in simulated programs, or in the driver only"
        )
    return history
