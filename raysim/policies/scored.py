"""A policy that is no more than a score of a node for a request. Never says what the score is."""

from collections.abc import Mapping
from random import Random

from raysim.policies.base import Nodes
from raysim.policies.ranking import Rankings
from raysim.policies.scores import shortest_queue
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import Resources


class Scored:
    """Of the nodes with room the one with the lowest score, of equals the one that joined first."""

    def __init__(self) -> None:
        self.rankings = Rankings(self.score)

    def score(self, need: Resources, view: NodeView) -> float:
        """How bad a place it is, by what is free there alone. Only asked of nodes with room."""
        raise NotImplementedError

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        others = self.rankings.others(need, nodes, local)
        here = nodes.get(local)
        if here is None or not has_room(need, here):
            return others[0][2] if others else shortest_queue(need, nodes)
        mine = (self.score(need, here), _order(nodes, local), local)
        return min(others[0], mine)[2] if others else local


def _order(nodes: Mapping[NodeId, NodeView], node_id: NodeId) -> int:
    if isinstance(nodes, Nodes):
        return nodes.order[node_id]
    return list(nodes).index(node_id)
