"""What led to an event: message, its sender's turn, what that answered, back to the program. Never guesses more.

Each record of a full journal has at most one cause. A message that arrives was sent. What a process sends or
notes it does in its turn: because a message arrived, or a timer was due. A timer was set in an earlier turn.
User code is part of the turn that made it go on.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from raysim.journal import FaultInjected, Journal, Record

SHOWN_CHARACTERS = 150
"""Of what a record holds."""
TURNS = ("deliver", "timer", "peer_lost")
"""Records with which a process gets its turn: the last is of a connection that broke."""


class Link(NamedTuple):
    """A record of a chain, by its number in the journal."""

    number: int
    record: Record

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
        self._turns: list[int | None] = []
        """Of each record, the turn of its process that it is part of."""
        self._index()

    def _index(self) -> None:
        """Messages of one connection with the same content arrive in the order of their sending."""
        under_way: dict[tuple[str, str, bytes], deque[int]] = defaultdict(deque)
        encode = msgspec.msgpack.Encoder(enc_hook=repr).encode
        last: dict[str, int] = {}
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
            if kind in TURNS:
                last[process] = number

    def of(self, number: int) -> int | None:
        kind = self._records[number][2]
        if kind in ("deliver", "drop"):
            return self._sent.get(number)
        if kind == "timer":
            return self._before(number)
        if kind == "peer_lost":
            return self._end_of(number)
        return self._turns[number]

    def _end_of(self, number: int) -> int | None:
        """The last that the peer did, or the fault that struck since."""
        peer = self._records[number][3]
        for earlier in range(number - 1, -1, -1):
            _, process, _, what = self._records[earlier]
            if process == peer or isinstance(what, FaultInjected):
                return earlier
        return None

    def _before(self, number: int) -> int | None:
        """The turn in which the timer was set."""
        _, process, _, what = self._records[number]
        _, count = _pair(what)
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
    if kind == "note":
        text = f"notes {_plain(msgspec.to_builtins(what, enc_hook=repr, builtin_types=(bytes,)))}"
    elif kind == "peer_lost":
        text = f"sees that {what} is gone"
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
