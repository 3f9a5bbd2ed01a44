"""A random program as data: what it does, one operation after the other, and how it is sampled. Never runs one.

Any part of a program is a program: an operation that refers to one that was taken out does without it.
So a failing program shrinks by taking operations out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from raysim.tape import Draws, Tape

TASK, NESTED, TREE, PUT, BOOM = "task", "nested", "tree", "put", "boom"
ACTOR, CALL, KEEP, GIVE, KILL = "actor", "call", "keep", "give", "kill"
STREAM, INNER, THROUGH, RELAY, CANCEL = "stream", "inner", "through", "relay", "cancel"
GROUP, UNGROUP = "group", "ungroup"
GET, WAIT, DROP, SLEEP = "get", "wait", "drop", "sleep"

GIVES_NUMBER: Final = (TASK, NESTED, TREE, PUT, BOOM, CALL)
"""Operations whose result is a number that others may take as an argument."""

_SECONDS: Final = (0.0, 0.001, 0.02, 0.2, 1.0)
_SIZES: Final = (10, 10, 150_000, 400_000)
"""Bytes of a value: within a message, or in the object store."""

_WEIGHTS: Final = {
    TASK: 16, NESTED: 6, TREE: 7, PUT: 4, BOOM: 1, ACTOR: 3, CALL: 9, KEEP: 3, GIVE: 3, KILL: 1,
    STREAM: 2, INNER: 2, THROUGH: 3, RELAY: 2, GROUP: 2, UNGROUP: 1, CANCEL: 2, GET: 3, WAIT: 2, DROP: 3, SLEEP: 4,
}  # fmt: skip
"""How often each is drawn. The first is the simplest."""

PLACED: Final = (TASK, NESTED, TREE, ACTOR, STREAM)
"""Operations that may say where."""

PLACES: Final = {
    "": 18, "no hdd": 2, "not in b": 2, "hard labels": 2, "best in b": 1, "spread": 1, "head": 1, "near": 1,
}  # fmt: skip
"""How often each is drawn."""

STRATEGIES: Final = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")


class Op(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation of the driver. `number` names it, and is its own part of what it gives."""

    number: int
    kind: str
    picks: tuple[int, ...] = ()
    """Operations whose results it takes."""
    actor: int = -1
    """The operation that made the actor it is about."""
    seconds: float = 0.0
    size: int = 10
    count: int = 1
    """Children, items, tasks, or CPUs, as the kind has it."""
    flag: bool = False
    """Fragile task, tree of two levels, forced cancellation, kill for good, threaded actor, consumed
    at once, made by a task of the task."""
    word: str = ""
    """Of a group: its strategy."""
    place: str = ""
    """Where it may run, or the children of a tree: see places. Empty: anywhere."""


Program = tuple[Op, ...]


class _Sampler:
    def __init__(self, draws: Draws, places: Draws) -> None:
        self.draws = draws
        self.places = places
        self.numbers: list[int] = []
        """Operations that give a number."""
        self.actors: list[int] = []
        self.inner: list[int] = []
        self.groups: list[int] = []

    def op(self, number: int) -> Op:
        kind = self.draws.weighted(_WEIGHTS)
        made = _MAKE[kind](self, number)
        if made is None:
            made = self._task(number)
        if made.kind in PLACED:
            made = msgspec.structs.replace(made, place=self.places.weighted(PLACES))
        if made.kind in GIVES_NUMBER:
            self.numbers.append(number)
        return made

    def _picks(self, most: int) -> tuple[int, ...]:
        """Of the latest more often than of old ones."""
        known = self.numbers[-12:]
        if not known:
            return ()
        count = self.draws.between(0, most)
        return tuple(known[-1 - self.draws.below(len(known))] for _ in range(count))

    def _task(self, number: int) -> Op:
        draws = self.draws
        return Op(
            number,
            TASK,
            self._picks(3),
            seconds=draws.one_of(_SECONDS),
            size=draws.one_of(_SIZES),
            flag=draws.chance(0.1),
        )

    def _nested(self, number: int) -> Op:
        return Op(number, NESTED, self._picks(3), seconds=self.draws.one_of(_SECONDS))

    def _tree(self, number: int) -> Op:
        draws = self.draws
        return Op(
            number,
            TREE,
            seconds=draws.one_of(_SECONDS),
            count=draws.between(1, 3),
            flag=draws.chance(0.3),
        )

    def _put(self, number: int) -> Op:
        return Op(number, PUT, size=self.draws.one_of(_SIZES))

    def _boom(self, number: int) -> Op:
        return Op(number, BOOM, self._picks(1))

    def _actor(self, number: int) -> Op:
        if len(self.actors) >= 3:
            return self._call(number) or self._task(number)
        self.actors.append(number)
        return Op(number, ACTOR, flag=self.draws.chance(0.2))

    def _call(self, number: int) -> Op | None:
        if not self.actors:
            return None
        draws = self.draws
        return Op(
            number,
            CALL,
            self._picks(2),
            draws.one_of(self.actors),
            draws.one_of(_SECONDS[:-1]),
            draws.one_of(_SIZES),
        )

    def _keep(self, number: int) -> Op | None:
        if not self.actors or not self.numbers:
            return None
        return Op(number, KEEP, self._picks(2)[:1], self.draws.one_of(self.actors))

    def _give(self, number: int) -> Op | None:
        return Op(number, GIVE, actor=self.draws.one_of(self.actors)) if self.actors else None

    def _kill(self, number: int) -> Op | None:
        if not self.actors:
            return None
        actor, for_good = self.draws.one_of(self.actors), self.draws.chance(0.4)
        return Op(number, KILL, actor=actor, flag=for_good)

    def _stream(self, number: int) -> Op:
        draws = self.draws
        return Op(
            number,
            STREAM,
            seconds=draws.one_of(_SECONDS[:3]),
            size=draws.one_of(_SIZES),
            count=draws.between(1, 5),
            flag=draws.chance(0.3),
        )

    def _inner(self, number: int) -> Op:
        self.inner.append(number)
        draws = self.draws
        size, fetched = draws.one_of(_SIZES), draws.chance(0.5)
        seconds = draws.one_of(_SECONDS[:3]) if fetched else 0.0
        return Op(number, INNER, seconds=seconds, size=size, flag=fetched)

    def _through(self, number: int) -> Op | None:
        if not self.inner:
            return None
        draws = self.draws
        inner = draws.one_of(self.inner)
        self.inner.append(number)
        return Op(
            number, THROUGH, (inner,), seconds=draws.one_of(_SECONDS), size=draws.one_of(_SIZES)
        )

    def _relay(self, number: int) -> Op | None:
        if not self.inner:
            return None
        draws = self.draws
        return Op(number, RELAY, (draws.one_of(self.inner),), seconds=draws.one_of(_SECONDS))

    def _ungroup(self, number: int) -> Op | None:
        """Perhaps before it has its bundles."""
        return Op(number, UNGROUP, (self.groups[-1],)) if self.groups else None

    def _group(self, number: int) -> Op:
        draws = self.draws
        self.groups.append(number)
        return Op(
            number,
            GROUP,
            seconds=draws.one_of(_SECONDS[:3]),
            count=draws.between(1, 3),
            word=draws.one_of(STRATEGIES),
        )

    def _cancel(self, number: int) -> Op | None:
        if not self.numbers:
            return None
        pick = self.numbers[-1 - self.draws.below(min(4, len(self.numbers)))]
        return Op(number, CANCEL, (pick,), flag=self.draws.chance(0.3))

    def _get(self, number: int) -> Op:
        return Op(number, GET, self._picks(3), seconds=self.draws.one_of((5.0, 0.1, 0.0)))

    def _wait(self, number: int) -> Op:
        return Op(number, WAIT, self._picks(4), seconds=self.draws.one_of((1.0, 0.01)))

    def _drop(self, number: int) -> Op:
        """Of references within results the latest, which may be on its way to somebody."""
        latest = self.inner[-1:] if self.draws.chance(0.5) else []
        return Op(number, DROP, (*self._picks(2), *latest))

    def _sleep(self, number: int) -> Op:
        return Op(number, SLEEP, seconds=self.draws.one_of((0.01, 0.1, 0.5, 2.0)))


_MAKE: Final[dict[str, Callable[[_Sampler, int], Op | None]]] = {
    kind: getattr(_Sampler, f"_{kind}") for kind in _WEIGHTS
}


def sample_program(tape: Tape, operations: int) -> Program:
    """So many operations."""
    sampler = _Sampler(Draws(tape, "workload"), Draws(tape, "workload: places"))
    return tuple(sampler.op(number) for number in range(operations))
