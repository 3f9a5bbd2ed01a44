"""What a placement policy is, and what it is shown. Never a policy itself."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol

from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources

REMEMBERED = 256
"""Changes that are told apart, at least. Ours."""


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


class Nodes(dict[NodeId, NodeView]):
    """Live nodes as one raylet or the GCS knows them, its own first, and which changed lately.

    A policy that keeps an index of the nodes asks `changed_since` instead of looking at all of them
    for every request. The view of the own node is written to in place: it counts as ever changed.
    """

    __slots__ = ("_changes", "_local", "_passed", "order")

    def __init__(self, local: NodeView) -> None:
        super().__init__()
        self._local = local
        self._changes: list[NodeId] = []
        self._passed = 0
        self.order: dict[NodeId, int] = {}
        """Where each stands: grows in the order of their joining."""
        self.put(local.address.node_id, local)

    def put(self, node_id: NodeId, view: NodeView) -> None:
        if node_id not in self.order:
            self.order[node_id] = len(self.order)
        self[node_id] = view
        self._note(node_id)

    def drop(self, node_id: NodeId) -> None:
        if self.pop(node_id, None) is not None:
            self._note(node_id)

    def forget_others(self) -> None:
        self.clear()
        self.put(self._local.address.node_id, self._local)
        self._passed += len(self._changes) + 1
        self._changes.clear()

    @property
    def now(self) -> int:
        """To be given to `changed_since` the next time."""
        return self._passed + len(self._changes)

    def changed_since(self, then: int) -> Sequence[NodeId] | None:
        """Those that were put or dropped since. None: too many to tell, look at all."""
        if then < self._passed:
            return None
        return self._changes[then - self._passed :]

    def _note(self, node_id: NodeId) -> None:
        changes = self._changes
        changes.append(node_id)
        if len(changes) > REMEMBERED and len(changes) > 2 * len(self):
            self._passed += len(changes)
            changes.clear()
