"""Questions of somebody who wonders why an object is not ready, to those who decide about it. They change nothing."""

from enum import IntEnum

import msgspec

from raysim.protocol.messages.base import Message
from raysim.protocol.messages.tasks import ContainedRef
from raysim.spec.actor import ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.ids import ActorId, NodeId, ObjectId, PlacementGroupId, TaskId, WorkerId
from raysim.spec.placement_group import GroupState
from raysim.spec.resources import Resources


class ObjectStage(IntEnum):
    UNKNOWN = 0
    """Freed, or of another owner."""
    READY = 1
    FAILED = 2
    NO_CALL = 3
    """Pending, and no call makes it: it stands for `group_id`, if that is known."""
    ARGUMENTS = 4
    """Its call waits for `arguments`."""
    BEHIND = 5
    """Its call waits behind that of `ahead`."""
    LEASE = 6
    """Its call waits for one of `leases`."""
    PUSHED = 7
    """Its call was sent to `worker`."""
    ACTOR = 8
    """Its call waits until the actor is alive."""
    ACTOR_ARGUMENTS = 9
    """The actor waits for `arguments` of its constructor."""


class ObjectStory(msgspec.Struct, array_like=True):
    """What its owner knows of an object. Durations in ns."""

    stage: ObjectStage
    text: str = ""
    """Of a failure; of a ready one, where it is."""
    task_id: TaskId | None = None
    name: str = ""
    attempt: int = 0
    rebuilt: bool = False
    """It was there before, and lost."""
    for_ns: int = 0
    arguments: list[ContainedRef] = []
    ahead: ObjectId | None = None
    leases: list[tuple[int, Address]] = []
    worker: Address = NOWHERE
    actor_id: ActorId | None = None
    group_id: PlacementGroupId | None = None


class ExplainObject(Message):
    """Anyone to the object's owner: what becomes of this object?

    Reply: ObjectExplained. Lost: asked again, once.
    """

    number: int
    object_id: ObjectId


class ExplainCall(Message):
    """Anyone to the owner of a call, or of an actor that it constructs: what becomes of it?

    Reply: ObjectExplained. Lost: asked again, once.
    """

    number: int
    task_id: TaskId


class ObjectExplained(Message):
    """Owner to whoever asked, of an object or of a call.

    Lost: asked again.
    """

    number: int
    story: ObjectStory


class LeaseStage(IntEnum):
    UNKNOWN = 0
    """Granted and returned, sent on, cancelled; still under way; or not decided before other nodes are known."""
    QUEUED = 1
    INFEASIBLE = 2
    STARTING = 3
    GRANTED = 4
    SETTING_UP = 5
    """Its runtime environment."""
    OVER_QUOTA = 6
    """It waits for its job's quota, or for word of it."""


class NodeRoom(msgspec.Struct, array_like=True):
    """One node as the asked raylet sees it."""

    node_id: NodeId
    lacks: dict[str, float]
    ever: bool
    why: str = ""


class LeaseHolder(msgspec.Struct, array_like=True):
    """A lease of the asked node that has some of what the request lacks."""

    worker: Address
    held: dict[str, float]
    for_ns: int
    actor_id: ActorId | None = None


class QueueTurn(msgspec.Struct, array_like=True):
    """Of a request that waits for its turn: those before it, and the first of them."""

    order: str
    """Of the queue, as configured."""
    ranked: bool
    """`before` come first in this order; else they only came before, and the order chooses when there is room."""
    before: int
    has_room: bool
    """On the node where it waits."""
    need: Resources = {}
    user: str = ""
    for_ns: int = 0


class LeaseStory(msgspec.Struct, array_like=True):
    """What a raylet knows of a request for a lease, and what its decision was made of."""

    stage: LeaseStage
    for_ns: int = 0
    need: Resources = {}
    group_id: PlacementGroupId | None = None
    """It asks for a bundle of this one."""
    ahead: int = 0
    """Requests of the same shape that came before."""
    nodes: list[NodeRoom] = []
    holders: list[LeaseHolder] = []
    worker: Address = NOWHERE
    runtime_env: str = ""
    """What is being set up."""
    turn: QueueTurn | None = None
    """Under an order of the queue that is not Ray's."""
    queued_by: str = ""
    """The policy, where it said that the request waits at this node."""
    quota: Resources = {}
    """Of its job, where it waits for that."""


class ExplainLease(Message):
    """Anyone to raylet: what becomes of that owner's request?

    Reply: LeaseExplained. Lost: asked again, once.
    """

    number: int
    owner: WorkerId
    lease_id: int


class LeaseExplained(Message):
    """Raylet to whoever asked.

    Lost: asked again.
    """

    number: int
    story: LeaseStory


class ActorStory(msgspec.Struct, array_like=True):
    """What the GCS knows of an actor. `state` None: nothing."""

    state: ActorState | None
    name: str = ""
    text: str = ""
    """Why it is dead."""
    incarnation: int = 0
    worker: Address = NOWHERE
    """The process that is it, or runs its constructor."""
    raylet: Address = NOWHERE
    """Asked for a worker under `lease_id`; NOWHERE when there is none to ask."""
    lease_id: int = -1
    need: Resources = {}
    group_id: PlacementGroupId | None = None
    nodes: list[NodeRoom] = []
    owner: Address = NOWHERE
    """Who made it, while it lives."""


class ExplainActor(Message):
    """Anyone to GCS: what becomes of this actor?

    Reply: ActorExplained. Lost: asked again, once.
    """

    number: int
    actor_id: ActorId


class ActorExplained(Message):
    """GCS to whoever asked.

    Lost: asked again.
    """

    number: int
    story: ActorStory


class GroupStory(msgspec.Struct, array_like=True):
    """What the GCS knows of a placement group. `state` None: nothing."""

    state: GroupState | None
    name: str = ""
    strategy: str = ""
    placed: int = 0
    """Bundles that have a place."""
    unplaced: list[Resources] = []
    ever: bool = True
    """There would be places if nothing else ran."""
    tight: Resources = {}
    """The first bundle that no node has room for, even alone; empty: only all at once have none."""
    nodes: list[NodeRoom] = []
    """For `tight`."""
    quota: Resources = {}
    """Of its job, where it waits for that."""


class ExplainGroup(Message):
    """Anyone to GCS: what becomes of this placement group?

    Reply: GroupExplained. Lost: asked again, once.
    """

    number: int
    group_id: PlacementGroupId


class GroupExplained(Message):
    """GCS to whoever asked.

    Lost: asked again.
    """

    number: int
    story: GroupStory


class CallSeen(msgspec.Struct, array_like=True):
    """A call that runs."""

    task_id: TaskId
    name: str
    for_ns: int


class ProcessStory(msgspec.Struct, array_like=True):
    """What runs in a process, and what its user code waits for."""

    running: list[CallSeen] = []
    awaited: list[ContainedRef] = []


class ExplainProcess(Message):
    """Anyone to worker: what are you doing?

    Reply: ProcessExplained. Lost: asked again, once.
    """

    number: int


class ProcessExplained(Message):
    """Worker to whoever asked.

    Lost: asked again.
    """

    number: int
    story: ProcessStory
