"""Objects: who owns, who borrows, where copies are, how they move."""

from enum import IntEnum

import msgspec

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import NodeId, ObjectId


class ObjectStatus(msgspec.Struct, gc=False, array_like=True):
    """What an owner says of an object that is ready: one of payload, holders, failure."""

    object_id: ObjectId
    payload: bytes | None = None
    is_error: bool = False
    holders: list[Address] = []
    """Raylets with a sealed copy."""
    size: int = 0
    failure: Failure | None = None


class ResolveObjects(Message):
    """Borrower to owner: tell me when these are ready, and what they are.

    `lost_on`: nodes whose copies the borrower found missing, so that the owner can rebuild.
    Reply: ObjectsResolved, each object once. Lost: asked again when the connection comes back.
    """

    object_ids: list[ObjectId]
    lost_on: list[NodeId] = []


class ObjectsResolved(Message):
    """Owner to borrower: these are ready.

    Lost: the borrower asks again.
    """

    objects: list[ObjectStatus]


class BorrowEpoch(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One borrow of one object by one process; a later borrow of the same object has a higher epoch."""

    object_id: ObjectId
    epoch: int


class AddBorrowers(Message):
    """Borrower to owner: I hold these references.

    Reply: BorrowersAdded. Until then whoever passed the references keeps holding them.
    Lost: with the connection; the borrower then counts the owner as dead.
    """

    borrows: list[BorrowEpoch]


class BorrowersAdded(Message):
    """Owner to borrower: noted (also for objects already gone: the get will say so).

    Lost: the borrower keeps what it would have released.
    """

    borrows: list[BorrowEpoch]


class RemoveBorrowers(Message):
    """Borrower to owner: I let go. An epoch older than one already seen is ignored.

    Reply: none. Lost: the owner lets go when the borrower is lost.
    """

    borrows: list[BorrowEpoch]


class RequestExtent(Message):
    """Process to its raylet: lend me so much of the store to write in. Size in bytes.

    Reply: ExtentLent or ExtentRefused. Lost: with the connection, and then the process ends.
    """

    number: int
    size: int


class ExtentLent(Message):
    """Raylet to process: write there; `handle` is the store's name for the place.

    Lost: with the connection; the extent is taken back with its process.
    """

    number: int
    handle: int


class ExtentRefused(Message):
    """Raylet to process: there is no room for it; the text names what fills the store.

    Lost: with the connection, and then the process ends.
    """

    number: int
    failure: Failure


class SealObject(Message):
    """Process to its raylet: the lent extent now holds this object, whole, owned by `owner`.

    The raylet pins it as the primary copy until its owner frees it. Reply: none.
    Lost: with the connection; the extent is taken back with its process.
    """

    number: int
    object_id: ObjectId
    size: int
    owner: Address


class FetchReason(IntEnum):
    """Pulls for get come before pulls for wait, and those before pulls for arguments (Ray)."""

    GET = 0
    WAIT = 1
    ARGUMENT = 2


class FetchObject(msgspec.Struct, gc=False, array_like=True):
    object_id: ObjectId
    size: int
    holders: list[Address]
    owner: Address


class FetchObjects(Message):
    """Process to its raylet: make these local and pin them for me.

    Reply: ObjectLocal or FetchFailed for each. Lost: with the connection.
    """

    reason: FetchReason
    objects: list[FetchObject]


class ObjectLocal(Message):
    """Raylet to process: it is in the store of this node, pinned for you until ReleasePins.

    Each FetchObject that is answered so counts as one pin. Lost: with the connection.
    """

    object_id: ObjectId
    handle: int
    size: int


class FetchFailed(Message):
    """Raylet to process: no holder had it; `missing_on` lists those that said so or died.

    `failure`: asking again is in vain: there is no room for a copy here, or its owner has died.
    Lost: with the connection.
    """

    object_id: ObjectId
    missing_on: list[NodeId]
    failure: Failure | None = None
    store_bytes: int = 0
    """Where there is no room: what the store has in all."""


class CancelFetches(Message):
    """Process to its raylet: these are not wanted any more. May cross the answer, whose pin is then released.

    Reply: none. Lost: a pull too many.
    """

    object_ids: list[ObjectId]


class ReleasePins(Message):
    """Process to its raylet: one pin less on each.

    Reply: none. Lost: pins go with their process.
    """

    object_ids: list[ObjectId]


class FreeObjects(Message):
    """Owner to raylets with a copy: nothing refers to these any more.

    Reply: none; a pinned copy goes with its last pin. Lost: the copy goes when the owner is lost.
    """

    object_ids: list[ObjectId]


class CopyAdded(Message):
    """Raylet to owner: this node has a copy now.

    Reply: none, or FreeObjects if the object is gone already. Lost: the copy stays unknown, and goes
    when the owner is lost.
    """

    object_id: ObjectId
    raylet: Address


class CopyRemoved(Message):
    """Raylet to owner: this node's copy was evicted or lost. `why`: how it was lost; empty: it was evicted.

    Lost: found out by the next pull.
    """

    object_id: ObjectId
    raylet: Address
    why: str = ""


class PullChunk(Message):
    """Raylet to raylet: send me this part. Offsets and lengths in bytes.

    Reply: ObjectChunk, or ChunkMissing. Lost: with the connection; another holder is asked.
    """

    object_id: ObjectId
    offset: int
    length: int


class ObjectChunk(Message):
    """Raylet to raylet: a part of an object. `data` is empty where the world carries sizes only.

    Lost: with the connection.
    """

    object_id: ObjectId
    offset: int
    length: int
    total: int
    data: bytes


class ChunkMissing(Message):
    """Raylet to raylet: I have no such object.

    Lost: with the connection.
    """

    object_id: ObjectId
