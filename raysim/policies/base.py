"""What a placement policy is. Never a policy itself."""

from collections.abc import Mapping
from random import Random
from typing import Protocol

from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources


class Policy(Protocol):
    """Chooses a node for a request. One object per raylet; it may remember (round robin does)."""

    name: str

    def pick(
        self,
        need: Resources,
        nodes: Mapping[NodeId, NodeView],
        local: NodeId,
        rng: Random,
    ) -> NodeId | None:
        """The node to run on: one where `need` fits now; else the one to queue at (it fits its total);
        None when no node could ever run it. `nodes` is in a fixed order and holds live nodes only."""
