"""What a restarted GCS knows again: rows for nodes, jobs and actors. Never when they are committed."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from raysim.protocol.gcs.outbox import Outbox
from raysim.spec.actor import ActorInfo, ActorSpec
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, JobId, NodeId, PlacementGroupId
from raysim.spec.node import Drain, NodeInfo
from raysim.spec.placement_group import GroupInfo, GroupSpec
from raysim.spec.resources import Accelerators, Resources

META = "meta"
NODES = "nodes"
JOBS = "jobs"
ACTORS = "actors"
PLACEMENT_GROUPS = "placement_groups"
QUOTAS = "quotas"
ACTOR_SPECS = "actor_specs"
"""Apart from the states, which change often and are small."""

_EPOCH = b"epoch"
_LAST_JOB = b"last_job"

_Row = TypeVar("_Row")


class NodeRow(msgspec.Struct, frozen=True, gc=False):
    """`death_reason` is empty while it lives. The latest dead stay, so that they stay fenced."""

    info: NodeInfo
    death_reason: str = ""
    drain: Drain | None = None


class JobRow(msgspec.Struct, frozen=True, gc=False):
    job_id: JobId
    driver: Address
    entrypoint: str
    namespace: str
    finished: bool = False
    start_ns: int = 0
    end_ns: int = 0
    """On the clock of the GCS."""
    runtime_env: str = ""
    metadata: dict[str, str] = {}
    observer: bool = False


class ActorRow(msgspec.Struct, frozen=True, gc=False):
    """`worker`: the process that is, or becomes, the actor; `lease_id` is its lease at `raylet`."""

    info: ActorInfo
    number: int = 0
    """Of its creation: an owner comes before what it created."""
    restarts: int = 0
    worker: Address = NOWHERE
    raylet: Address = NOWHERE
    lease_id: int = -1
    ending: Failure | None = None
    accelerators: Accelerators = {}
    """The GPUs of that lease."""


class GroupRow(msgspec.Struct, frozen=True, gc=False):
    """`epoch`: of the attempt that placed it, or is about to."""

    info: GroupInfo
    spec: GroupSpec
    number: int
    epoch: int
    job_ended: bool
    creator_gone: bool


class QuotaRow(msgspec.Struct, frozen=True, gc=False):
    """What a job with a quota has at one node: what its raylet said in this version, and what was granted of it."""

    job_id: JobId
    raylet: Address
    quota: Resources
    version: int
    used: Resources
    granted: list[int] = []
    """Numbers of those that waited in this version; `used` has what they need."""

    @property
    def key(self) -> bytes:
        return self.job_id + self.raylet.node_id


class Tables:
    """Rows in, rows out, through the outbox's batch."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._encode = msgspec.msgpack.Encoder().encode

    def next_epoch(self) -> int:
        """How many times a GCS has started on these tables, this time included."""
        before = self._outbox.host.storage.load(META).get(_EPOCH, b"\x00")
        epoch = int.from_bytes(before, "big") + 1
        self._outbox.put(META, _EPOCH, epoch.to_bytes(4, "big"))
        return epoch

    def last_job(self) -> int:
        """A number that was given to one whose row may have gone, and all before it."""
        return int.from_bytes(self._outbox.host.storage.load(META).get(_LAST_JOB, b""), "big")

    def save_last_job(self, number: int) -> None:
        self._outbox.put(META, _LAST_JOB, number.to_bytes(4, "big"))

    def save_node(self, row: NodeRow) -> None:
        self._outbox.put(NODES, row.info.address.node_id, self._encode(row))

    def forget_node(self, node_id: NodeId) -> None:
        self._outbox.delete(NODES, node_id)

    def nodes(self) -> Iterator[NodeRow]:
        return self._load(NODES, NodeRow)

    def save_job(self, row: JobRow) -> None:
        self._outbox.put(JOBS, row.job_id, self._encode(row))

    def forget_job(self, job_id: JobId) -> None:
        self._outbox.delete(JOBS, job_id)

    def jobs(self) -> Iterator[JobRow]:
        return self._load(JOBS, JobRow)

    def save_actor_spec(self, spec: ActorSpec) -> None:
        self._outbox.put(ACTOR_SPECS, spec.actor_id, self._encode(spec))

    def actor_specs(self) -> dict[ActorId, ActorSpec]:
        return {spec.actor_id: spec for spec in self._load(ACTOR_SPECS, ActorSpec)}

    def save_actor(self, row: ActorRow) -> None:
        self._outbox.put(ACTORS, row.info.actor_id, self._encode(row))

    def actors(self) -> Iterator[ActorRow]:
        return self._load(ACTORS, ActorRow)

    def save_group(self, row: GroupRow) -> None:
        self._outbox.put(PLACEMENT_GROUPS, row.spec.group_id, self._encode(row))

    def groups(self) -> Iterator[GroupRow]:
        return self._load(PLACEMENT_GROUPS, GroupRow)

    def save_quota(self, row: QuotaRow) -> None:
        self._outbox.put(QUOTAS, row.key, self._encode(row))

    def quotas(self) -> Iterator[QuotaRow]:
        return self._load(QUOTAS, QuotaRow)

    def forget_quota(self, row: QuotaRow) -> None:
        self._outbox.delete(QUOTAS, row.key)

    def forget_group(self, group_id: PlacementGroupId) -> None:
        self._outbox.delete(PLACEMENT_GROUPS, group_id)

    def drop_actor_spec(self, actor_id: ActorId) -> None:
        """It is dead: nothing will start it again."""
        self._outbox.delete(ACTOR_SPECS, actor_id)

    def forget_actor(self, actor_id: ActorId) -> None:
        self._outbox.delete(ACTORS, actor_id)

    def _load(self, table: str, kind: type[_Row]) -> Iterator[_Row]:
        rows = self._outbox.host.storage.load(table)
        decode = msgspec.msgpack.Decoder(kind).decode
        # By key: what the storage's order would be is its own business, ours has to be the same always.
        return (decode(rows[key]) for key in sorted(rows))
