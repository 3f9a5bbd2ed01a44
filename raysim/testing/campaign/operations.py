"""A program as data: what it does, one operation after the other. Never runs one, never draws one: see sampling.

Any part of a program is a program: an operation that refers to one that was taken out does without it.
So a failing program shrinks by taking operations out.
"""

from __future__ import annotations

from typing import Final

import msgspec

TASK, NESTED, TREE, PUT, BOOM = "task", "nested", "tree", "put", "boom"
ACTOR, CALL, KEEP, GIVE, KILL = "actor", "call", "keep", "give", "kill"
STREAM, INNER, THROUGH, RELAY, CANCEL = "stream", "inner", "through", "relay", "cancel"
GROUP, UNGROUP = "group", "ungroup"
GET, WAIT, DROP, SLEEP = "get", "wait", "drop", "sleep"

GIVES_NUMBER: Final = (TASK, NESTED, TREE, PUT, BOOM, CALL)
"""Operations whose result is a number that others may take as an argument."""

PLACED: Final = (TASK, NESTED, TREE, ACTOR, STREAM)
"""Operations that may say where."""

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
