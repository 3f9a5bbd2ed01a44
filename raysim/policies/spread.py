"""Round robin over the nodes (Ray: "SPREAD"). Never draws, never prefers the local node."""

from collections.abc import Mapping
from itertools import chain
from random import Random

from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import Resources, fits


class Spread:
    """Remembers whose turn it is."""

    name = "spread"

    def __init__(self) -> None:
        self._turn = 0

    def pick(
        self,
        need: Resources,
        nodes: Mapping[NodeId, NodeView],
        local: NodeId,
        rng: Random,
    ) -> NodeId | None:
        order: list[NodeId] = list(nodes)
        start = self._turn % len(order) if order else 0
        feasible: int | None = None
        for position in chain(range(start, len(order)), range(start)):
            view = nodes[order[position]]
            if has_room(need, view):
                self._turn = position + 1
                return order[position]
            if feasible is None and fits(need, view.total):
                feasible = position
        if feasible is None:
            return None
        self._turn = feasible + 1
        return order[feasible]
