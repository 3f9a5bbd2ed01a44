"""A request's own wishes first (named node, labels, spread), then the cluster's policy. Never what follows.

Sources: Ray's `NodeAffinitySchedulingPolicy`, `NodeLabelSchedulingPolicy`, `label_selector` and
`fallback_strategy`; the rules in doubt were tried on Ray 2.60.
"""

from collections.abc import Mapping
from random import Random

import msgspec

from raysim.policies.base import Policy
from raysim.policies.devices import PicksDevices
from raysim.policies.spread import Spread as RoundRobin
from raysim.spec.ids import NodeId
from raysim.spec.labels import Selector, matches
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import GPU, Resources, fits
from raysim.spec.task import NodeAffinity, NodeLabels, Spread, Strategy


class Wish(msgspec.Struct, gc=False):
    """What one request asks for."""

    need: Resources
    strategy: Strategy
    selectors: tuple[Selector, ...] = ()
    """Labels of the node, best first; none: any."""

    def allows(self, view: NodeView) -> bool:
        """Whether its labels let it run there, whatever is free."""
        strategy = self.strategy
        if type(strategy) is NodeLabels and not matches(strategy.hard, view.labels):
            return False
        selectors = self.selectors
        return not selectors or any(matches(one, view.labels) for one in selectors)

    def possible(self, view: NodeView) -> bool:
        """Whether that node could ever run it."""
        return fits(self.need, view.total) and self.allows(view)


class Unschedulable(msgspec.Struct, gc=False):
    """It asks for one node and no other, and that one cannot run it. Waiting would not help, or is not wanted."""

    why: str


class Chooser:
    """One object per raylet, as a policy is: round robin remembers."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._picks_devices = policy if isinstance(policy, PicksDevices) else None
        self._round_robin = RoundRobin()

    def pick(
        self, wish: Wish, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        """The node to run on or to queue at, whatever node it names: see `named_node`.

        None: no node of these could ever run it.
        """
        strategy = wish.strategy
        policy = self._round_robin if type(strategy) is Spread else self._policy
        if isinstance(strategy, NodeLabels):
            return _best_labels(wish, strategy, policy, nodes, local, rng)
        if wish.selectors:
            return _first_selector(wish, policy, nodes, local, rng)
        return policy.pick(wish.need, nodes, local, rng)

    def pick_gpus(self, need: Resources, view: NodeView, rng: Random) -> tuple[int, ...]:
        """Of a node with room for it the GPUs that it is to have. Empty: it needs none, or the node may choose."""
        if self._picks_devices is None or not view.gpus or not need.get(GPU):
            return ()
        return tuple(self._picks_devices.pick_gpus(need, view, rng))


def named_node(wish: Wish, nodes: Mapping[NodeId, NodeView]) -> NodeId | Unschedulable | None:
    """The node that its NodeAffinity names. None: it names none, or may as well go elsewhere."""
    strategy = wish.strategy
    if not isinstance(strategy, NodeAffinity):
        return None
    view = nodes.get(strategy.node_id)
    if view is not None and wish.possible(view):
        waits = not (strategy.spill_on_unavailable or strategy.fail_on_unavailable)
        if waits or has_room(wish.need, view):
            return strategy.node_id
    if strategy.soft:
        return None
    return Unschedulable(_why_not(wish, view))


def _why_not(wish: Wish, view: NodeView | None) -> str:
    if view is None:
        return "which is dead or unknown"
    if not fits(wish.need, view.total):
        return "which is too small"
    if not wish.allows(view):
        return "whose labels its label_selector excludes"
    return "which has no room now, and _fail_on_unavailable is set"


def _best_labels(
    wish: Wish,
    strategy: NodeLabels,
    policy: Policy,
    nodes: Mapping[NodeId, NodeView],
    local: NodeId,
    rng: Random,
) -> NodeId | None:
    """Room now counts for more than soft labels do."""
    allowed = {node_id: view for node_id, view in nodes.items() if wish.allows(view)}
    if not strategy.soft:
        return policy.pick(wish.need, allowed, local, rng)
    liked = {n: view for n, view in allowed.items() if matches(strategy.soft, view.labels)}
    queue_at = None
    for some in (liked, allowed):
        found = policy.pick(wish.need, some, local, rng)
        if found is not None and has_room(wish.need, some[found]):
            return found
        queue_at = queue_at or found
    return queue_at


def _first_selector(
    wish: Wish,
    policy: Policy,
    nodes: Mapping[NodeId, NodeView],
    local: NodeId,
    rng: Random,
) -> NodeId | None:
    """The first selector whose nodes have room now; else the first that some node could serve."""
    queue_at = None
    for selector in wish.selectors:
        selected = {n: view for n, view in nodes.items() if matches(selector, view.labels)}
        found = policy.pick(wish.need, selected, local, rng)
        if found is not None and has_room(wish.need, selected[found]):
            return found
        queue_at = queue_at or found
    return queue_at
