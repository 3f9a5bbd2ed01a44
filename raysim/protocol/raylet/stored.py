"""A node's copy of an object: in memory, on disk, or both. Never a decision."""

from collections.abc import Sequence
from typing import Final

import msgspec

from raysim.spec.address import Address
from raysim.spec.ids import ObjectId, WorkerId

NOWHERE: Final = -1
"""The handle of what is not in memory."""


class SpillFile:
    """Objects that were written together. The file goes with the last of them. Sizes in bytes."""

    __slots__ = ("number", "objects", "reads", "size", "start_ns")

    def __init__(self, number: int, size: int, start_ns: int) -> None:
        self.number = number
        self.size = size
        self.start_ns = start_ns
        self.objects = 0
        """Of which this is the copy on disk."""
        self.reads = 0
        """Under way."""


class OnDisk(msgspec.Struct, frozen=True, gc=False):
    """Where in which file an object begins, and the checksums of its parts."""

    file: SpillFile
    position: int
    checksums: Sequence[int]


class StoredObject(msgspec.Struct, gc=False):
    """A sealed copy. Sizes in bytes."""

    object_id: ObjectId
    handle: int
    """NOWHERE: on disk only."""
    size: int
    owner: Address
    primary: bool
    creator: WorkerId | None = None
    """The process that sealed it; None for a copy that was pulled."""
    pins: int = 0
    freed: bool = False
    """Goes with its last pin; nobody new is given it."""
    on_disk: OnDisk | None = None
    writing: bool = False
    """It is on its way to the disk, and still in memory."""
    uses: int = 0
    """How often it was handed out or sent from here."""
