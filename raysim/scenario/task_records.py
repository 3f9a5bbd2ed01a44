"""How the tasks of a run went, in columns: a million of them take 50 MB. Never an object for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from math import isnan, nan
from typing import Final, overload

import msgspec

NOWHERE: Final = -1
"""In the column of nodes: it is not known on which one."""


class Span(msgspec.Struct, frozen=True):
    """From when to when, in seconds from the workload's start."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Seconds between the two."""
        return self.end_s - self.start_s


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How one task of the workload went; `ran` is the execution that completed, if one did."""

    id: str
    name: str
    submitted_s: float
    ran: Span | None = None
    cores: float = 1
    node: str | None = None
    attempts: int = 1
    error: str | None = None


class Records(Sequence[TaskRecord]):
    """A record for each task; the columns are what many of them are read by.

    `ids` and `names` may be made when they are asked for. `start_s` and `end_s` are those of the
    execution that completed, and not a number where none did.
    """

    def __init__(self, ids: Sequence[str], names: Sequence[str]) -> None:
        self.ids = ids
        self.names = names
        self.submitted_s = array("d")
        self.ready_s: Sequence[float] = self.submitted_s
        """When the last thing that it waits for was there: where tasks wait for each other, another column."""
        self.start_s = array("d")
        self.end_s = array("d")
        self.pushed_s = array("d")
        """When it was sent to its worker; not a number where that is not known."""
        self.cores = array("d")
        self.gpus: Sequence[float] | None = None
        """Of each task; None: none of them has any."""
        self.attempts = array("i")
        self.stage = array("i")
        """Index in `stages`: tasks of one stage run under one name."""
        self.stages: list[str] = []
        self._node = array("i")
        self._nodes: list[str] = []
        self._errors: dict[int, str] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def add(
        self,
        submitted_s: float,
        start_s: float = nan,
        end_s: float = nan,
        cores: float = 1,
        attempts: int = 1,
        node: str | None = None,
        error: str | None = None,
        stage: str = "",
        pushed_s: float = nan,
    ) -> None:
        """The next task, in the order of `ids`."""
        if error is not None:
            self._errors[len(self.submitted_s)] = error
        self.submitted_s.append(submitted_s)
        self.start_s.append(start_s)
        self.end_s.append(end_s)
        self.pushed_s.append(pushed_s)
        self.cores.append(cores)
        self.attempts.append(attempts)
        self.stage.append(self._number("stage", stage, self.stages))
        self._node.append(NOWHERE if node is None else self._number("node", node, self._nodes))

    def _number(self, kind: str, name: str, names: list[str]) -> int:
        number = self._numbers.get((kind, name))
        if number is None:
            number = self._numbers[kind, name] = len(names)
            names.append(name)
        return number

    def __len__(self) -> int:
        return len(self.submitted_s)

    @overload
    def __getitem__(self, index: int) -> TaskRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[TaskRecord]: ...
    def __getitem__(self, index: int | slice) -> TaskRecord | list[TaskRecord]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        start_s, end_s, node = self.start_s[index], self.end_s[index], self._node[index]
        return TaskRecord(
            id=self.ids[index],
            name=self.names[index],
            submitted_s=self.submitted_s[index],
            ran=None if isnan(end_s) else Span(start_s, end_s),
            cores=self.cores[index],
            node=None if node == NOWHERE else self._nodes[node],
            attempts=self.attempts[index],
            error=self._errors.get(index % len(self)),
        )

    def __iter__(self) -> Iterator[TaskRecord]:
        return (self[index] for index in range(len(self)))

    def nodes(self) -> Iterator[str | None]:
        """Of each task, where it ran; None: nowhere that is known."""
        return (None if node == NOWHERE else self._nodes[node] for node in self._node)

    def errors(self) -> Iterator[str | None]:
        """Of each task, why it did not complete; None: it did."""
        return (self._errors.get(index) for index in range(len(self)))

    @property
    def failed(self) -> int:
        """Tasks of which no execution completed."""
        return sum(map(isnan, self.end_s))

    def completed(self) -> Iterator[tuple[float, float, float]]:
        """(start, end, cores) of the tasks that did, in seconds."""
        return self.held(self.cores)

    def held(self, amounts: Sequence[float]) -> Iterator[tuple[float, float, float]]:
        """(from, to, how much) of what completed tasks held, of which these are the amounts."""
        for start_s, end_s, amount in zip(self.start_s, self.end_s, amounts, strict=True):
            if end_s == end_s:  # It is a number.
                yield start_s, end_s, amount
