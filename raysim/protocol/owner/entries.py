"""What a process knows of one object: its state, its value if that is small, who refers to it. Never a decision.

The counts of an entry: `local` (Python references), `uses` (arguments of calls under way), `held`
(inside values of owned objects that are in scope, and of returns on their way), `lineage` (retained
calls that could run again; these keep the entry and the call that made it, not the value).
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec

from raysim.protocol.messages import ContainedRef
from raysim.protocol.owner.records import TaskRecord
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ObjectId


class ObjectState(IntEnum):
    PENDING = 0
    INLINE = 1
    STORED = 2
    FAILED = 3
    FREED = 4
    """Owned, out of scope, kept as a step of some lineage."""


PENDING: Final = ObjectState.PENDING
INLINE: Final = ObjectState.INLINE
STORED: Final = ObjectState.STORED
FREED: Final = ObjectState.FREED
"""For what every call does: to look a member up in its class takes ten times as long in Python 3.11."""


class Entry(msgspec.Struct, gc=False):
    """One object as this process knows it. `owner` None: this process owns it."""

    object_id: ObjectId
    owner: Address | None = None
    state: ObjectState = ObjectState.PENDING
    payload: bytes | None = None
    is_error: bool = False
    failure: Failure | None = None
    size: int = 0
    holders: tuple[Address, ...] = ()
    contained: Sequence[ContainedRef] = ()
    local: int = 0
    uses: int = 0
    held: int = 0
    lineage: int = 0
    borrowed: int = 0
    """Owned: registered borrowers."""
    epoch: int = -1
    """Borrowed: of the registration, or -1 where this process is no borrower."""
    task: TaskRecord | None = None
    """Owned: the call that made it and could make it again."""
    seen: bool = False
    """Somebody asked for the value, or was told that it is an error."""

    @property
    def ready(self) -> bool:
        return self.state != ObjectState.PENDING

    def in_use(self) -> bool:
        return (self.local or self.uses or self.held or self.borrowed) != 0
