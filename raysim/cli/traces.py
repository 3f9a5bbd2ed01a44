"""Two traces -> the first record in which they differ. Never reads more of a file than it must.

A trace is a journal's file: records, each behind its length in four bytes, little-endian.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

_SHOWN_CHARACTERS = 400
"""Of a record's content; what differs stands in front."""


class Difference(NamedTuple):
    """The first record that is not the same, counted from one; None where a trace has ended."""

    number: int
    before: Any
    sides: tuple[Any, Any]

    def __str__(self) -> str:
        lines = [f"Record {self.number} is the first that differs."]
        if self.before is not None:
            lines.append(f"  before it, in both {_line(self.before)}")
        lines.append(f"  in the first run   {_line(self.sides[0])}")
        lines.append(f"  in the second run  {_line(self.sides[1])}")
        return "\n".join(lines)


def count_records(trace: Path) -> int:
    """How many records a trace has."""
    with trace.open("rb") as stream:
        return sum(1 for _ in _records(stream))


def first_difference(first: Path, second: Path) -> Difference | None:
    """Where two traces begin to differ; None where they are equal."""
    before: bytes | None = None
    with first.open("rb") as one, second.open("rb") as other:
        pairs = zip_longest(_records(one), _records(other))
        for number, (left, right) in enumerate(pairs, start=1):
            if left != right:
                return Difference(number, _decoded(before), (_decoded(left), _decoded(right)))
            before = left
    return None


def _records(stream: BinaryIO) -> Iterator[bytes]:
    while length := stream.read(4):
        yield stream.read(int.from_bytes(length, "little"))


def _decoded(record: bytes | None) -> Any:
    return None if record is None else msgspec.msgpack.decode(record)


def _line(record: Any) -> str:
    if record is None:
        return "has ended"
    time_ns, process, kind, what = record
    said = str(_plain(what))
    if len(said) > _SHOWN_CHARACTERS:
        said = f"{said[:_SHOWN_CHARACTERS]}..."
    return f"{time_ns / 1e9:.9f} s, {process}, {kind}: {said}"


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {_plain(key): _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value
