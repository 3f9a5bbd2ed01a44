"""Ray's default placement: pack up to a threshold, then spread. Never looks further while the local node is quiet.

Source: Ray's `HybridSchedulingPolicy`. Nodes whose utilisation is below the threshold, before the
request is placed, count as equally good (score 0), others by their utilisation. The local node wins
a tie for the best score; else one of the best k is drawn, so that many raylets do not all choose the
same node. Ray also keeps requests without GPUs off nodes with GPUs where it can; this does not.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from random import Random

from raysim.policies.base import Nodes
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import CPU, MEMORY, Resources, fits

CRITICAL = (CPU, MEMORY)
"""What utilisation is judged by. Ray: `CalculateCriticalResourceUtilization` (and object store memory)."""

SHAPES = 32
"""Shapes of requests whose ranking of the nodes is kept. Ours."""


class Hybrid:
    """`threshold`: utilisation, 0 to 1. Draws among max(`absolute`, `fraction` of the nodes)."""

    name = "hybrid"

    def __init__(self, threshold: float, fraction: float, absolute: int) -> None:
        self._threshold = threshold
        self._fraction = fraction
        self._absolute = max(1, absolute)
        self._rankings: dict[tuple[tuple[str, int], ...], _Ranking] = {}
        """By what is needed, the last ones asked for."""

    def pick(
        self,
        need: Resources,
        nodes: Mapping[NodeId, NodeView],
        local: NodeId,
        rng: Random,
    ) -> NodeId | None:
        here = nodes.get(local)
        if here is not None and fits(need, here.available) and self._score(here) == 0.0:
            return local
        return self._best(need, nodes, local, rng) or _queue_at(need, nodes, local)

    def _best(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        """Among the nodes with room now; None when there is no room."""
        others = self._ranking(need, nodes, local).ranked
        count = max(self._absolute, int(self._fraction * len(nodes)))
        here = nodes.get(local)
        if here is None or not fits(need, here.available):
            drawn = _draw(min(count, len(others)), rng)
            return None if drawn is None else others[drawn][2]
        better = bisect_left(others, (self._score(here), -1, local))
        if not better:
            return local
        drawn = _draw(min(count, len(others) + 1), rng)
        if drawn is None or drawn == better:
            return local
        return others[drawn if drawn < better else drawn - 1][2]

    def _ranking(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId
    ) -> "_Ranking":
        if not isinstance(nodes, Nodes):
            ranking = _Ranking(need, self._score)
            for order, (node_id, view) in enumerate(nodes.items()):
                if node_id != local:
                    ranking.place(node_id, view, order)
            return ranking
        shape = tuple(need.items())
        known = self._rankings.pop(shape, None)
        if known is None:
            known = _Ranking(dict(need), self._score)
            if len(self._rankings) == SHAPES:
                del self._rankings[next(iter(self._rankings))]
        self._rankings[shape] = known
        known.follow(nodes, local)
        return known

    def _score(self, view: NodeView) -> float:
        """Utilisation of the scarcest critical resource as it is now; 0 below the threshold."""
        highest = 0.0
        total = view.total
        available = view.available
        for name in CRITICAL:
            has = total.get(name)
            if has:
                used = 1.0 - available.get(name, 0) / has
                if used > highest:
                    highest = used
        return highest if highest >= self._threshold else 0.0


class _Ranking:
    """The other nodes with room for one shape, best first: kept up to date, not made for each request."""

    __slots__ = ("_need", "_places", "_score", "_seen", "ranked")

    def __init__(self, need: Resources, score: Callable[[NodeView], float]) -> None:
        self._need = need
        self._score = score
        self._seen = -1
        self._places: dict[NodeId, tuple[float, int, NodeId]] = {}
        self.ranked: list[tuple[float, int, NodeId]] = []
        """Score, order of joining, node."""

    def follow(self, nodes: Nodes, local: NodeId) -> None:
        changed: Iterable[NodeId] | None = nodes.changed_since(self._seen)
        if changed is None:
            self._places.clear()
            self.ranked.clear()
            changed = nodes
        elif not changed:
            return
        self._seen = nodes.now
        order = nodes.order
        for node_id in dict.fromkeys(changed):
            if node_id != local:
                self.place(node_id, nodes.get(node_id), order[node_id])

    def place(self, node_id: NodeId, view: NodeView | None, order: int) -> None:
        ranked = self.ranked
        before = self._places.pop(node_id, None)
        if before is not None:
            del ranked[bisect_left(ranked, before)]
        if view is not None and fits(self._need, view.available):
            self._places[node_id] = place = (self._score(view), order, node_id)
            insort(ranked, place)


def _draw(count: int, rng: Random) -> int | None:
    """One of the best `count`; None if there is none."""
    return rng.randrange(count) if count > 1 else 0 if count else None


def _queue_at(need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId) -> NodeId | None:
    """Where it fits when the node is empty: the local node, else the one with the shortest queue."""
    here = nodes.get(local)
    if here is not None and fits(need, here.total):
        return local
    best: NodeId | None = None
    shortest = 0
    for node_id, view in nodes.items():
        if (best is None or view.queued < shortest) and fits(need, view.total):
            best, shortest = node_id, view.queued
    return best
