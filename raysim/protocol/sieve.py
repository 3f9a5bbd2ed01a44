"""Which attempts of calls somebody wants to see: tests of columns, and the first of those that pass. Never who asks.

So whoever has a hundred thousand makes rows of a few. Values are compared as `raysim.util.state` compares them.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar

from raysim.spec.address import NOWHERE, Address
from raysim.spec.ids import (
    TaskId,
    actor_of_task,
    is_actor_creation,
    job_of_task,
    nil_actor,
)
from raysim.spec.state import Condition


class Attempt(Protocol):
    """What can be tested: a row, or what rows are made of."""

    @property
    def task_id(self) -> TaskId: ...
    @property
    def attempt(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def worker(self) -> Address: ...


T = TypeVar("T")

BY_ID: Final = attrgetter("task_id", "attempt")

NORMAL, METHOD, CONSTRUCTOR = "NORMAL_TASK", "ACTOR_TASK", "ACTOR_CREATION_TASK"


def kind_of(task_id: TaskId) -> str:
    """Ray's `TaskType`."""
    if is_actor_creation(task_id):
        return CONSTRUCTOR
    is_normal = actor_of_task(task_id) == nil_actor(job_of_task(task_id))
    return NORMAL if is_normal else METHOD


def _actor(row: Attempt) -> bytes | None:
    return None if kind_of(row.task_id) == NORMAL else actor_of_task(row.task_id)


_TEXTS: Final[dict[str, Callable[[Any], str]]] = {
    "name": attrgetter("name"),
    "func_or_class_name": attrgetter("function"),
    "state": attrgetter("state"),
    "type": lambda row: kind_of(row.task_id),
    "error_type": attrgetter("error"),
}
_IDS: Final[dict[str, Callable[[Any], bytes | None]]] = {
    "task_id": attrgetter("task_id"),
    "job_id": lambda row: job_of_task(row.task_id),
    "actor_id": _actor,
    "node_id": lambda row: None if row.worker == NOWHERE else row.worker.node_id,
    "worker_id": lambda row: None if row.worker == NOWHERE else row.worker.worker_id,
}
_NUMBERS: Final[dict[str, Callable[[Any], int]]] = {"attempt_number": attrgetter("attempt")}

COLUMNS: Final = (*_TEXTS, *_IDS, *_NUMBERS)
"""What can be tested here. Ray's names."""

_ON_THE_WAY: Final = ("state", "node_id", "worker_id")
"""What of a call that was sent only the process knows that has it."""


_OF_A_CALL: Final = ("task_id", "job_id", "actor_id", "type", "attempt_number")
"""What calls in a row do not share."""

_SORTED_AT_ONCE: Final = 1_000


class Sieve:
    def __init__(self, tests: Iterable[Condition]) -> None:
        """Of `COLUMNS`."""
        made = [(test.column, _made(test)) for test in tests]
        self._all = [passes for _, passes in made]
        self._sure = [passes for column, passes in made if column not in _ON_THE_WAY]
        self._shared = [passes for column, passes in made if column not in _OF_A_CALL]
        self.is_shared = len(self._shared) == len(made)
        """Of calls in a row all pass, or none."""

    def passes(self, row: Attempt) -> bool:
        return all(test(row) for test in self._all)

    def passes_shared(self, row: Attempt) -> bool:
        """As far as it is the same for calls in a row."""
        return all(test(row) for test in self._shared)

    def may_pass(self, row: Attempt) -> bool:
        """Where it is, and in which state, others know."""
        return all(test(row) for test in self._sure)


def first_of(rows: Iterable[T], count: int, key: Callable[[T], Any] = BY_ID) -> tuple[list[T], int]:
    """The first so many, and how many there are."""
    if not count:
        return [], sum(1 for _ in rows)
    total = 0
    found: list[T] = []
    last: Any = None
    """Whoever comes after it is none of them. A heap of as many asks more of each that is not."""
    for row in rows:
        total += 1
        if last is None or key(row) < last:
            found.append(row)
            if len(found) >= 2 * count + _SORTED_AT_ONCE:
                found.sort(key=key)
                del found[count:]
                last = key(found[-1])
    found.sort(key=key)
    return found[:count], total


def count(rows: Iterable[Attempt]) -> dict[tuple[str, str, str], int]:
    """By name, kind and state."""
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = row.name, kind_of(row.task_id), row.state
        counts[key] = counts.get(key, 0) + 1
    return counts


def _made(test: Condition) -> Callable[[Attempt], bool]:
    column, value, equal = test.column, test.value, test.equal
    if column in _NUMBERS:
        number = _NUMBERS[column]
        return lambda row: (number(row) == value) is equal
    if column in _IDS:
        identity, wanted = _IDS[column], _bytes(str(value))
        return lambda row: (wanted is not None and identity(row) == wanted) is equal
    text, folded = _TEXTS[column], str(value).lower()

    def passes(row: Attempt) -> bool:
        shown = text(row)
        return bool(shown and shown.lower() == folded) is equal

    return passes


def _bytes(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
