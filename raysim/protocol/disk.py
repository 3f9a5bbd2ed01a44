"""What a raylet asks of its node's disk, for objects that its store has no room for. Never a decision.

A file is written once, whole, and never changed. It belongs to the node process: no world leaves one
behind, however the process ends. No call waits, and each `done` is called once, later.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

Place: TypeAlias = tuple[int, int]
"""In the store: handle and size in bytes."""


class Written(msgspec.Struct, frozen=True, gc=False):
    """What became of a file that was to be written."""

    checksums: Sequence[Sequence[int]] = ()
    """Of each place, those of its parts."""
    problem: str = ""
    """Why there is no such file."""


class PartsRead(msgspec.Struct, frozen=True, gc=False):
    """What was found where parts of a file were read."""

    checksums: Sequence[int] = ()
    data: bytes = b""
    """Empty where it went into the store, and where the world carries sizes only."""
    problem: str = ""
    """Why it could not be read."""


class SpillDisk(Protocol):
    """Numbers of files are the raylet's. Sizes and positions are bytes. Each `part_bytes` have a checksum."""

    def usage(self) -> float:
        """The part of the disk that is used, by whomever: 0 to 1."""

    def write(
        self,
        file: int,
        places: Sequence[Place],
        part_bytes: int,
        done: Callable[[Written], None],
    ) -> None:
        """Copy these places of the store into a new file, one after another. A place that is given
        back meanwhile may be written with anything: nobody reads it from the file."""

    def read(
        self,
        file: int,
        position: int,
        size: int,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        """For somebody elsewhere."""

    def fill(
        self,
        file: int,
        position: int,
        place: Place,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        """Read into a place of the store, which stays lent until `done`."""

    def delete(self, file: int) -> None:
        """Of which nothing is being read."""
