"""What led to an event: message, its sender's turn, what that answered, back to the program. Never guesses more.

Each record of a full journal has at most one cause. A message that arrives was sent. What a process sends or
notes it does in its turn: because a message arrived, a timer was due, or a peer was lost. A timer was set in an
earlier turn. A peer is lost because it ended, and it ended because a fault struck, or in the turn of whoever
ended it; so it is with a node that health checks find dead, and what is done about it. User code is part of the turn
that made it go on.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from raysim.journal import FaultInjected, Journal, NodeLost, Note, Record
from raysim.testing.notes import is_trouble, tell

FAULTS = "faults"
"""Who notes in a journal which fault struck."""
SHOWN_CHARACTERS = 150
"""Of what a record holds."""
TURNS = ("deliver", "timer", "peer_lost")
"""Records with which a process gets its turn: the last is of a connection that broke."""


class Link(NamedTuple):
    """A record of a chain, by its number in the journal."""

    number: int
    record: Record

    @property
    def is_like(self) -> tuple[str, str, object] | None:
        """Equal for one timer that is set again and again; None for what is no timer."""
        _, process, kind, what = self.record
        return (process, kind, _pair(what)[0]) if kind == "timer" else None

    def __str__(self) -> str:
        time_ns, process, kind, what = self.record
        return f"{self.number:>7}  {time_ns / 1e9:>12.6f} s  {process:<20} {_shown(kind, what)}"


def find_event(records: Sequence[Record], text: str) -> int | None:
    """A record's number, or the last one whose line has this text in it."""
    if text.isdigit():
        number = int(text)
        return number if number < len(records) else None
    for number in range(len(records) - 1, -1, -1):
        if text in str(Link(number, records[number])):
            return number
    return None


def last_trouble(records: Sequence[Record]) -> int | None:
    """The last note of something that was lost or failed; else what made the driver go on last."""
    numbers = range(len(records) - 1, -1, -1)
    notes = (at for at in numbers if isinstance(note := records[at][3], Note) and is_trouble(note))
    turns = (at for at in numbers if records[at][2] in TURNS and "/driver-" in records[at][1])
    return next(notes, next(turns, None))


def why(journal: Journal, event: int) -> list[Link]:
    """From the event back to where it began, the event first."""
    records = journal.records
    causes = _Causes(records)
    chain = [Link(event, records[event])]
    at = causes.of(event)
    while at is not None:
        chain.append(Link(at, records[at]))
        at = causes.of(at)
    return chain


class _Causes:
    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._sent: dict[int, int] = {}
        self._silent: dict[int, int] = {}
        """Of a node that was lost because it did not answer: its note, and the end of its raylet, if it has ended."""
        self._turns: list[int | None] = []
        """Of each record, the turn of its process that it is part of."""
        self._index()

    def _index(self) -> None:
        """Messages of one connection with the same content arrive in the order of their sending."""
        under_way: dict[tuple[str, str, bytes], deque[int]] = defaultdict(deque)
        encode = msgspec.msgpack.Encoder(enc_hook=repr).encode
        last: dict[str, int] = {}
        ends: dict[str, int] = {}
        for number, (_, process, kind, what) in enumerate(self._records):
            self._turns.append(last.get(process))
            if kind == "send":
                other, message = _pair(what)
                under_way[process, other, encode(message)].append(number)
            elif kind in ("deliver", "drop"):
                other, message = _pair(what)
                sent = under_way[other, process, encode(message)]
                if sent:
                    self._sent[number] = sent[0] if kind == "drop" else sent.popleft()
            elif kind == "end":
                ends[process] = number
            elif isinstance(what, NodeLost):
                raylet = f"{what.name}/raylet"
                turn = last.get(process)
                if turn is not None and self._records[turn][2] == "timer" and raylet in ends:
                    self._silent[number] = ends[raylet]
            if kind in TURNS or number in self._silent:
                last[process] = number

    def of(self, number: int) -> int | None:
        kind = self._records[number][2]
        if kind in ("deliver", "drop"):
            return self._sent.get(number)
        if kind == "timer":
            return self._before(number)
        if kind == "peer_lost":
            ended_at: int | None = _pair(self._records[number][3])[1]
            return ended_at
        if kind == "end":
            return self._ender(number)
        if number in self._silent:
            return self._silent[number]
        return self._turns[number]

    def _ender(self, number: int) -> int | None:
        """The fault that brought the end about, or the turn in which it was decided."""
        _, origin = _pair(self._records[number][3])
        if origin is None:
            return None
        by, count = origin
        after = range(count, len(self._records))
        struck = (at for at in after if isinstance(self._records[at][3], FaultInjected))
        return next(struck, None) if by == FAULTS else self._turn(by, count)

    def _before(self, number: int) -> int | None:
        """The turn in which the timer was set."""
        _, process, _, what = self._records[number]
        _, count = _pair(what)
        return self._turn(process, count)

    def _turn(self, process: str, count: int) -> int | None:
        """That the process had when there were so many records."""
        for earlier in range(count - 1, -1, -1):
            if self._records[earlier][1] == process:
                is_turn = self._records[earlier][2] in TURNS
                return earlier if is_turn else self._turns[earlier]
        return None


def _pair(what: object) -> tuple[Any, Any]:
    assert isinstance(what, tuple), f"no record of a message or a timer: {what}"
    first, second = what
    return first, second


def _shown(kind: str, what: object) -> str:
    if isinstance(what, Note):
        text = f"notes {type(what).__name__}: {tell(what)}"
    elif kind == "peer_lost":
        text = f"sees that {_pair(what)[0]} is gone"
    elif kind == "end":
        text = f"ends: {_pair(what)[0]}"
    elif kind == "timer":
        text = f"timer: {_pair(what)[0]}"
    else:
        other, message = _pair(what)
        name, *fields = message
        said = {"send": f"-> {other}", "deliver": f"<- {other}", "drop": f"lost, of {other}"}[kind]
        text = f"{said}: {name} {_plain(fields)}"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()[:12]
        case dict():
            return {_plain(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value
