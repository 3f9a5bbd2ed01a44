"""The state of a cluster, for people who ask: questions to whoever knows a part of it, and rows. They change nothing.

Times in ns of the world's clock, 0 for what has not happened (what began with it began at 1); sizes in bytes.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from raysim.protocol.messages.base import Message
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure
from raysim.spec.ids import (
    NIL_NODE,
    ActorId,
    JobId,
    NodeId,
    ObjectId,
    PlacementGroupId,
    TaskId,
    WorkerId,
)
from raysim.spec.labels import Selector
from raysim.spec.node import NodeState
from raysim.spec.placement_group import GroupInfo
from raysim.spec.resources import Resources
from raysim.spec.state import Noun, Wanted


class Row(msgspec.Struct, array_like=True, tag=True, gc=False):
    """One thing, as one process knows it."""


class NodeSeen(Row):
    state: NodeState


class JobSeen(Row):
    job_id: JobId
    driver: Address
    entrypoint: str
    namespace: str
    finished: bool
    start_ns: int = 0
    end_ns: int = 0
    runtime_env: str = ""
    metadata: dict[str, str] = {}
    observer: bool = False
    quota_used: Resources = {}
    """Of one with a quota, which its environment says."""


class ActorSeen(Row):
    """By the GCS; by its owner while the GCS has not been asked to create it."""

    actor_id: ActorId
    class_name: str
    state: str
    name: str = ""
    namespace: str = ""
    process: Address = NOWHERE
    """That it is, or was."""
    restarts: int = 0
    need: Resources = {}
    detached: bool = False
    group_id: PlacementGroupId | None = None
    selectors: tuple[Selector, ...] = ()
    runtime_env: str = ""
    death: Failure | None = None
    shown: str = ""
    """What it says of itself."""


class GroupSeen(Row):
    info: GroupInfo
    detached: bool | None = None
    """None: it was removed, and nobody knows any more."""


class Ending(StrEnum):
    """Why a process ended. Ray: `WorkerExitType`."""

    NONE = ""
    """It has not."""
    SYSTEM_ERROR = "SYSTEM_ERROR"
    INTENDED_SYSTEM_EXIT = "INTENDED_SYSTEM_EXIT"
    INTENDED_USER_EXIT = "INTENDED_USER_EXIT"
    USER_ERROR = "USER_ERROR"
    NODE_OUT_OF_MEMORY = "NODE_OUT_OF_MEMORY"


class ProcessSeen(Row):
    """A worker or a driver: by its raylet while it lives, then by the GCS."""

    process: Address
    pid: int
    is_driver: bool = False
    start_ns: int = 0
    end_ns: int = 0
    ending: Ending = Ending.NONE
    detail: str = ""


class TaskSeen(Row):
    """One attempt of a call, by its owner."""

    task_id: TaskId
    attempt: int
    name: str
    function: str
    state: str
    """Ray's `TaskStatus`."""
    parent: TaskId
    submitted_ns: int
    pushed_ns: int = 0
    start_ns: int = 0
    end_ns: int = 0
    worker: Address = NOWHERE
    need: Resources = {}
    group_id: PlacementGroupId | None = None
    selectors: tuple[Selector, ...] = ()
    runtime_env: str = ""
    error: str = ""
    """Ray's `ErrorType`."""
    text: str = ""
    """Of the error; empty where `payload` has the exception."""
    payload: bytes = b""


class TaskCount(Row):
    """So many attempts that have this name, are of this kind and in this state."""

    name: str
    kind: str
    state: str
    count: int


class CallStage(Row):
    """Where a call is that was sent to the process which tells this."""

    task_id: TaskId
    attempt: int
    state: str
    start_ns: int = 0
    worker: Address = NOWHERE


class ObjectSeen(Row):
    """A reference of the process that tells this. Size -1: not known."""

    object_id: ObjectId
    size: int
    task_state: str
    attempt: int
    reference: str
    """Ray's `ReferenceType`."""
    process: Address
    pid: int
    is_driver: bool
    owner: Address = NOWHERE
    call_site: str = "disabled"
    """Where the process made the reference; empty: it does not know. As it is here where nobody notes that (Ray)."""


class EnvSeen(Row):
    """A runtime environment on the node that tells this; `users`: its workers there."""

    node_id: NodeId
    runtime_env: str
    ready: bool
    set_up_ns: int = 0
    users: int = 0
    problem: str = ""


class EventSeen(Row):
    number: int
    severity: str
    source: str
    time_ns: int
    text: str
    fields: dict[str, str] = {}


Number: TypeAlias = tuple[str, dict[str, str], float]
"""What follows a metric's name, as `_sum`; tags; the value."""


class MetricSeen(Row):
    """What a process has counted by one metric of its user code. By the GCS: what all have that ended in good order,
    for a job on a node, which `process` names."""

    process: Address
    job_id: JobId
    name: str
    kind: str
    """counter, gauge or histogram, of Prometheus."""
    description: str
    numbers: list[Number]


class MetricsKept(Row):
    """Processes that have ended whose counts are in what the GCS says, the latest."""

    workers: list[WorkerId]


class SpanKind(StrEnum):
    """What took a while."""

    GET = "get"
    WAIT = "wait"
    PUT = "put"
    TRANSFER = "transfer"
    """An object came from another node."""
    SPILL = "spill"
    RESTORE = "restore"


class SpanSeen(Row):
    """One of these, by the process that did it: a driver or a worker, or a raylet. Sizes in bytes."""

    kind: SpanKind
    start_ns: int
    end_ns: int
    process: Address
    object_ids: list[ObjectId]
    """The first of them."""
    count: int = 1
    """Objects."""
    size: int = 0
    source: NodeId = NIL_NODE
    """Where it came from."""


AnyRow: TypeAlias = (
    NodeSeen
    | JobSeen
    | ActorSeen
    | GroupSeen
    | ProcessSeen
    | TaskSeen
    | TaskCount
    | CallStage
    | ObjectSeen
    | EnvSeen
    | EventSeen
    | MetricSeen
    | MetricsKept
    | SpanSeen
)


class InspectGcs(Message):
    """Anyone to GCS: what do you know of these?

    `limit`: the newest so many of each. `only`: those whose id begins with this. `wanted`: of tasks, these instead.
    Reply: Inspected. Lost: asked again until the asker's time is up.
    """

    number: int
    nouns: list[Noun]
    limit: int
    only: bytes = b""
    wanted: Wanted | None = None


class InspectNode(Message):
    """Anyone to raylet: what do you know of these?

    Reply: Inspected. Lost: asked again until the asker's time is up.
    """

    number: int
    nouns: list[Noun]


class InspectProcess(Message):
    """Anyone to worker or driver: what do you know of these?

    `wanted`: of tasks, these instead of the newest. Reply: Inspected. Lost: asked again until the asker's time is up.
    """

    number: int
    noun: Noun
    limit: int
    only: bytes = b""
    wanted: Wanted | None = None


class Inspected(Message):
    """GCS, raylet or process to whoever asked. `total`: rows that there are, those above the limit included.

    Lost: asked again.
    """

    number: int
    rows: list[AnyRow]
    total: int


class KeepTasks(Message):
    """Worker or driver that ends to GCS: the last attempts of what I submitted, and what took a while, so
    that they are known on.

    Reply: none. Lost: they are not.
    """

    tasks: list[TaskSeen]
    spans: list[SpanSeen] = []


class KeepMetrics(Message):
    """Worker or driver that ends to GCS: what my user code has counted, so that no sum falls.

    Reply: none. Lost: it is gone with me.
    """

    metrics: list[MetricSeen]
