"""The nodes with room for a shape of request, best first: kept up to date, not made for each. Never draws."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from raysim.policies.base import Nodes
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import Resources

SHAPES = 256
"""Shapes of requests whose ranking of the nodes is kept. Ours."""

Score: TypeAlias = Callable[[Resources, NodeView], float]


class Rankings:
    """By what is needed, the last ones asked for. The node with the lowest score is the best."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self._known: dict[tuple[tuple[str, int], ...], Ranking] = {}

    def others(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId
    ) -> "list[Place]":
        """All with room but the local one: its view is written to in place, so it is judged when asked for."""
        if not isinstance(nodes, Nodes):
            ranking = Ranking(need, self._score)
            for order, (node_id, view) in enumerate(nodes.items()):
                if node_id != local:
                    ranking.place(node_id, view, order)
            return ranking.ranked
        shape = tuple(need.items())
        known = self._known.pop(shape, None)
        if known is None:
            known = Ranking(dict(need), self._score)
            if len(self._known) == SHAPES:
                del self._known[next(iter(self._known))]
        self._known[shape] = known
        known.follow(nodes, local)
        return known.ranked

    def again(self, node_id: NodeId, nodes: Mapping[NodeId, NodeView]) -> None:
        """This node is judged otherwise from now on, though its view has not changed."""
        if isinstance(nodes, Nodes):
            for ranking in self._known.values():
                ranking.judge_again(node_id, nodes)

    def forget(self) -> None:
        """Nodes are judged otherwise from now on."""
        self._known.clear()


Place: TypeAlias = tuple[float, int, NodeId]
"""Score, order of joining, node."""


class Ranking:
    """Of the nodes for one shape."""

    __slots__ = ("_judged", "_need", "_places", "_score", "_seen", "ranked")

    def __init__(self, need: Resources, score: Score) -> None:
        self._need = need
        self._score = score
        self._seen = -1
        self._judged: dict[NodeId, NodeView] = {}
        self._places: dict[NodeId, Place] = {}
        self.ranked: list[Place] = []

    def follow(self, nodes: Nodes, local: NodeId) -> None:
        changed: Iterable[NodeId] | None = nodes.changed_since(self._seen)
        if changed is None:
            changed = self._unlike(nodes)
        elif not changed:
            return
        self._seen = nodes.now
        order = nodes.order
        for node_id in dict.fromkeys(changed):
            if node_id != local:
                self.place(node_id, nodes.get(node_id), order[node_id])

    def _unlike(self, nodes: Nodes) -> list[NodeId]:
        """Those that are not as they were judged. Who forgot the others is mostly told of the same ones again."""
        judged = self._judged
        gone = [node_id for node_id in judged if node_id not in nodes]
        return gone + [
            node_id
            for node_id, view in nodes.items()
            if (before := judged.get(node_id)) is not view
            and (before is None or not _alike(before, view))
        ]

    def judge_again(self, node_id: NodeId, nodes: Nodes) -> None:
        if node_id in self._places:
            self.place(node_id, nodes.get(node_id), nodes.order[node_id])

    def place(self, node_id: NodeId, view: NodeView | None, order: int) -> None:
        ranked = self.ranked
        before = self._places.pop(node_id, None)
        if before is not None:
            del ranked[bisect_left(ranked, before)]
        if view is None:
            self._judged.pop(node_id, None)
            return
        self._judged[node_id] = view
        if has_room(self._need, view):
            self._places[node_id] = place = (self._score(self._need, view), order, node_id)
            insort(ranked, place)


def _alike(one: NodeView, other: NodeView) -> bool:
    """Whether no score tells them apart."""
    return one.available == other.available and one.gpus == other.gpus and one.total == other.total
