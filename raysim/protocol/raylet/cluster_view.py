"""What this raylet knows of the nodes: its own exactly, the others as the GCS last said. Never a decision.

A request that is sent on is deducted from the other node at once, so that the next one sees it. The
next view of that node replaces the deduction. If none comes in time the deduction ends by itself:
the request may never have arrived there, and a node must not look full for ever (Ray: PR 12711).
"""

from collections.abc import Callable, Iterable

import msgspec

from raysim.protocol.host import Host
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeInfo, NodeView
from raysim.spec.resources import Resources, subtract

DEDUCTION_PERIODS = 4
"""Report periods that a deduction lasts: grant, report, and broadcast take at most three. Ours."""


class ClusterView:
    """`nodes`: the live ones, this one first, then in the order of their joining."""

    def __init__(
        self, host: Host, info: NodeInfo, on_room: Callable[[list[NodeView]], None]
    ) -> None:
        self._host = host
        self._on_room = on_room
        self.local_id: NodeId = info.address.node_id
        self.local = NodeView(info.address, info.total, dict(info.total), labels=dict(info.labels))
        self.nodes: dict[NodeId, NodeView] = {self.local_id: self.local}
        self._removed: dict[NodeId, None] = {}
        self._deducted: dict[NodeId, tuple[NodeView, int]] = {}
        self._timing = False

    def add(self, info: NodeInfo) -> NodeView | None:
        """A node joined; None if it is known."""
        node_id = info.address.node_id
        if node_id in self.nodes:
            return None
        self._removed.pop(node_id, None)
        view = NodeView(info.address, info.total, info.total, labels=info.labels)
        self.nodes[node_id] = view
        return view

    def remove(self, node_id: NodeId) -> None:
        """It is gone; a view that was under way does not bring it back."""
        if node_id != self.local_id:
            self._removed[node_id] = None
            self._deducted.pop(node_id, None)
            self.nodes.pop(node_id, None)

    def update(self, views: Iterable[NodeView]) -> list[NodeView]:
        """Take over what is newer; returns that. A view may be shared with other raylets: never written to."""
        nodes = self.nodes
        taken = []
        for view in views:
            node_id = view.address.node_id
            known = nodes.get(node_id)
            if known is self.local or node_id in self._removed:
                continue
            if known is not None and view.version < known.version:
                continue
            nodes[node_id] = view
            if self._deducted:
                self._deducted.pop(node_id, None)
            taken.append(view)
        return taken

    def deduct(self, node_id: NodeId, need: Resources) -> None:
        """A request was sent there."""
        view = self.nodes[node_id]
        reported = self._deducted.get(node_id, (view, 0))[0]
        available = dict(view.available)
        subtract(available, need)
        self.nodes[node_id] = msgspec.structs.replace(view, available=available)
        lasting_ns = DEDUCTION_PERIODS * self._host.config.resource_report_period_ns
        self._deducted[node_id] = (reported, self._host.now_ns() + lasting_ns)
        if not self._timing:
            self._timing = True
            self._host.call_later(lasting_ns, self._end_deductions)

    def _end_deductions(self) -> None:
        self._timing = False
        now = self._host.now_ns()
        ended = []
        next_ns = None
        for node_id, (reported, until_ns) in list(self._deducted.items()):
            if until_ns <= now:
                del self._deducted[node_id]
                self.nodes[node_id] = reported
                ended.append(reported)
            else:
                next_ns = until_ns if next_ns is None else min(next_ns, until_ns)
        if next_ns is not None:
            self._timing = True
            self._host.call_later(next_ns - now, self._end_deductions)
        if ended:
            self._on_room(ended)
