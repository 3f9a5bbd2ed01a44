"""Ray's default placement: pack up to a threshold, then spread. Never looks further while the local node is quiet.

Source: Ray's `HybridSchedulingPolicy`. Nodes whose utilisation is below the threshold, before the
request is placed, count as equally good (score 0), others by their utilisation. The local node wins
a tie for the best score; else one of the best k is drawn, so that many raylets do not all choose the
same node. Ray also keeps requests without GPUs off nodes with GPUs where it can; this does not.
"""

from collections.abc import Mapping
from heapq import nsmallest
from random import Random

from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
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
        count = max(self._absolute, int(self._fraction * len(nodes)))
        best: list[NodeId] = []
        busy: list[tuple[float, int, NodeId]] = []
        for node_id, view in nodes.items():
            if not fits(need, view.available):
                continue
            score = self._score(view)
            if score:
                busy.append((score, 0 if node_id == local else len(busy) + 1, node_id))
            else:
                best.append(node_id)
                if len(best) == count:
                    break  # Those to come can only tie, and ties go to the first.
        if len(best) < count:
            best.extend(node_id for _, _, node_id in nsmallest(count - len(best), busy))
        if not best:
            return None
        if best[0] == local or len(best) == 1:
            return best[0]
        return best[rng.randrange(len(best))]

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
