"""Bin packing: first fit, best fit, worst fit, dot product. None draws, none prefers the local node.

Sources: Johnson, "Near-optimal bin packing algorithms", 1973 (first, best and worst fit); Panigrahy et
al., "Heuristics for Vector Bin Packing", 2011, and Grandl et al., "Multi-resource Packing for Cluster
Schedulers" (Tetris), SIGCOMM 2014 (dot product). What is left and what is asked for are measured as
shares of what the node has, so that bytes and cores weigh alike.
"""

from collections.abc import Mapping
from random import Random

from raysim.policies.scores import best_with_room
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources


class FirstFit:
    """The first node with room, in the order in which they joined."""

    name = "first_fit"

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return best_with_room(need, nodes, lambda view: 0.0)


class BestFit:
    """The node that has least left: large holes are kept for large requests."""

    name = "best_fit"

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return best_with_room(need, nodes, lambda view: -_left(need, view))


class WorstFit:
    """The node that has most left: the load is even, and no hole stays large."""

    name = "worst_fit"

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return best_with_room(need, nodes, lambda view: _left(need, view))


class DotProduct:
    """The node whose free resources are most like the request: those that ask for memory go to memory."""

    name = "dot_product"

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return best_with_room(need, nodes, lambda view: _alignment(need, view))


def _left(need: Resources, view: NodeView) -> float:
    """The mean share of what is asked for that would stay free there."""
    free, total = view.available, view.total
    shares = [(free[name] - units) / total[name] for name, units in need.items() if units]
    return sum(shares) / len(shares) if shares else 0.0


def _alignment(need: Resources, view: NodeView) -> float:
    free, total = view.available, view.total
    return sum(
        units / total[name] * (free[name] / total[name]) for name, units in need.items() if units
    )
