"""Leases: a raylet lends a worker with resources to an owner (or to the GCS, for an actor)."""

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, JobId, NodeId
from raysim.spec.labels import Selector
from raysim.spec.node import NodeView
from raysim.spec.resources import Accelerators, Wanted
from raysim.spec.task import Claim, Strategy


class RequestWorkerLease(Message):
    """Owner or GCS to raylet: lend a worker that has these resources.

    Reply: WorkerLeaseGranted, WorkerLeaseSpilled, WorkerLeaseRejected or WorkerLeaseRefused. Lost: asked again;
    `lease_id`, unique for its owner, makes it idempotent.
    """

    lease_id: int
    job_id: JobId
    resources: Wanted
    strategy: Strategy
    hops: int = 0
    """How many raylets have sent this request on."""
    backlog: int = 0
    """Tasks of the same class that wait at the owner besides this one."""
    actor_id: ActorId | None = None
    """The worker becomes this actor and is not used again."""
    lifetime: Wanted | None = None
    """Of an actor: what it takes off its node. `resources` only says then which node it may be on (Ray)."""
    selectors: tuple[Selector, ...] = ()
    """Labels of the node, best first; none: any."""
    runtime_env: str = ""
    """The environment of the worker, which is lent to no other: see `raysim.spec.runtime_env`."""
    grant_or_reject: bool = False
    """It was sent on for the room that was seen there: where there is none, it does not wait. Ray's name."""
    rejected_by: NodeView | None = None
    """What the node that rejected it really has free."""
    retriable: bool = False
    """What the worker is to do may be done again: where memory runs out, it ends first."""
    gpus: tuple[int, ...] = ()
    """Numbers of the GPUs that were chosen for it there; taken if they still have room."""
    claim: Claim | None = None
    """Of the one call that the lease is for: it waits for its turn. None: it is served as soon as there is room."""
    expected_ns: int = -1
    """How long its call will run, under a policy that asks for it; -1: nobody knows."""
    near: tuple[NodeId, ...] = ()
    """Nodes that hold most bytes of its calls' arguments, most first, under a policy that asks for it."""


class WorkerLeaseGranted(Message):
    """Raylet to owner: the worker is yours until you return it.

    Lost: the owner asks again and is granted the same worker.
    """

    lease_id: int
    worker: Address
    accelerators: Accelerators = {}
    """The GPUs of this lease, for its worker to be told."""


class WorkerLeaseSpilled(Message):
    """Raylet to owner: ask that raylet instead.

    Lost: the owner asks again.
    """

    lease_id: int
    raylet: Address
    hops: int
    grant_or_reject: bool = False
    """See RequestWorkerLease."""
    gpus: tuple[int, ...] = ()
    """See RequestWorkerLease."""


class WorkerLeaseRejected(Message):
    """Raylet to owner: there is no room here (any more). Ask your own raylet again, and show it this.

    Lost: the owner asks again.
    """

    lease_id: int
    node: NodeView


class WorkerLeaseRefused(Message):
    """Raylet to owner: this can never be granted (hard affinity to a node that is gone, say).

    Lost: the owner asks again.
    """

    lease_id: int
    failure: Failure


class ReturnWorkerLease(Message):
    """Owner to raylet: the worker is free again.

    `worker_failed`: do not use it again. `worker_retires`: it has run its `max_calls`; the raylet tells
    it to exit. Reply: none. Lost: the raylet takes it back when the owner is lost; a second copy finds
    the lease gone.
    """

    lease_id: int
    worker_failed: bool = False
    worker_retires: bool = False


class CancelWorkerLease(Message):
    """Owner to raylet: the request is not needed any more. May cross the grant, which is then void.

    Reply: none. Lost: the owner returns the lease when it is granted.
    """

    lease_id: int


class RevokeIdleLeases(Message):
    """Raylet to owner: others wait; return the leases of this node that have nothing to do, and keep none idle
    for `for_ns`.

    `drains`: push nothing more on any of them, as the node is to go.
    Reply: ReturnWorkerLease for each. Lost: idle leases return by their own timer.
    """

    node_id: NodeId
    for_ns: int
    drains: bool = False


class PreemptLease(Message):
    """Raylet to owner: something that comes first waits; have what runs on this lease stop, and return it.

    Reply: ReturnWorkerLease. Lost: it runs to its end.
    """

    lease_id: int


class WorkInfeasible(Message):
    """Raylet to a lease's owner, GCS to an actor's: what you asked for fits no node; somebody should know.

    Reply: none. Lost: said again, as long as it is so.
    """

    text: str


class LeaseLost(Message):
    """Raylet to the lease's owner: the leased worker is gone.

    Lost: the owner sees the lost connection to the worker.
    """

    lease_id: int
    worker: Address
    reason: str
    out_of_memory: bool = False
    """It is about to go, because the node's memory ran out. Reply: ReturnWorkerLease. Lost: it goes soon."""
    final: bool = False
    """What it runs is not to run again."""
