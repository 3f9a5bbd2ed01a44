"""What a run wrote down: notes of roles, messages and timers of hosts. Never an interpretation: see report, checks.

A host writes one record per message, timer and note at the level that was asked for. Readers get
plain tuples; a digest over them tells two runs apart.
"""

from collections.abc import Callable
from enum import IntEnum
from hashlib import blake2b
from typing import BinaryIO, TypeAlias, TypeVar, dataclass_transform

import msgspec


class Level(IntEnum):
    """How much a journal holds."""

    OFF = 0
    NOTES = 1
    """What roles note: tasks, actors, objects, nodes."""
    ALL = 2
    """Every message and timer as well."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Note(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Something that a role did or learned, worth a place in reports and checks."""


_N = TypeVar("_N", bound=Note)


class TaskEnded(Note):
    """An attempt of a task ended, as its owner saw it. Times in ns of the world's clock."""

    task_id: bytes
    name: str
    attempt: int
    status: str
    """`finished`, `failed`, `cancelled`, or `retried` (this attempt failed, another follows)."""
    submitted_ns: int
    pushed_ns: int
    start_ns: int
    end_ns: int
    node_id: bytes
    worker_id: bytes
    reason: str = ""


class NodeJoined(Note):
    node_id: bytes
    name: str
    cpus: float


class NodeLost(Note):
    node_id: bytes
    name: str
    reason: str


class WorkerLost(Note):
    node_id: bytes
    worker_id: bytes
    reason: str


class ActorNoted(Note):
    """An actor changed its state."""

    actor_id: bytes
    name: str
    state: str
    incarnation: int
    node_id: bytes


class Infeasible(Note):
    """No node could ever run something that waits: for people to read."""

    text: str


class PlacementGroupNoted(Note):
    """A placement group changed its state."""

    group_id: bytes
    name: str
    state: str


class ObjectMoved(Note):
    """A pull ended: a node has a copy that came from another. Size in bytes."""

    object_id: bytes
    source: bytes
    target: bytes
    size: int
    start_ns: int


class ObjectsSpilled(Note):
    """A node has written objects to one file of its disk. Size in bytes."""

    node_id: bytes
    objects: int
    size: int
    start_ns: int


class ObjectRestored(Note):
    """A node has read an object back from its disk. Size in bytes."""

    object_id: bytes
    node_id: bytes
    size: int
    start_ns: int


class ObjectRebuilt(Note):
    """All copies were lost; the task that made it runs again."""

    object_id: bytes


class ObjectGone(Note):
    """All copies were lost, and it cannot be rebuilt."""

    object_id: bytes
    reason: str


class Escaped(Note):
    """Simulated code did something that is not simulated: for people to read."""

    what: str
    place: str
    """File and line."""


class FaultInjected(Note):
    kind: str
    target: str


class CommitBroken(Note):
    """The GCS ended in a commit: what it noted at this instant has not happened, or in part only."""


Record: TypeAlias = tuple[int, str, str, object]
"""Time in ns, process name, kind, and what it is of: a `note`; of a `send`, `deliver` or `drop` the other process and
the message; of a `timer` its name and how many records there were when it was set; of an `end` its reason, and who
brought it about when there were how many records; of a `peer_lost` the peer and the record of its end."""


class Journal:
    """Keeps records in memory, hands them to a sink, and digests them as they come."""

    def __init__(
        self,
        level: Level = Level.NOTES,
        sink: BinaryIO | None = None,
        keep: bool = True,
        digest: bool = True,
        most_attempts: int | None = None,
    ) -> None:
        """`most_attempts`: of those of tasks, only the first so many are kept in memory."""
        self.level = level
        self.records: list[Record] = []
        self._sink = sink
        self._keep = keep
        self._most_attempts = most_attempts
        self.attempts = 0
        """Of tasks, also those that are not kept."""
        self.messages: int | None = None
        """How many its world carried, once that has ended; None: it does not count them."""
        self._followers: list[Callable[[object], None]] = []
        self._digest = blake2b(digest_size=16) if digest else None
        self._encode: Callable[[object], bytes] = msgspec.msgpack.Encoder(enc_hook=repr).encode
        self.count = 0

    def write(self, time_ns: int, process: str, kind: str, what: object) -> None:
        self.count += 1
        record = (time_ns, process, kind, what)
        if kind == "note":
            for follower in self._followers:
                follower(what)
        if self._keep and (type(what) is not TaskEnded or self._keeps_one_more()):
            self.records.append(record)
        if self._digest is not None or self._sink is not None:
            line = self._encode(record)
            if self._digest is not None:
                self._digest.update(line)
            if self._sink is not None:
                self._sink.write(len(line).to_bytes(4, "little") + line)

    def _keeps_one_more(self) -> bool:
        self.attempts += 1
        return self._most_attempts is None or self.attempts <= self._most_attempts

    def forget(self) -> None:
        """What was written so far was preparation; the digest, the sink and followers have had it."""
        self.records.clear()
        self.attempts = 0

    def follow(self, follower: Callable[[object], None]) -> None:
        """Tell it of each note that is kept, and of each that is yet to come."""
        for _, _, kind, what in self.records:
            if kind == "note":
                follower(what)
        self._followers.append(follower)

    def digest(self) -> str | None:
        """Hex digest of all records so far, or None if it is not kept."""
        return self._digest.hexdigest() if self._digest is not None else None

    def notes(self, kind: type[_N]) -> list[_N]:
        return [what for _, _, _, what in self.records if isinstance(what, kind)]
