"""Policies under which a node that has nothing to do takes over what waits at others: work stealing, Hawk.

Sources: Blumofe, Leiserson, "Scheduling Multithreaded Computations by Work Stealing", JACM 1999; Hendler, Shavit,
"Non-blocking Steal-half Work Queues", PODC 2002; Delgado, Dinu, Kermarrec, Zwaenepoel, "Hawk: Hybrid Datacenter
Scheduling", USENIX ATC 2015.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from random import Random
from typing import Protocol, runtime_checkable

import msgspec

from raysim.policies.index import Loads
from raysim.policies.queue import UNKNOWN
from raysim.policies.queueing import LateBinding, of_drawn
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources, fits, subtract

QUIET = 2
"""Nodes drawn for what does not queue where it is told to. Ours: the power of two choices."""


class Stealable(msgspec.Struct, frozen=True, gc=False):
    """A request that waits at a node, and that another node may take over."""

    number: int
    """Of its arrival there."""
    need: Resources
    expected_ns: int = UNKNOWN
    """How long its call will run, as far as is known."""


@runtime_checkable
class Stealing(Protocol):
    """What a placement policy may have besides. The raylet of a node where nothing waits and that has room asks one of
    `victims` after the other, whenever something ends there, and when it hears that requests wait elsewhere."""

    def victims(self, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random) -> list[NodeId]:
        """Whom to ask, in this order, until one gives something."""

    def loot(
        self, waiting: Sequence[Stealable], running_ns: Sequence[int], free: Resources
    ) -> list[int]:
        """The numbers of those that a node with so much room is given of what waits here, in the order of arrival.
        Each alone fits there. `running_ns`: how long what runs here will have run, each."""


class WorkStealing:
    """Calls wait at the node of who submits them. An idle node takes the latest of those that wait at another: as many
    as it has room for, and at most half of them."""

    name = "work_stealing"
    probes = False

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return of_drawn(QUIET, need, nodes, rng)

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        first = next((one for one, view in nodes.items() if fits(need, view.total)), None)
        return [] if first is None else [first] * count

    def settle(self, count: int, loads: Sequence[tuple[NodeId, int]]) -> list[NodeId]:
        return [node_id for node_id, _ in loads]

    def victims(self, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random) -> list[NodeId]:
        found = [one for one, view in nodes.items() if view.queued and one != local]
        rng.shuffle(found)
        return found

    def loot(
        self, waiting: Sequence[Stealable], running_ns: Sequence[int], free: Resources
    ) -> list[int]:
        left, found = dict(free), list[int]()
        for one in islice(reversed(waiting), (len(waiting) + 1) // 2):
            if fits(one.need, left):
                subtract(left, one.need)
                found.append(one.number)
        return found[::-1]


class Hawk(LateBinding):
    """Long calls wait at the least loaded of all nodes but a few, which are for short ones. Short ones are late
    bound, as Sparrow's, at `ratio` nodes of all drawn for each. A node that has nothing to do asks `tries` drawn of
    those that may run long ones for the short ones that wait behind the first long one there.

    `cutoff_s`: seconds from which on a call is long, by how long its function's calls took; of a synthetic task,
    its own time. `short_share`: of the nodes. Raises ValueError for a share that is none, a
    cutoff or tries that are negative.
    """

    name = "hawk"

    def __init__(
        self, cutoff_s: float = 10, short_share: float = 0.17, ratio: float = 2, tries: int = 10
    ) -> None:
        super().__init__(ratio)
        if not 0 <= short_share < 1:
            raise ValueError(f"short_share is a share, less than 1, not {short_share:g}")
        if cutoff_s < 0 or tries < 0:
            raise ValueError(f"cutoff_s={cutoff_s:g} and tries={tries} are at least 0")
        self.cutoff_ns = round(cutoff_s * 1e9)
        self._short_share = short_share
        self._tries = tries
        self._ids: set[NodeId] = set()
        self._for_short: set[NodeId] = set()
        self._loads = Loads()

    def candidates(
        self,
        need: Resources,
        count: int,
        nodes: Mapping[NodeId, NodeView],
        rng: Random,
        expected_ns: int = UNKNOWN,
    ) -> list[NodeId]:
        if not self._is_long(expected_ns):
            return super().candidates(need, count, nodes, rng)
        self._divide(nodes)
        found = self._loads.take(need, count, nodes)
        # Where only the nodes for short calls are large enough, it is they that run it.
        return found or super().candidates(need, count, nodes, rng)

    def victims(self, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random) -> list[NodeId]:
        self._divide(nodes)
        some = [one for one in nodes if one != local and one not in self._for_short]
        return rng.sample(some, min(self._tries, len(some)))

    def loot(
        self, waiting: Sequence[Stealable], running_ns: Sequence[int], free: Resources
    ) -> list[int]:
        behind = any(self._is_long(one) for one in running_ns)
        found: list[int] = []
        for one in waiting:
            if not self._is_long(one.expected_ns):
                if behind:
                    found.append(one.number)
            elif found:
                break
            else:
                behind = True
        return found

    def _is_long(self, expected_ns: int) -> bool:
        return expected_ns >= self.cutoff_ns

    def _divide(self, nodes: Mapping[NodeId, NodeView]) -> None:
        """The same nodes for all raylets that know the same ones."""
        if nodes.keys() == self._ids:
            return
        self._ids = set(nodes)
        self._for_short = set(sorted(nodes)[: round(self._short_share * len(nodes))])
        self._loads = Loads(self._for_short)
