"""Where a lease request goes: here, to another node, nowhere yet, nowhere ever. Never grants: see leases."""

from raysim.policies.base import Policy
from raysim.policies.choice import Chooser, Unschedulable, Wish, named_node
from raysim.policies.locality import NearData
from raysim.protocol.host import Host
from raysim.protocol.messages import RequestWorkerLease
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.groups import Groups
from raysim.protocol.raylet.lease import taken
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import Resources, describe
from raysim.spec.task import InBundle, NodeAffinity


class Placement:
    def __init__(
        self, host: Host, view: ClusterView, policy: Policy, fence: Fence, groups: Groups
    ) -> None:
        self._max_hops = host.config.max_spillback_hops
        self._rng = host.rng("placement")
        self._view = view
        self._chooser = Chooser(policy)
        self._near = policy if isinstance(policy, NearData) else None
        self._fence = fence
        self._groups = groups

    def needs_view(self, request: RequestWorkerLease) -> bool:
        """Whether the other nodes have to be known to decide, and are not yet. They are asked for."""
        local = self._view.local
        if self._chosen(request) and has_room(taken(request), local):
            return False
        if self._stays(request) and not isinstance(request.strategy, NodeAffinity):
            return False
        self._view.watch()
        return not self._view.ready

    def decide(self, request: RequestWorkerLease, waited_ns: int = 0) -> NodeId | Failure | None:
        """The node to be granted or queued at; None: no node that is known could ever run it. `waited_ns`: here."""
        view = self._view
        need = request.resources
        wish = Wish(need, request.strategy, request.selectors)
        if isinstance(request.strategy, NodeAffinity):
            named = self._named(request, wish)
            if named is not None or not request.strategy.soft:
                return named
        if self._chosen(request) and has_room(taken(request), view.local):
            return view.local_id
        if self._stays(request):
            return view.local_id
        if self._near is not None and request.near and not request.selectors:
            return self._near.pick_near(
                need, view.nodes, view.local_id, self._rng, request.near, waited_ns
            )
        found = self._chooser.pick(wish, view.nodes, view.local_id, self._rng)
        if found is None and isinstance(request.strategy, InBundle):
            return self._groups.where(request)
        return found

    def _chosen(self, request: RequestWorkerLease) -> bool:
        """Whether another raylet chose this node for its room, and for its labels, which do not change.

        Judging again would send it round. A request that was rejected elsewhere was not chosen for
        here: it came back.
        """
        return request.hops > 0 and request.rejected_by is None and not self._view.drains

    def _stays(self, request: RequestWorkerLease) -> bool:
        """Whether it waits here, if it could ever run here: it came far, or its policy says where to queue."""
        if request.hops < self._max_hops or self._view.drains:
            return False
        wish = Wish(request.resources, request.strategy, request.selectors)
        return wish.possible(self._view.local)

    def patience_ns(self, request: RequestWorkerLease) -> int:
        """How long it waits here for the sake of its arguments, before it may go elsewhere."""
        return self._near.wait_ns if self._near is not None and request.near else 0

    def elsewhere(self, request: RequestWorkerLease, waited_ns: int) -> NodeId | None:
        """Another node that has room now for a request that waits here, for so long."""
        if request.hops >= self._max_hops:
            return None
        found = self.decide(request, waited_ns)
        if found is None or isinstance(found, Failure) or found == self._view.local_id:
            return None
        return found if has_room(request.resources, self._view.nodes[found]) else None

    def gpus(self, need: Resources, view: NodeView) -> tuple[int, ...]:
        """Which of a node's GPUs a request that has room there is to have, where the policy says so."""
        return self._chooser.pick_gpus(need, view, self._rng)

    def unknown_node(self, request: RequestWorkerLease) -> bool:
        """Whether it waits for a node that nobody has told us of, dead or alive."""
        strategy = request.strategy
        return (
            isinstance(strategy, NodeAffinity)
            and not strategy.soft
            and strategy.node_id not in self._view.nodes
        )

    def unknown_node_failure(self, request: RequestWorkerLease) -> Failure:
        assert isinstance(request.strategy, NodeAffinity)
        node = request.strategy.node_id.hex()
        return _failure(request, f"needs node {node}, but no such node is in the cluster.")

    def _drains(self, node_id: NodeId) -> str | None:
        view = self._view
        if node_id == view.local_id:
            return "nothing starts on it any more" if view.drains else None
        return None if self._fence.has_node(node_id) else view.draining.get(node_id)

    def _named(self, request: RequestWorkerLease, wish: Wish) -> NodeId | Failure | None:
        assert isinstance(request.strategy, NodeAffinity)
        node_id = request.strategy.node_id
        found = named_node(wish, self._view.nodes)
        if not isinstance(found, Unschedulable):
            return found
        view = self._view.nodes.get(node_id)
        if view is not None:
            total, free = (
                {name: of.get(name, 0) for name in wish.need} for of in (view.total, view.available)
            )
            has = f"Of these it has {describe(total)} in all, {describe(free)} free."
            what = f"needs {describe(wish.need)} on node {node_id.hex()}, {found.why}. {has}"
            return _failure(request, what)
        drains = self._drains(node_id)
        if drains is not None:
            return _failure(request, f"needs node {node_id.hex()}, which drains: {drains}.")
        if not self._fence.has_node(node_id):
            return None  # Word of it may be under way.
        return _failure(request, f"needs node {node_id.hex()}, which is dead.")


def _failure(request: RequestWorkerLease, why: str) -> Failure:
    remedy = "Choose a live node that is large enough, or soft=True."
    if request.actor_id is None:
        return Failure(FailureKind.TASK_UNSCHEDULABLE, f"The task {why} {remedy}")
    text = f"Actor {request.actor_id.hex()} {why} {remedy}"
    return Failure(FailureKind.ACTOR_UNSCHEDULABLE, text, request.actor_id)
