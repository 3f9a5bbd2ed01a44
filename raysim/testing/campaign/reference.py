"""What a program has to give: each operation's value, and the errors that it may end in instead. Never runs it.

An error is named by its kind. One that an operation may end in, those that take its result may as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from raysim import exceptions
from raysim.task_error import RayTaskError
from raysim.testing.campaign import operations as ops
from raysim.testing.campaign.operations import Op, Program
from raysim.testing.campaign.remote import Boom

BOOM, CANCELLED, KILLED, CRASHED, OWNER, LOST, GROUP = (
    "boom", "cancelled", "killed", "crashed", "owner died", "lost", "group removed",
)  # fmt: skip

NEVER: Final = "freed"
"""A reference that is held is never freed, as no operation of a program frees by hand; but see `expect`."""

_KINDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (Boom, BOOM),
    (exceptions.TaskCancelledError, CANCELLED),
    (exceptions.RayActorError, KILLED),
    (exceptions.WorkerCrashedError, CRASHED),
    (exceptions.NodeDiedError, CRASHED),
    (exceptions.LocalRayletDiedError, CRASHED),
    (exceptions.ObjectFreedError, NEVER),
    (exceptions.OwnerDiedError, OWNER),
    (exceptions.ObjectLostError, LOST),
    (exceptions.TaskPlacementGroupRemoved, GROUP),
)


class Expected(msgspec.Struct, frozen=True):
    """Of one operation."""

    value: int = 0
    may: frozenset[str] = frozenset()
    """Kinds of error that it may end in."""
    must: bool = False
    """It ends in one of them for certain."""
    taken: int = 0
    """The total of what it was given."""
    by_actor: bool = False
    """An actor has to run for it, perhaps again."""


def kind_of(error: BaseException) -> str:
    """Of an error as `get` raises it; the name of its class where it is none that a program may end in."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        return kind_of(error.cause)
    for kind, name in _KINDS:
        if isinstance(error, kind):
            return name
    return type(error).__name__


def expect(
    program: Program, faults: bool, loses_spilled: bool = False, cuts: bool = False
) -> dict[int, Expected]:
    """By the operation's number. `faults`: whether processes may be lost; `loses_spilled`: objects on disk as well;
    `cuts`: processes may not hear of each other for long."""
    rough = faults or any(map(_ends_workers, program))
    cancelled = {pick for op in program if op.kind == ops.CANCEL for pick in op.picks}
    dropped = {pick for op in program if op.kind == ops.DROP for pick in op.picks}
    let_go = {op.number for op in program if op.kind == ops.PUT and op.number in dropped}
    """Nobody can make these again once nobody refers to them, though a lost result may need them (as in Ray)."""
    killed = {op.actor for op in program if op.kind == ops.KILL and op.flag}
    found: dict[int, Expected] = {}
    here: dict[int, Expected] = {}
    """Of what the program still refers to."""
    actors = set()
    for op in program:
        parts = [here[pick] for pick in op.picks if pick in here]
        if op.kind == ops.DROP:
            for pick in op.picks:
                here.pop(pick, None)
        elif op.kind == ops.ACTOR:
            actors.add(op.number)
        elif (op.actor < 0 or op.actor in actors) and (op.kind not in _OF_BOXES or parts):
            may = {kind for part in parts for kind in part.may}
            may |= _own(op, rough, op.actor in killed)
            if op.kind == ops.PUT and loses_spilled:
                may.add(LOST)
            if faults and not let_go.isdisjoint(op.picks):
                may.add(LOST)
            if rough and cuts and OWNER in may:
                may.add(
                    NEVER
                )  # Who passed a reference on ended before its receiver could say that it has it.
            if op.number in cancelled:
                may |= {CANCELLED, LOST}
            takes = op.kind != ops.KEEP  # Which is given references, whatever they come to.
            must = op.kind == ops.BOOM or (takes and any(part.must for part in parts))
            by_actor = op.actor >= 0 or any(part.by_actor for part in parts)
            if op.kind == ops.KEEP:
                parts = [part for part in parts if not part.by_actor]
            value, taken = _value(op, parts), _total(parts)
            here[op.number] = Expected(value, frozenset(may), must, taken, by_actor)
            found[op.number] = here[op.number]
    return found


def _ends_workers(op: Op) -> bool:
    """The removal of a group ends those that work in it, and what they own goes with them."""
    return op.kind in (ops.KILL, ops.GROUP) or (op.flag and op.kind == ops.CANCEL)


def _own(op: Op, rough: bool, killed: bool) -> set[str]:
    """What this operation adds by itself."""
    may: set[str] = set()
    if op.kind == ops.BOOM:
        may.add(BOOM)
    if killed:
        may |= {KILLED, LOST}
    if op.kind == ops.GROUP:
        may |= {GROUP, LOST}
    if rough and op.kind == ops.TASK and op.flag:
        may |= {CRASHED, LOST}
    if rough and (op.kind == ops.INNER or op.kind in _OF_BOXES):
        may |= {OWNER, LOST}
    return may


def _value(op: Op, parts: list[Expected]) -> int:
    if op.kind == ops.TREE:
        below = op.number * (1 + op.count)
        return op.number + op.count * below if op.flag else below
    if op.kind == ops.THROUGH:
        return _total(parts)
    return op.number if op.kind == ops.KEEP else op.number + _total(parts)


_OF_BOXES: Final = (ops.THROUGH, ops.RELAY)
"""They do nothing without one."""


def _total(parts: list[Expected]) -> int:
    return sum(part.value for part in parts)


def wrong(expected: Expected, outcome: int | str) -> str:
    """What is wrong with an outcome, a value or a kind of error; empty: nothing."""
    if isinstance(outcome, str):
        if outcome in expected.may:
            return ""
        allowed = ", ".join(sorted(expected.may)) or "none"
        return f"ended in an error of kind {outcome!r}; allowed are: {allowed}"
    if expected.must:
        return f"gave {outcome}, and had to end in an error"
    return "" if outcome == expected.value else f"gave {outcome} instead of {expected.value}"


def kept(program: Program, expected: Mapping[int, Expected], actor: int) -> dict[int, int]:
    """What an actor was given to keep: the total, by the operation that gave it."""
    return {
        op.number: expected[op.number].taken
        for op in program
        if op.kind == ops.KEEP and op.actor == actor and op.number in expected
    }


def out_of_order(
    ran: Iterable[Sequence[int]], made_again: Collection[int]
) -> Iterator[tuple[int, int]]:
    """Calls that an actor ran after a later one, with that one. `made_again`: calls that may come at any time.

    A call that one process of the actor ran twice was tried again.
    """
    for numbers in ran:
        in_turn = [number for number in dict.fromkeys(numbers) if number not in made_again]
        latest = -1
        for number in in_turn:
            if number < latest:
                yield number, latest
            latest = max(latest, number)
