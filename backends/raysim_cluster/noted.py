"""Brings what roles of other processes note into the driver's journal. Never decides what is noted."""

import time
from typing import Final, Union

import msgspec

from raysim.journal import Journal, Note
from raysim.protocol.messages import Message
from raysim.protocol.process import Handlers
from raysim.spec.address import Address


class Noted(Message):
    """Any process of the session to its driver: this was noted here. Times in ns of the machine's clock.

    Reply: none. Lost: the journal lacks it.
    """

    time_ns: int
    process: str
    note: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(
    Union[tuple(Note.__subclasses__())]  # noqa: UP007  (made at run time)
).decode


def noted(process: str, note: Note) -> Noted:
    return Noted(time.monotonic_ns(), process, _encode(note))


class JournalKeeper:
    """The driver's role beside the protocol's: writes down what the others send."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @staticmethod
    def handlers() -> Handlers["JournalKeeper"]:
        return {Noted: lambda keeper: keeper._take}

    def start(self) -> None:
        """Others begin."""

    def peer_lost(self, peer: Address) -> None:
        """What it noted is written."""

    def _take(self, sender: Address, noted: Noted) -> None:
        self._journal.write(noted.time_ns, noted.process, "note", _decode(noted.note))
