"""Where the arguments are: at once or not at all (locality), or after a wait for room there (delay scheduling).

Source: Zaharia et al., "Delay Scheduling: A Simple Technique for Achieving Locality and Fairness in Cluster
Scheduling", EuroSys 2010; the wait is Spark's `spark.locality.wait`.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol, runtime_checkable

from raysim.policies.load import LeastLoaded
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import Resources, fits


@runtime_checkable
class NearData(Protocol):
    """What a placement policy may have besides: it is told which nodes hold the arguments. Calls whose arguments are on
    other nodes then have other leases."""

    wait_ns: int
    """Nanoseconds after which a request that waits is placed anew; 0: only when something changes."""

    def pick_near(
        self,
        need: Resources,
        nodes: Mapping[NodeId, NodeView],
        local: NodeId,
        rng: Random,
        near: Sequence[NodeId],
        waited_ns: int,
    ) -> NodeId | None:
        """As `pick`, but that it may name a node without room, to wait there. `near`: those that hold most of the
        arguments' bytes, most first; never empty, and not all of them need be live. `waited_ns`: at `local`."""


class Locality(LeastLoaded):
    """The node with room that holds most of the arguments; where none of these has room, the least loaded one. It waits
    where its arguments are."""

    name = "locality"
    wait_ns = 0

    def pick_near(
        self,
        need: Resources,
        nodes: Mapping[NodeId, NodeView],
        local: NodeId,
        rng: Random,
        near: Sequence[NodeId],
        waited_ns: int,
    ) -> NodeId | None:
        able = [one for one in near if one in nodes and fits(need, nodes[one].total)]
        free = next((one for one in able if has_room(need, nodes[one])), None)
        if free is not None:
            return free
        if not able or waited_ns >= self.wait_ns:
            found = self.pick(need, nodes, local, rng)
            if found is None or not able or has_room(need, nodes[found]):
                return found
        # Where it has begun to wait it stays: elsewhere it would begin anew.
        return local if local in able else able[0]


class Delay(Locality):
    """As locality, but a request waits so long at a node that holds its arguments before it goes where there is room.

    Raises ValueError for a wait that is negative.
    """

    name = "delay"

    def __init__(self, wait_s: float = 3) -> None:
        if wait_s < 0:
            raise ValueError(f"wait_s is at least 0, not {wait_s:g}")
        self.wait_ns = round(wait_s * 1e9)
