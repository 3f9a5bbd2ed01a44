"""Placement groups elsewhere, for requests that no view of a node explains. Never reserves: see bundles.

A group's resources show in the views of its nodes, but those lag, and a group may be gone or not placed
yet. Who waits for a group makes this raylet ask the GCS, once; the GCS then tells of every change.
"""

from functools import partial

from raysim.protocol.host import Host
from raysim.protocol.messages import (
    PlacementGroupChanged,
    RequestWorkerLease,
    SubscribePlacementGroup,
)
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NodeId, PlacementGroupId
from raysim.spec.placement_group import GroupInfo, GroupState, plain
from raysim.spec.resources import fits
from raysim.spec.task import InBundle

REMEMBERED = 10_000
"""Removed groups that are known, the latest; others are asked for again. Ours."""

_PLACED = (GroupState.CREATED, GroupState.RESCHEDULING)


class Groups:
    def __init__(self, host: Host, view: ClusterView, gcs: Address) -> None:
        self._host = host
        self._view = view
        self._gcs = gcs
        self._known: dict[PlacementGroupId, GroupInfo | None] = {}
        """None: asked, not answered."""
        self._removed: dict[PlacementGroupId, None] = {}

    def where(self, request: RequestWorkerLease) -> NodeId | Failure | None:
        """Another node with a bundle for it; None: wait for word of the group."""
        strategy = request.strategy
        assert isinstance(strategy, InBundle)
        if strategy.group_id in self._removed:
            return removed(request)
        if strategy.group_id not in self._known:
            self._known[strategy.group_id] = None
            self._ask(strategy.group_id)
            return None
        info = self._known[strategy.group_id]
        if info is None or info.state not in _PLACED:
            return None
        if request.hops >= self._host.config.max_spillback_hops:
            return None
        need = plain(request.resources)
        for index, node_id in enumerate(info.nodes):
            if strategy.index not in (-1, index) or node_id == self._view.local_id:
                continue
            if node_id in self._view.nodes and fits(need, info.bundles[index]):
                return node_id
        return None

    def _ask(self, group_id: PlacementGroupId) -> None:
        """Until it is answered."""
        if group_id in self._known and self._known[group_id] is None:
            self._host.send(self._gcs, SubscribePlacementGroup(group_id))
            self._host.call_later(self._host.config.request_retry_ns, partial(self._ask, group_id))

    def changed(self, changed: PlacementGroupChanged) -> None:
        """What the GCS says of a group."""
        info = changed.info
        if info.state is GroupState.REMOVED:
            self._known.pop(info.group_id, None)
            self._removed[info.group_id] = None
            if len(self._removed) > REMEMBERED:
                del self._removed[next(iter(self._removed))]
            return
        known = self._known.get(info.group_id)
        if info.group_id not in self._removed and (known is None or known.version < info.version):
            self._known[info.group_id] = info

    def ask_again(self) -> None:
        """The GCS that was asked is gone; another one took its place."""
        for group_id in self._known:
            self._host.send(self._gcs, SubscribePlacementGroup(group_id))


def removed(request: RequestWorkerLease) -> Failure:
    """Why it will never run."""
    assert isinstance(request.strategy, InBundle)
    group = (
        f"placement group {request.strategy.group_id.hex()}, which was removed, or never created"
    )
    remedy = "Create another group for it."
    if request.actor_id is None:
        kind = FailureKind.TASK_PLACEMENT_GROUP_REMOVED
        return Failure(kind, f"The task belongs in {group}. {remedy}")
    kind = FailureKind.ACTOR_PLACEMENT_GROUP_REMOVED
    text = f"Actor {request.actor_id.hex()} belongs in {group}. {remedy}"
    return Failure(kind, text, request.actor_id)
