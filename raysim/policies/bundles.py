"""Where the bundles of a placement group go: all of them, or none. Never reserves: see gcs/bundle_placer.

Source: Ray's `bundle_scheduling_policy.cc` and `scorer.cc`. Scarce bundles come first (GPUs, then custom
resources, memory, CPUs, more before less). The best node for a bundle is the one that keeps the largest
share of what the bundle asks for. Ties go to the node that joined first.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from raysim.spec.ids import NodeId
from raysim.spec.labels import Selector, matches
from raysim.spec.node import NodeView
from raysim.spec.placement_group import GroupSpec, GroupStrategy
from raysim.spec.resources import CPU, GPU, MEMORY, Resources, fits, subtract, total


class _Node(msgspec.Struct):
    """A node while the bundles of one group are tried on it."""

    node_id: NodeId
    free: Resources
    labels: Mapping[str, str]


_Nodes = dict[NodeId, _Node]


def place_bundles(
    spec: GroupSpec,
    nodes: Mapping[NodeId, NodeView],
    placed: Mapping[int, NodeId],
) -> dict[int, NodeId] | None:
    """A node for every bundle that is not in `placed`; None when they do not fit all at once now.

    `nodes` are the live ones in a fixed order, with what is free. `placed` are the bundles that keep
    their places (their nodes outlived another one).
    """
    return _place(spec, nodes, placed, lambda view: view.available)


def is_feasible(
    spec: GroupSpec, nodes: Mapping[NodeId, NodeView], placed: Mapping[int, NodeId]
) -> bool:
    """Whether the bundles would have places if the nodes were empty."""
    return _place(spec, nodes, placed, lambda view: view.total) is not None


def _place(
    spec: GroupSpec,
    nodes: Mapping[NodeId, NodeView],
    placed: Mapping[int, NodeId],
    free: Callable[[NodeView], Resources],
) -> dict[int, NodeId] | None:
    trial = {
        node_id: _Node(node_id, dict(free(view)), view.labels) for node_id, view in nodes.items()
    }
    wanted = [index for index in range(len(spec.bundles)) if index not in placed]
    wanted.sort(key=_scarcity(spec.bundles))
    rule = _RULES[spec.strategy]
    return rule(spec, wanted, trial, list(dict.fromkeys(placed.values())))


def _pack(
    spec: GroupSpec, wanted: Sequence[int], nodes: _Nodes, used: Sequence[NodeId]
) -> dict[int, NodeId] | None:
    """As few nodes as a greedy choice finds, the group's own ones first."""
    found: dict[int, NodeId] = {}
    left = list(wanted)
    first = {node_id: nodes.pop(node_id) for node_id in used if node_id in nodes}
    while left:
        best = _best(spec, left[0], first) or _best(spec, left[0], nodes)
        if best is None:
            return None
        for index in [index for index in left if _take(spec, index, best)]:
            found[index] = best.node_id
        left = [index for index in left if index not in found]
        first.pop(best.node_id, None)
        nodes.pop(best.node_id, None)
    return found


def _spread(
    spec: GroupSpec, wanted: Sequence[int], nodes: _Nodes, used: Sequence[NodeId]
) -> dict[int, NodeId] | None:
    """A node of its own for each bundle while there is one, then those that have one already."""
    found: dict[int, NodeId] = {}
    chosen = {node_id: nodes.pop(node_id) for node_id in used if node_id in nodes}
    for index in wanted:
        best = _best(spec, index, nodes) or _best(spec, index, chosen)
        if best is None:
            return None
        _take(spec, index, best)
        found[index] = best.node_id
        if nodes.pop(best.node_id, None) is not None:
            chosen[best.node_id] = best
    return found


def _strict_pack(
    spec: GroupSpec, wanted: Sequence[int], nodes: _Nodes, used: Sequence[NodeId]
) -> dict[int, NodeId] | None:
    """One node for all: the target if it has room, the group's own one if it has any."""
    need = total(spec.bundles[index] for index in wanted)
    allowed = {
        node_id: node
        for node_id, node in nodes.items()
        if (not used or node_id in used)
        and all(matches(_selector(spec, index), node.labels) for index in wanted)
    }
    target = {spec.target: allowed[spec.target]} if spec.target in allowed else {}
    best = _least_loaded(need, target) or _least_loaded(need, allowed)
    return None if best is None else dict.fromkeys(wanted, best.node_id)


def _strict_spread(
    spec: GroupSpec, wanted: Sequence[int], nodes: _Nodes, used: Sequence[NodeId]
) -> dict[int, NodeId] | None:
    """A node of its own for each bundle."""
    for node_id in used:
        nodes.pop(node_id, None)
    found: dict[int, NodeId] = {}
    for index in wanted:
        best = _best(spec, index, nodes)
        if best is None:
            return None
        found[index] = best.node_id
        del nodes[best.node_id]
    return found


_RULES = {
    GroupStrategy.PACK: _pack,
    GroupStrategy.SPREAD: _spread,
    GroupStrategy.STRICT_PACK: _strict_pack,
    GroupStrategy.STRICT_SPREAD: _strict_spread,
}


def _scarcity(bundles: Sequence[Resources]) -> Callable[[int], tuple[int, ...]]:
    """The key by which bundles come one after another: the scarcest first."""
    known = (GPU, MEMORY, CPU)
    custom = sorted({name for bundle in bundles for name in bundle if name not in known})
    names = (GPU, *custom, MEMORY, CPU)
    return lambda index: tuple(-bundles[index].get(name, 0) for name in names)


def _best(spec: GroupSpec, index: int, nodes: _Nodes) -> _Node | None:
    selector = _selector(spec, index)
    if selector:
        nodes = {n: node for n, node in nodes.items() if matches(selector, node.labels)}
    return _least_loaded(spec.bundles[index], nodes)


def _least_loaded(need: Resources, nodes: _Nodes) -> _Node | None:
    best: _Node | None = None
    highest = -1.0
    for node in nodes.values():
        if fits(need, node.free):
            score = sum((node.free[name] - units) / node.free[name] for name, units in need.items())
            if score > highest:
                best, highest = node, score
    return best


def _take(spec: GroupSpec, index: int, node: _Node) -> bool:
    """Put the bundle there if it may be and fits."""
    need = spec.bundles[index]
    if not fits(need, node.free) or not matches(_selector(spec, index), node.labels):
        return False
    subtract(node.free, need)
    return True


def _selector(spec: GroupSpec, index: int) -> Selector:
    return spec.selectors[index] if spec.selectors else ()
