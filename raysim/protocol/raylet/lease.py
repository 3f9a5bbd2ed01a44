"""A lease, from request to return, and who asked for it. Never how it is granted: see leases.

None of these refers back to what refers to it: they live outside the garbage collector.
"""

from enum import IntEnum
from typing import TypeAlias

import msgspec

from raysim.policies.queue import Waiting
from raysim.protocol.messages import RequestWorkerLease, WorkerLeaseSpilled
from raysim.protocol.raylet.instances import Assigned, Instances
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NodeId, PlacementGroupId
from raysim.spec.labels import Selector
from raysim.spec.resources import Resources, fits
from raysim.spec.task import InBundle, Strategy

ANSWERS_KEPT = 256
"""Ended requests of one owner that are remembered, the latest ones: a late copy finds its answer. Ours."""


class LeaseState(IntEnum):
    QUEUED = 0
    """Waits for resources, for a node that has them, or for its job's quota."""
    ADMITTING = 1
    """Holds its resources, while the GCS is asked whether its job's quota has room for it: see quotas."""
    STARTING = 2
    """Holds its resources and waits for a worker."""
    GRANTED = 3
    ENDED = 4


class Lease(msgspec.Struct, gc=False):
    """`held`: what it takes off the node from STARTING on."""

    owner: Address
    request: RequestWorkerLease
    held: Resources
    state: LeaseState = LeaseState.QUEUED
    order: int = 0
    """Of its arrival here."""
    token: int = -1
    worker: Address | None = None
    assigned: Assigned = {}
    """The GPUs that it has, from STARTING on."""
    since_ns: int = 0
    """When it came into its state."""
    lent: Resources = {}
    """Part of `held` that is given back while the worker is blocked: its CPUs. Replaced, never changed."""
    quota: Resources = {}
    """What it has of its job's quota. Replaced, never changed."""
    admission: int = 0
    """The number under which it waits for the quota; 0: it does not."""
    resumed: bool = False
    """Its worker went on after a wait, whether or not the quota had room for its CPUs again."""


class LeaseOwner(msgspec.Struct, gc=False):
    """A process that asked for leases here."""

    address: Address
    leases: dict[int, Lease] = {}
    """By lease id, those that have not ended."""
    answered: dict[int, WorkerLeaseSpilled | None] = {}
    """Requests that were sent on; None: returned or cancelled by the owner."""
    revoked_ns: int | None = None
    """When it was last told to keep no lease idle."""

    def remember(self, lease_id: int, answer: WorkerLeaseSpilled | None) -> None:
        self.answered[lease_id] = answer
        if len(self.answered) > ANSWERS_KEPT:
            del self.answered[next(iter(self.answered))]


def taken(request: RequestWorkerLease) -> Resources:
    """What it takes off its node. Of an actor: what it keeps for life; the rest only says where it may be (Ray)."""
    return request.resources if request.lifetime is None else request.lifetime


def is_in(lease: Lease, group_id: PlacementGroupId) -> bool:
    strategy = lease.request.strategy
    return isinstance(strategy, InBundle) and strategy.group_id == group_id


def failure_of(request: RequestWorkerLease, text: str) -> Failure:
    """What its owner is told that can never have it."""
    if request.actor_id is None:
        return Failure(FailureKind.TASK_UNSCHEDULABLE, text)
    return Failure(FailureKind.ACTOR_UNSCHEDULABLE, text, request.actor_id)


Shape: TypeAlias = tuple[
    tuple[tuple[str, int], ...], Strategy, tuple[Selector, ...], bool, bool, tuple[NodeId, ...]
]
"""Resources, strategy, labels, whether the request may still be sent on, whether it waits for its turn, and the nodes
that it had rather run on."""


class LeaseQueue:
    """Requests that wait, first come first served within a shape. A large shape never blocks a small one.

    Ray's order. For others see turns.
    """

    def __init__(self, max_hops: int) -> None:
        self._max_hops = max_hops
        self._arrivals = 0
        self.shapes: dict[Shape, dict[int, Lease]] = {}
        """Shape to its requests, by their order of arrival."""
        self.count = 0

    def shape(self, request: RequestWorkerLease) -> Shape:
        may_go = request.hops < self._max_hops
        resources = tuple(taken(request).items())
        claimed = request.claim is not None
        return resources, request.strategy, request.selectors, may_go, claimed, request.near

    def add(self, lease: Lease) -> None:
        self._arrivals = lease.order = self._arrivals + 1
        self.shapes.setdefault(self.shape(lease.request), {})[lease.order] = lease
        self.count += 1

    def remove(self, lease: Lease) -> None:
        shape = self.shape(lease.request)
        waiting = self.shapes[shape]
        del waiting[lease.order]
        self.count -= 1
        if not waiting:
            del self.shapes[shape]

    def started(self, lease: Lease) -> None:
        """It has its resources."""

    def ended(self, lease: Lease) -> None:
        """They are free again."""

    def head(self, waiting: dict[int, Lease]) -> Lease:
        """The first of one shape."""
        return next(iter(waiting.values()))

    def before(self, lease: Lease) -> list[Waiting] | None:
        """Of one that waits for its turn, those whose turn comes first. None: it waits for no turn."""
        return None

    def victim(self) -> Lease | None:
        """One that has to make room for what waits."""
        return None

    def next(self, available: Resources, instances: Instances) -> Lease | None:
        """Looks at the head of each shape only: what comes behind it needs as much."""
        best: Lease | None = None
        for waiting in self.shapes.values():
            head = next(iter(waiting.values()))
            if best is not None and head.order > best.order:
                continue
            if fits(head.held, available) and instances.fits(head.held):
                best = head
        return best
