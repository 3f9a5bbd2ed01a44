"""The node with the best score, for policies that are no more than a score. Never keeps anything.

Each looks at every node for every request: for clusters of thousands of nodes `hybrid`, which keeps a
ranking, costs less.
"""

from collections.abc import Callable, Mapping
from random import Random

from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import Resources, fits


def best_with_room(
    need: Resources, nodes: Mapping[NodeId, NodeView], score: Callable[[NodeView], float]
) -> NodeId | None:
    """Of the nodes with room now the one with the highest score, of equals the first; else where to queue."""
    best: NodeId | None = None
    highest = 0.0
    for node_id, view in nodes.items():
        if has_room(need, view):
            found = score(view)
            if best is None or found > highest:
                best, highest = node_id, found
    return best if best is not None else shortest_queue(need, nodes)


def shortest_queue(need: Resources, nodes: Mapping[NodeId, NodeView]) -> NodeId | None:
    """Of the nodes that could ever run it, the one where fewest requests wait."""
    feasible = (node_id for node_id, view in nodes.items() if fits(need, view.total))
    return min(feasible, key=lambda node_id: nodes[node_id].queued, default=None)


def with_room(need: Resources, nodes: Mapping[NodeId, NodeView]) -> list[NodeId]:
    """Those with room now; where there are none, those that could ever run it."""
    free = [node_id for node_id, view in nodes.items() if has_room(need, view)]
    return free or [node_id for node_id, view in nodes.items() if fits(need, view.total)]


def used(view: NodeView) -> float:
    """Utilisation of the scarcest resource, 0 to 1."""
    free = view.available
    return max(
        (1 - free.get(name, 0) / has for name, has in view.total.items() if has), default=0.0
    )


def drawn(some: list[NodeId], count: int, rng: Random) -> list[NodeId]:
    """So many of these, each as likely, in the order drawn; all of them where there are no more."""
    return rng.sample(some, count) if count < len(some) else some
