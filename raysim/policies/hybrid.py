"""Ray's default placement: pack up to a threshold, then spread. Never looks further while the local node is quiet.

Source: Ray's `HybridSchedulingPolicy`. Nodes whose utilisation is below the threshold, before the
request is placed, count as equally good (score 0), others by their utilisation. The local node wins
a tie for the best score; else one of the best k is drawn, so that many raylets do not all choose the
same node. Ray also keeps requests without GPUs off nodes with GPUs where it can; this does not.
"""

from bisect import bisect_left
from collections.abc import Mapping
from random import Random

from raysim.policies.ranking import Rankings
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import CPU, MEMORY, Resources, fits

CRITICAL = (CPU, MEMORY)
"""What utilisation is judged by. Ray: `CalculateCriticalResourceUtilization` (and object store memory)."""


class Hybrid:
    """`threshold`: utilisation, 0 to 1. Draws among max(`absolute`, `fraction` of the nodes)."""

    name = "hybrid"

    def __init__(self, threshold: float, fraction: float, absolute: int) -> None:
        self._threshold = threshold
        self._fraction = fraction
        self._absolute = max(1, absolute)
        self._rankings = Rankings(lambda need, view: self._score(view))

    def pick(
        self,
        need: Resources,
        nodes: Mapping[NodeId, NodeView],
        local: NodeId,
        rng: Random,
    ) -> NodeId | None:
        here = nodes.get(local)
        if here is not None and has_room(need, here) and self._score(here) == 0.0:
            return local
        return self._best(need, nodes, local, rng) or _queue_at(need, nodes, local)

    def _best(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        """Among the nodes with room now; None when there is no room."""
        others = self._rankings.others(need, nodes, local)
        count = max(self._absolute, int(self._fraction * len(nodes)))
        here = nodes.get(local)
        if here is None or not has_room(need, here):
            drawn = _draw(min(count, len(others)), rng)
            return None if drawn is None else others[drawn][2]
        better = bisect_left(others, (self._score(here), -1, local))
        if not better:
            return local
        drawn = _draw(min(count, len(others) + 1), rng)
        if drawn is None or drawn == better:
            return local
        return others[drawn if drawn < better else drawn - 1][2]

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
