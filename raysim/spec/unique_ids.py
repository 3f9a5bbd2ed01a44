"""Ids as programs see them: Ray's classes around the bytes of `raysim.spec.ids`. Never in messages.

Ids are equal when their classes and bytes are, and have no order. Ray: `includes/unique_ids.pxi`.
"""

import builtins
import logging
import struct
from collections.abc import Callable
from typing import Any, ClassVar, Final, NoReturn, Self

from raysim.spec.ids import (
    ACTOR_ID_BYTES,
    JOB_ID_BYTES,
    PLACEMENT_GROUP_ID_BYTES,
    TASK_ID_BYTES,
    UNIQUE_ID_BYTES,
    JobId,
    PlacementGroupId,
    TaskId,
    actor_of_task,
    driver_task,
    job_id,
    job_of_task,
)

_LOG: Final = logging.getLogger("raysim")
_MASK: Final = (1 << 64) - 1
_MIX: Final = 0xC6A4A7935BD1E995


def no_chance(count: int) -> NoReturn:
    """Stands for the source of chance until the API, which may have one, gives it."""
    raise RuntimeError(f"There is nothing to draw {count} bytes from: import raysim.api.ids first.")


class BaseID:
    """What all ids have in common."""

    __slots__ = ()

    _id: bytes

    bytes_long: ClassVar[int] = UNIQUE_ID_BYTES
    entropy: ClassVar[Callable[[int], bytes]] = staticmethod(no_chance)
    """Bytes that nobody can foresee (in `sim`: nobody but the seed)."""

    @classmethod
    def from_binary(cls, id_bytes: bytes) -> Self:
        """Raises ValueError for a wrong number of bytes, TypeError for what is not bytes."""
        raise NotImplementedError(
            f"{cls.__name__} is what ids have in common; make one of its kinds."
        )

    @classmethod
    def from_hex(cls, hex_id: str | bytes) -> Self:
        """The nil id, and a logged error, for what is no id in hex: as Ray does it."""
        text = hex_id.decode("ascii", "replace") if isinstance(hex_id, bytes) else hex_id
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raw = b""
        if len(raw) != cls.bytes_long:
            _LOG.error("%r is no %s in hex: it becomes nil", text, cls.__name__)
            return cls.nil()
        return cls.from_binary(raw)

    @classmethod
    def nil(cls) -> Self:
        """Stands for no id."""
        return cls.from_binary(b"\xff" * cls.bytes_long)

    @classmethod
    def size(cls) -> int:
        """Bytes of an id."""
        return cls.bytes_long

    def binary(self) -> bytes:
        return self._id

    def hex(self) -> str:
        return self._id.hex()

    def is_nil(self) -> bool:
        return self._id == b"\xff" * len(self._id)

    def redis_shard_hash(self) -> int:
        """64 bits of the id's bytes by MurmurHash64A."""
        return murmur_hash(self._id)

    def __bytes__(self) -> bytes:
        return self._id

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._id == other._id

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._id,)


class OnlyID(BaseID):
    """Those that are their bytes, and nothing else."""

    __slots__ = ("_id",)

    def __init__(self, id: bytes) -> None:
        self._id = checked(id, self.bytes_long)

    @classmethod
    def from_binary(cls, id_bytes: bytes) -> Self:
        return cls(id_bytes)


class RandomID(BaseID):
    """Ids that programs may draw."""

    __slots__ = ()

    @classmethod
    def from_random(cls) -> Self:
        return cls.from_binary(cls.entropy(cls.bytes_long))


class UniqueID(OnlyID, RandomID):
    """28 bytes. The base of those that say of themselves only what they are."""

    __slots__ = ()


class NodeID(UniqueID):
    """Of a node of the cluster."""

    __slots__ = ()


class WorkerID(UniqueID):
    """Of a process: a driver, or a worker."""

    __slots__ = ()


class FunctionID(UniqueID):
    """Of a remote function."""

    __slots__ = ()


class ActorClassID(UniqueID):
    """Of an actor class."""

    __slots__ = ()


class JobID(OnlyID):
    """4 bytes: the number of a job of the cluster, from 1."""

    __slots__ = ()

    bytes_long = JOB_ID_BYTES

    @classmethod
    def from_int(cls, value: builtins.int) -> Self:
        assert value < 1 << 8 * JOB_ID_BYTES, "Maximum JobID integer is 2**32 - 1."
        return cls(job_id(value))

    def int(self) -> builtins.int:
        return builtins.int.from_bytes(self._id, "little")


class ActorID(OnlyID, RandomID):
    """16 bytes, the last 4 of them the job's id."""

    __slots__ = ()

    bytes_long = ACTOR_ID_BYTES

    @property
    def job_id(self) -> JobID:
        return JobID(self._id[-JOB_ID_BYTES:])


class TaskID(OnlyID):
    """24 bytes, the last 16 of them the actor's id (of a task of none: nil, and the job's id)."""

    __slots__ = ()

    bytes_long = TASK_ID_BYTES

    @classmethod
    def for_driver_task(cls, job_id: JobID) -> Self:
        """The task that a driver counts as."""
        return cls(driver_task(JobId(job_id.binary())))

    def actor_id(self) -> ActorID:
        return ActorID(actor_of_task(TaskId(self._id)))

    def job_id(self) -> JobID:
        return JobID(job_of_task(TaskId(self._id)))


class PlacementGroupID(OnlyID, RandomID):
    """18 bytes, the last 4 of them the job's id."""

    __slots__ = ()

    bytes_long = PLACEMENT_GROUP_ID_BYTES

    def binary(self) -> PlacementGroupId:
        return PlacementGroupId(self._id)


def checked(raw: Any, size: int) -> bytes:
    """Raises TypeError for what is not bytes, ValueError for another number of them."""
    if not isinstance(raw, bytes):
        raise TypeError(f"Unsupported type: {type(raw)}, expected bytes")
    if len(raw) != size:
        raise ValueError(f"ID string needs to have length {size}, got {len(raw)}")
    return raw


def murmur_hash(data: bytes) -> int:
    """MurmurHash64A with seed 0, by Austin Appleby (public domain)."""
    found = len(data) * _MIX & _MASK
    whole = len(data) & ~7
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        mixed = word * _MIX & _MASK
        mixed = (mixed ^ mixed >> 47) * _MIX & _MASK
        found = (found ^ mixed) * _MIX & _MASK
    if whole < len(data):
        found = (found ^ int.from_bytes(data[whole:], "little")) * _MIX & _MASK
    found = (found ^ found >> 47) * _MIX & _MASK
    return found ^ found >> 47
