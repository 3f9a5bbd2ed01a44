"""Policies that say where a call waits, though other nodes may have room: random, power of d, Sparrow's, omniscient.

Each call has a lease request of its own at the node that was drawn for it, first come first served
there, and its lease runs nothing else. That is what queueing theory and Sparrow mean by a policy.
Actors, and tasks with wishes of their own, are placed as by other policies: where there is room.

Sources: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 2001 (the
supermarket model); Ousterhout et al., "Sparrow: Distributed, Low Latency Scheduling", SOSP 2013 (batch
sampling, late binding, and the omniscient scheduler that these are measured by).
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol, runtime_checkable

from raysim.policies.base import Policy
from raysim.policies.index import Loads
from raysim.policies.queue import UNKNOWN
from raysim.policies.scores import drawn, used, with_room
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources, fits

TRIES = 4
"""Draws of a node until all are looked at for those that could run the request. Ours."""


@runtime_checkable
class ByLength(Protocol):
    """What such a policy may have besides: long calls and short ones wait apart."""

    cutoff_ns: int
    """Nanoseconds from which on a call is long."""


@runtime_checkable
class Queueing(Policy, Protocol):
    """One object per raylet. It places calls that are submitted together, together."""

    probes: bool
    """Whether the candidates are asked how long their queues are; else they are the answer."""

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        """For `count` calls, each expected to take so long. Nodes that could ever run them, perhaps repeatedly; none:
        there is none."""

    def settle(self, count: int, loads: Sequence[tuple[NodeId, int]]) -> list[NodeId]:
        """Where lease requests wait, given the load of each candidate: see `QueueProbed`. At least `count`."""


class RandomQueue:
    """Any node for each call, each as likely."""

    name = "random_queue"
    probes = False

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        candidates = with_room(need, nodes)
        return rng.choice(candidates) if candidates else None

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        draw = _Draw(need, nodes, rng)
        return [one for _ in range(count) for one in draw.some(1)]

    def settle(self, count: int, loads: Sequence[tuple[NodeId, int]]) -> list[NodeId]:
        return [node_id for node_id, _ in loads]


class PowerOfD:
    """For each call, of `d` nodes drawn the one with the least load. Raises ValueError where d is less than 1."""

    name = "power_of_d"
    probes = True

    def __init__(self, d: int = 2) -> None:
        if d < 1:
            raise ValueError(f"it draws at least one node, not d={d}")
        self._d = d

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return of_drawn(self._d, need, nodes, rng)

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        draw = _Draw(need, nodes, rng)
        return [one for _ in range(count) for one in draw.some(self._d)]

    def settle(self, count: int, loads: Sequence[tuple[NodeId, int]]) -> list[NodeId]:
        each = len(loads) // count
        hands = (loads[first : first + each] for first in range(0, len(loads), each))
        return [min(hand, key=_load)[0] for hand in hands]


class BatchSampling:
    """Of `ratio` nodes drawn for each call, those with the least load. Raises ValueError for a ratio below 1."""

    name = "batch_sampling"
    probes = True

    def __init__(self, ratio: float = 2) -> None:
        if ratio < 1:
            raise ValueError(f"it draws at least one node for a call, not ratio={ratio:g}")
        self._ratio = ratio

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return of_drawn(round(self._ratio), need, nodes, rng)

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        return _Draw(need, nodes, rng).some(round(self._ratio * count), again=True)

    def settle(self, count: int, loads: Sequence[tuple[NodeId, int]]) -> list[NodeId]:
        """A node that was drawn repeatedly counts as one longer each time."""
        seen: dict[NodeId, int] = {}
        ranked = []
        for node_id, load in loads:
            seen[node_id] = times = seen.get(node_id, -1) + 1
            ranked.append((node_id, load + times))
        ranked.sort(key=_load)
        return [node_id for node_id, _ in ranked[:count]]


class LateBinding(BatchSampling):
    """A lease request at `ratio` nodes drawn for each of the calls. The first to be granted serve them, the others
    are cancelled. Nobody is asked how long queues are."""

    name = "late_binding"
    probes = False

    def settle(self, count: int, loads: Sequence[tuple[NodeId, int]]) -> list[NodeId]:
        return [node_id for node_id, _ in loads]


class Omniscient:
    """The least loaded of all nodes, by all that is known of them: no more than the network lets be known."""

    name = "omniscient"
    probes = False

    def __init__(self) -> None:
        self._loads = Loads()

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return of_drawn(len(nodes), need, nodes, rng)

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        return self._loads.take(need, count, nodes)

    def settle(self, count: int, loads: Sequence[tuple[NodeId, int]]) -> list[NodeId]:
        return [node_id for node_id, _ in loads]


class _Draw:
    """Draws nodes that could ever run a request. It looks at all of them only where many could not."""

    def __init__(self, need: Resources, nodes: Mapping[NodeId, NodeView], rng: Random) -> None:
        self._need, self._nodes, self._rng = need, nodes, rng
        self._ids = list(nodes)
        self._all_can = False

    def some(self, count: int, again: bool = False) -> list[NodeId]:
        """So many different ones, in the order drawn. All where there are no more, `again` and again if asked to."""
        for _ in range(TRIES):
            found = self._sample(count, again)
            if self._all_can or all(self._can(one) for one in found):
                return found
        self._ids = [one for one in self._ids if self._can(one)]
        self._all_can = True
        return self._sample(count, again)

    def _can(self, node_id: NodeId) -> bool:
        return fits(self._need, self._nodes[node_id].total)

    def _sample(self, count: int, again: bool) -> list[NodeId]:
        ids = self._ids
        if not ids:
            return []
        if count == 1:
            return [self._rng.choice(ids)]
        found: list[NodeId] = []
        while again and count - len(found) > len(ids):
            found += self._rng.sample(ids, len(ids))
        return found + self._rng.sample(ids, min(count - len(found), len(ids)))


def _load(one: tuple[NodeId, int]) -> int:
    return one[1]


def of_drawn(
    count: int, need: Resources, nodes: Mapping[NodeId, NodeView], rng: Random
) -> NodeId | None:
    """For what does not queue where it is told to: of so many drawn with room, the quietest."""
    candidates = drawn(with_room(need, nodes), count, rng)
    return min(candidates, key=lambda one: (nodes[one].queued, used(nodes[one])), default=None)
