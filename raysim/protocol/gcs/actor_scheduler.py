"""Where an actor starts: choosing a node, leasing a worker there. Never an actor's state: see actors.

As Ray's: an actor that holds resources is placed as seen from its owner's node; one that holds none
as seen from a node drawn at random, or else they would all meet on one node. The policy decides in
both cases. The raylet that is asked may still know better and spill the request on.
"""

from collections.abc import Callable

from raysim.policies.base import Policy
from raysim.policies.choice import Chooser, Unschedulable, Wish, named_node
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.views import Views
from raysim.protocol.host import Timer
from raysim.protocol.infeasible import InfeasibleWatch
from raysim.protocol.messages import (
    CancelWorkerLease,
    RequestWorkerLease,
    ReturnWorkerLease,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
)
from raysim.protocol.quotas import beyond
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ActorId, JobId, NodeId, PlacementGroupId, WorkerId
from raysim.spec.node import has_room
from raysim.spec.resources import describe
from raysim.spec.runtime_env import job_of_env
from raysim.spec.task import InBundle, NodeAffinity

LONGEST_WAIT = 30
"""Retry periods between two copies of one request, at most: a queued request is silent for long. Ours."""

CHOSEN = 1
"""The GCS counts as one that has sent the request on: the raylet keeps it where there is room. Ours."""


class _Placement:
    """One actor on its way to a worker. `raylet` is None while no node could ever run it."""

    __slots__ = ("gpus", "hops", "lease_id", "raylet", "spec", "timer", "wait_ns")

    def __init__(self, spec: ActorSpec) -> None:
        self.spec = spec
        self.lease_id = -1
        self.raylet: Address | None = None
        self.hops = CHOSEN
        self.gpus: tuple[int, ...] = ()
        self.timer: Timer | None = None
        self.wait_ns = 0


class ActorScheduler:
    """`granted(actor, lease, raylet)` or `refused(actor, failure)` ends a placement."""

    def __init__(
        self,
        outbox: Outbox,
        views: Views,
        policy: Policy,
        granted: Callable[[ActorId, WorkerLeaseGranted, Address], None],
        refused: Callable[[ActorId, Failure], None],
    ) -> None:
        self._outbox = outbox
        self._host = outbox.host
        self._views = views
        self._chooser = Chooser(policy)
        self._granted = granted
        self._refused = refused
        self._rng = outbox.host.rng("gcs.placement")
        self._placements: dict[ActorId, _Placement] = {}
        self._by_lease: dict[int, _Placement] = {}
        self._waiting: dict[ActorId, _Placement] = {}
        """Nowhere to ask: until a node joins."""
        self._infeasible = InfeasibleWatch(
            outbox,
            outbox.host.config.infeasible_warning_period_ns,
            views.live,
            lambda: [(p.spec.owner, wish_of(p.spec)) for p in self._waiting.values()],
        )
        self._held: dict[int, WorkerId] = {}
        """Granted leases and their workers: tells a second copy of a grant from a grant too many."""
        self._next_lease = 0
        self.node_in_group: Callable[[ActorSpec, InBundle], NodeId | Failure | None]
        """Set by whoever knows the placement groups. None: its bundle has no place now."""
        self._order: list[NodeId] = []
        self._order_of = -1

    def begin(self, epoch: int) -> None:
        """Lease ids of an earlier GCS on the same address are never used again."""
        self._next_lease = epoch << 32

    def place(self, spec: ActorSpec) -> None:
        assert spec.actor_id not in self._placements, f"{spec.actor_id.hex()} is being placed"
        placement = _Placement(spec)
        self._placements[spec.actor_id] = placement
        if over := _beyond_quota(spec):  # No raylet may ever see it, where no node is large enough.
            self._refuse(placement, _unschedulable(spec, over))
        else:
            self._choose(placement)

    def asked(self, actor_id: ActorId) -> tuple[int, Address] | None:
        """The request under way for this actor, and the raylet that it is at."""
        placement = self._placements.get(actor_id)
        if placement is None or placement.raylet is None:
            return None
        return placement.lease_id, placement.raylet

    def without_node(self) -> list[ActorSpec]:
        """Actors that no node there is could ever run, those in groups apart: they wait for the group."""
        specs = [placement.spec for placement in self._waiting.values()]
        return [spec for spec in specs if not isinstance(spec.strategy, InBundle)]

    def cancel(self, actor_id: ActorId) -> None:
        """Nobody wants it any more. The grant may be under way: `on_granted` gives it back."""
        placement = self._placements.pop(actor_id, None)
        if placement is None:
            return
        self._waiting.pop(actor_id, None)
        raylet, lease_id = placement.raylet, placement.lease_id
        self._leave(placement)
        if raylet is not None and self._views.raylet(raylet.node_id) is not None:
            self._outbox.send(raylet, CancelWorkerLease(lease_id))

    def hold(self, lease_id: int, worker: Address) -> None:
        """This lease was granted before (to the GCS that this one replaces)."""
        self._held[lease_id] = worker.worker_id

    def ended(self, lease_id: int, raylet: Address) -> None:
        """The worker of a granted lease is gone, and the lease with it."""
        if self._held.pop(lease_id, None) is not None:
            self._views.returned(raylet.node_id, lease_id)

    # What changes in the cluster.

    def nodes_joined(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for placement in waiting.values():
            self._choose(placement)

    def group_changed(self, group_id: PlacementGroupId) -> None:
        """It was placed, or removed: those who wait for it look again."""
        for actor_id, placement in list(self._waiting.items()):
            strategy = placement.spec.strategy
            if isinstance(strategy, InBundle) and strategy.group_id == group_id:
                del self._waiting[actor_id]
                self._choose(placement)

    def node_gone(self, node_id: NodeId) -> None:
        for placement in list(self._by_lease.values()):
            raylet = placement.raylet
            if raylet is not None and raylet.node_id == node_id:
                self._leave(placement)
                self._choose(placement)

    # What raylets answer.

    def on_granted(self, raylet: Address, message: WorkerLeaseGranted) -> None:
        lease_id, worker = message.lease_id, message.worker
        placement = self._by_lease.get(lease_id)
        if placement is None or not _is(placement.raylet, raylet):
            if self._held.get(lease_id) != worker.worker_id:
                # Cancelled, or spilled and then granted to a repeated request: nobody needs it.
                self._outbox.send(raylet, ReturnWorkerLease(lease_id))
            return
        if raylet.node_id not in self._views.live:
            self._outbox.send(raylet, ReturnWorkerLease(lease_id))  # It drains by now.
            self._leave(placement)
            self._choose(placement)
            return
        spec = placement.spec
        self._leave(placement, granted=True)
        del self._placements[spec.actor_id]
        self._held[lease_id] = worker.worker_id
        self._granted(spec.actor_id, message, raylet)

    def on_spilled(self, raylet: Address, message: WorkerLeaseSpilled) -> None:
        placement = self._by_lease.get(message.lease_id)
        if placement is None or not _is(placement.raylet, raylet):
            return  # The answer to a copy of a request that has moved on.
        lease_id = placement.lease_id
        self._leave(placement)
        if message.raylet.node_id not in self._views.live:
            self._choose(placement)  # That raylet has not heard yet that the node is dead.
            return
        placement.lease_id = lease_id
        self._ask(placement, message.raylet, message.hops, message.gpus)

    def on_refused(self, raylet: Address, message: WorkerLeaseRefused) -> None:
        placement = self._by_lease.get(message.lease_id)
        if placement is not None and _is(placement.raylet, raylet):
            self._leave(placement)
            self._refuse(placement, message.failure)

    def lost_before_granted(self, raylet: Address, lease_id: int) -> bool:
        """The worker died before the grant arrived: no user code has run, so another one is leased."""
        placement = self._by_lease.get(lease_id)
        if placement is None or not _is(placement.raylet, raylet):
            return False
        self._leave(placement)
        self._choose(placement)
        return True

    # Choosing and asking.

    def _choose(self, placement: _Placement) -> None:
        """Ask a node under a new lease id: the old one may still mean something somewhere."""
        spec = placement.spec
        if isinstance(spec.strategy, InBundle):
            in_group = self.node_in_group(spec, spec.strategy)
            if isinstance(in_group, Failure):
                self._refuse(placement, in_group)
            else:
                self._choose_node(placement, in_group)
            return
        wish = wish_of(spec)
        found = named_node(wish, self._views.live)
        if isinstance(found, Unschedulable):
            self._refuse(placement, _unschedulable(spec, _why_not_there(spec, found)))
            return
        self._choose_node(placement, self._pick(spec, wish) if found is None else found)

    def _choose_node(self, placement: _Placement, node_id: NodeId | None) -> None:
        if node_id is None:
            self._waiting[placement.spec.actor_id] = placement
            self._infeasible.look()
            return
        placement.lease_id = self._next_lease
        self._next_lease += 1
        view = self._views.live[node_id]
        held = placement.spec.lifetime
        gpus = self._chooser.pick_gpus(held, view, self._rng) if has_room(held, view) else ()
        self._ask(placement, view.address, CHOSEN, gpus)

    def _pick(self, spec: ActorSpec, wish: Wish) -> NodeId | None:
        live = self._views.live
        if not live:
            return None
        return self._chooser.pick(wish, live, self._seen_from(spec), self._rng)

    def _seen_from(self, spec: ActorSpec) -> NodeId:
        owner_node = spec.owner.node_id
        if spec.lifetime and owner_node in self._views.live:
            return owner_node
        if self._order_of != self._views.membership:
            self._order_of = self._views.membership
            self._order = list(self._views.live)
        return self._order[self._rng.randrange(len(self._order))]

    def _ask(
        self, placement: _Placement, raylet: Address, hops: int, gpus: tuple[int, ...]
    ) -> None:
        placement.raylet = raylet
        placement.hops, placement.gpus = hops, gpus
        placement.wait_ns = self._host.config.request_retry_ns
        self._by_lease[placement.lease_id] = placement
        self._views.ask(raylet.node_id, placement.lease_id, placement.spec.placement)
        self._send(placement, raylet)

    def _send(self, placement: _Placement, raylet: Address) -> None:
        spec = placement.spec
        request = RequestWorkerLease(
            placement.lease_id,
            JobId(spec.actor_id[-4:]),
            spec.placement,
            spec.strategy,
            hops=placement.hops,
            actor_id=spec.actor_id,
            lifetime=spec.lifetime,
            selectors=spec.selectors,
            runtime_env=spec.runtime_env,
            retriable=spec.max_restarts != 0,
            gpus=placement.gpus,
        )
        self._outbox.send(raylet, request)

        def again() -> None:
            longest = LONGEST_WAIT * self._host.config.request_retry_ns
            placement.wait_ns = min(2 * placement.wait_ns, longest)
            self._send(placement, raylet)

        placement.timer = self._outbox.call_later(placement.wait_ns, again)

    def _leave(self, placement: _Placement, granted: bool = False) -> None:
        """The request is not at its raylet any more: answered, cancelled, or the raylet is gone."""
        if placement.timer is not None:
            placement.timer.cancel()
            placement.timer = None
        if placement.raylet is not None:
            held = placement.spec.lifetime if granted else None
            self._views.answered(placement.raylet.node_id, placement.lease_id, held)
            del self._by_lease[placement.lease_id]
            placement.raylet = None

    def _refuse(self, placement: _Placement, failure: Failure) -> None:
        del self._placements[placement.spec.actor_id]
        self._refused(placement.spec.actor_id, failure)


def _is(one: Address | None, other: Address) -> bool:
    return one is not None and one.worker_id == other.worker_id


def wish_of(spec: ActorSpec) -> Wish:
    return Wish(spec.placement, spec.strategy, spec.selectors)


def _unschedulable(spec: ActorSpec, why: str) -> Failure:
    return Failure(FailureKind.ACTOR_UNSCHEDULABLE, why, spec.actor_id)


def _called(spec: ActorSpec) -> str:
    return f"Actor {spec.class_name} ({spec.actor_id.hex()[:8]})"


def _why_not_there(spec: ActorSpec, found: Unschedulable) -> str:
    assert isinstance(spec.strategy, NodeAffinity)
    node_id = spec.strategy.node_id
    return (
        f"{_called(spec)} needs {describe(spec.placement)} on node {node_id.hex()[:8]}, {found.why}. "
        "Name another node, or set soft=True in its NodeAffinitySchedulingStrategy."
    )


def _beyond_quota(spec: ActorSpec) -> str:
    """Why it can never be; empty: it can."""
    if not spec.runtime_env:
        return ""
    return beyond(_called(spec), spec.lifetime, job_of_env(spec.runtime_env).quota)
