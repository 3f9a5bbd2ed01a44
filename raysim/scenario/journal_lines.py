"""A journal as lines of JSON, and its notes read from them. Never keeps what only a trace has: messages, timers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import msgspec

from raysim import journal as journal_module
from raysim.journal import Journal, Note, Record

NOTES: Final[dict[str, type[Note]]] = {
    name: kind
    for name, kind in vars(journal_module).items()
    if isinstance(kind, type) and issubclass(kind, Note)
}


_BYTES: Final = {
    kind: [field.name for field in msgspec.structs.fields(kind) if field.type is bytes]
    for kind in NOTES.values()
}
"""Fields that are written in hex."""


def write_journal(journal: Journal, stream: BinaryIO) -> None:
    """One record a line, oldest first: ns of the world's clock, process, kind, and what it says."""
    for record in journal.records:
        stream.write(msgspec.json.encode(_line(record)))
        stream.write(b"\n")


def read_journal(lines: Iterable[bytes]) -> Journal:
    """Its notes. Raises ValueError, KeyError or TypeError for lines of something else."""
    journal = Journal(digest=False)
    for line in lines:
        said = msgspec.json.decode(line)
        if said["kind"] == "note":
            journal.write(said["ns"], said["process"], "note", _note(said))
    return journal


def _note(said: dict[str, Any]) -> Note:
    kind, values = NOTES[said["type"]], said["what"]
    for name in _BYTES[kind]:
        values[name] = bytes.fromhex(values[name])
    return kind(**values)


def _line(record: Record) -> dict[str, object]:
    time_ns, process, kind, what = record
    head = {"ns": time_ns, "process": process, "kind": kind, "type": type(what).__name__}
    return head | {"what": _plain(what)}


def _plain(value: Any) -> object:
    """Values that JSON knows; ids and other bytes in hex, as they are shown everywhere."""
    match value:
        case bytes():
            return value.hex()
        case msgspec.Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case str() | int() | float() | None:
            return value
        case _:
            return repr(value)
