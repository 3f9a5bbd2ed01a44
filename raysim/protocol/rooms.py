"""What each node lacks for a request, from the view that placement decides on. Never a decision."""

from collections.abc import Iterable, Mapping

from raysim.policies.choice import Wish
from raysim.protocol.messages import NodeRoom
from raysim.spec import labels
from raysim.spec.node import NodeView, has_room
from raysim.spec.placement_group import MARK, base_name
from raysim.spec.resources import GPU, fits, shortfall
from raysim.spec.task import InBundle, NodeAffinity, NodeLabels

MOST = 32
"""Nodes that one answer lists. Ours."""


def rooms(wish: Wish, views: Iterable[NodeView]) -> list[NodeRoom]:
    """Those that could ever run it first."""
    found = [_room(wish, view) for view in views]
    found.sort(key=lambda room: not room.ever)
    return found[:MOST]


def _room(wish: Wish, view: NodeView) -> NodeRoom:
    strategy = wish.strategy
    node_id = view.address.node_id
    why = ""
    if isinstance(strategy, NodeAffinity) and strategy.node_id != node_id and not strategy.soft:
        why = f"is not node {strategy.node_id.hex()[:8]}, which the request names"
    elif not wish.allows(view):
        why = f"does not have the labels {_wanted(wish)}"
    ever = fits(wish.need, view.total) and not why
    lacks = shortfall(wish.need, view.available)
    shown = without_group(lacks)
    if not why and isinstance(strategy, InBundle) and not ever:
        why = "has no bundle of the placement group that could hold it"
    if not why and not lacks and not has_room(wish.need, view):
        why = f"has enough {GPU} free, but not in one piece"
    return NodeRoom(node_id, shown, ever, why)


def without_group(quantities: Mapping[str, float]) -> dict[str, float]:
    """By the names that people use, of what is asked for in a placement group's own."""
    found: dict[str, float] = {}
    for name, quantity in quantities.items():
        base, index = base_name(name)
        if index is None and base != MARK:
            found[base] = quantity
    return found


def _wanted(wish: Wish) -> str:
    if isinstance(wish.strategy, NodeLabels) and not wish.selectors:
        return labels.describe(wish.strategy.hard)
    return " or ".join(labels.describe(selector) for selector in wish.selectors)
