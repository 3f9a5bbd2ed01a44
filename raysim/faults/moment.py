"""When a fault strikes, as data. Never reads a clock."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from raysim.journal import (
    ActorNoted,
    FaultInjected,
    NodeJoined,
    NodeLost,
    Note,
    ObjectGone,
    ObjectMoved,
    ObjectRebuilt,
    ObjectRestored,
    ObjectsSpilled,
    TaskEnded,
    WorkerLost,
)
from raysim.spec.units import NANOSECONDS, parse_duration

_EVENTS: Final[dict[type[Note], str]] = {
    TaskEnded: "task_ended",
    NodeJoined: "node_joined",
    NodeLost: "node_lost",
    WorkerLost: "worker_lost",
    ObjectMoved: "object_moved",
    ObjectsSpilled: "objects_spilled",
    ObjectRestored: "object_restored",
    ObjectRebuilt: "object_rebuilt",
    ObjectGone: "object_lost",
    FaultInjected: "fault",
}
_ACTOR_STATES: Final = ("ALIVE", "RESTARTING", "DEAD")

EVENTS: Final = (*_EVENTS.values(), *(f"actor_{state.lower()}" for state in _ACTOR_STATES))
"""What a moment may wait for: what the roles note in the journal."""


def event_of(note: Note) -> str | None:
    """The event that the note tells of, if a moment can wait for it."""
    if isinstance(note, ActorNoted):
        return f"actor_{note.state.lower()}" if note.state in _ACTOR_STATES else None
    return _EVENTS.get(type(note))


class Moment(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """When a fault strikes, counted from the start of the workload.

    Either a time (`5s`), or a share (`33%`) of the expected makespan: the lower bound
    max(critical path, work / cores) of the workload on the whole, healthy cluster; or after something has
    happened (`node_lost`), for the n-th time (`task_ended*10`), and a while (`task_ended*10+5ms`).
    """

    ns: int = 0
    share: float | None = None
    event: str = ""
    count: int = 1

    def resolve(self, expected_makespan_ns: int | None) -> int:
        """Nanoseconds from the start, or from the event. Raises ValueError for a share of an unknown makespan."""
        if self.share is None:
            return self.ns
        if expected_makespan_ns is None:
            raise ValueError(
                f"at={self}: the length of this workload is not known beforehand; "
                "give a time instead, such as at=5s"
            )
        return round(self.share * expected_makespan_ns)

    def __str__(self) -> str:
        if self.share is not None:
            return f"{self.share * 100:g}%"
        if not self.event:
            return exact_duration(self.ns)
        nth = f"*{self.count}" if self.count != 1 else ""
        return f"{self.event}{nth}{f'+{exact_duration(self.ns)}' if self.ns else ''}"


def exact_duration(ns: int) -> str:
    """In the largest unit that gives it without a fraction, so that it is read back as it was."""
    if ns < 0:
        return "-" + exact_duration(-ns)
    for unit in ("h", "m", "s", "ms", "us"):
        if ns and ns % NANOSECONDS[unit] == 0:
            return f"{ns // NANOSECONDS[unit]}{unit}"
    return f"{ns}ns" if ns else "0"


_AFTER: Final = re.compile(r"([a-z]+(?:_[a-z]+)*)(?:\*([1-9]\d*))?(?:\+(.+))?")


def parse_moment(text: str) -> Moment:
    """A moment such as `5s`, `33%` or `node_lost+2s`. Raises ValueError for anything else."""
    after = _AFTER.fullmatch(text)
    if after is not None and after[1] in EVENTS:
        ns = parse_duration(after[3]) if after[3] else 0
        return Moment(ns=ns, event=after[1], count=int(after[2] or 1))
    if after is not None and "_" in after[1]:
        raise ValueError(f"{text!r}: there is no event {after[1]!r}; known are {', '.join(EVENTS)}")
    if not text.endswith("%"):
        return Moment(ns=parse_duration(text))
    try:
        percent = float(text[:-1])
    except ValueError:
        raise ValueError(f"{text!r} is not a moment; write it as 5s or 33%") from None
    if not 0 <= percent <= 100:
        raise ValueError(f"{text!r} is outside the run; write a share between 0% and 100%")
    return Moment(share=percent / 100)
