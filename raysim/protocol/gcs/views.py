"""What each live node has free, as reported and as placement may count on. Never which nodes live.

Only raylets that have to choose among the nodes hear of them: see `WatchNodes`.

A report replaces what was known; in between, what placement asked a node for counts as taken. A
raylet's grant and its reports arrive in the order they were sent, so a report that comes after the
grant holds the request. One that comes before it holds it too, where a worker had to be started:
then it counts twice until the report that follows every grant.
"""

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.host import Timer
from raysim.protocol.messages import ReportResources, ResourceView
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeInfo, NodeView, StoreStats
from raysim.spec.resources import Resources, add, subtract

JOIN_HASTE = 10
"""A new node is told of that many times sooner than a change of an old one: work may wait for it,
and nodes join seldom. Ours."""


class _Node:
    __slots__ = ("asked", "granted", "reported", "stats", "view")

    def __init__(self, info: NodeInfo) -> None:
        self.reported = NodeView(info.address, info.total, dict(info.total), labels=info.labels)
        """Shared with whoever received it: replaced, never changed."""
        self.view = NodeView(info.address, info.total, dict(info.total), labels=info.labels)
        self.stats = StoreStats()
        self.asked: dict[int, Resources] = {}
        """By lease: asked for, not answered."""
        self.granted: dict[int, Resources] = {}
        """By lease: granted since the last report."""


class Views:
    """Keeps the views, and tells those who watch of what changed, at most once a report period."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._host = outbox.host
        self._watching: dict[NodeId, Address] = {}
        """The raylets that are told of changes."""
        self._period_ns = outbox.host.config.resource_report_period_ns
        self._nodes: dict[NodeId, _Node] = {}
        self.live: dict[NodeId, NodeView] = {}
        """What placement sees, in the order in which the nodes joined: without those that drain."""
        self.membership = 0
        """Grows whenever `live` has other nodes than before."""
        self._changed: dict[NodeId, NodeView] = {}
        self._timer: Timer | None = None
        self._due_ns = 0
        self._last_ns: int | None = None

    def add(self, info: NodeInfo) -> None:
        node = _Node(info)
        node_id = info.address.node_id
        self._nodes[node_id] = node
        self.live[node_id] = node.view
        self.membership += 1
        self._change(node_id, node, self._period_ns // JOIN_HASTE)

    def remove(self, node_id: NodeId) -> None:
        self.withdraw(node_id)
        del self._nodes[node_id]
        self._watching.pop(node_id, None)

    def withdraw(self, node_id: NodeId) -> None:
        """It lives, and placement does not see it any more."""
        if self.live.pop(node_id, None) is not None:
            self.membership += 1
            self._changed.pop(node_id, None)

    def raylet(self, node_id: NodeId) -> Address | None:
        """Of a node that lives, whether placement sees it or not."""
        node = self._nodes.get(node_id)
        return None if node is None else node.reported.address

    def watch(self, raylet: Address, on: bool) -> None:
        """Tell it of all nodes, and of every change from now on; or of none any more."""
        if not on:
            self._watching.pop(raylet.node_id, None)
            return
        self._watching[raylet.node_id] = raylet
        reported = [self._nodes[node_id].reported for node_id in self.live]
        self._outbox.send(raylet, ResourceView(reported, whole=True))

    def reported(self, node_id: NodeId) -> tuple[NodeView, StoreStats]:
        node = self._nodes[node_id]
        return node.reported, node.stats

    def on_report(self, raylet: Address, report: ReportResources) -> None:
        node = self._nodes.get(raylet.node_id)
        if node is None or report.version < node.reported.version:
            return  # Not registered (its retry will tell), or overtaken by a newer report.
        node.stats = report.stats
        node.reported = NodeView(
            node.reported.address,
            report.total,
            report.available,
            report.version,
            report.queued,
            node.reported.labels,
            report.gpus,
        )
        node.granted = {}
        view = node.view
        view.total = report.total
        view.version = report.version
        view.queued = report.queued
        view.gpus = report.gpus
        view.available = available = dict(report.available)
        for need in node.asked.values():
            subtract(available, need)
        self._change(raylet.node_id, node, self._period_ns)

    # What placement asks for.

    def ask(self, node_id: NodeId, lease_id: int, need: Resources) -> None:
        node = self._nodes[node_id]
        node.asked[lease_id] = need
        subtract(node.view.available, need)

    def answered(self, node_id: NodeId, lease_id: int, held: Resources | None) -> None:
        """Granted: `held` stays taken. None: the request is not at that node any more."""
        node = self._nodes.get(node_id)
        if node is None:
            return
        need = node.asked.pop(lease_id, None)
        if need is not None:
            add(node.view.available, need)
            if held is not None:
                node.granted[lease_id] = held
                subtract(node.view.available, held)

    def returned(self, node_id: NodeId, lease_id: int) -> None:
        """Granted and given back within one period: the raylet may see no change to report."""
        node = self._nodes.get(node_id)
        if node is not None:
            held = node.granted.pop(lease_id, None)
            if held is not None:
                add(node.view.available, held)

    # What raylets are told.

    def _change(self, node_id: NodeId, node: _Node, spacing_ns: int) -> None:
        """Tell of it, at least `spacing_ns` after what was last told."""
        if not self._watching or node_id not in self.live:
            return
        self._changed[node_id] = node.reported
        now = self._host.now_ns()
        due_ns = now if self._last_ns is None else max(now, self._last_ns + spacing_ns)
        if self._timer is not None:
            if self._due_ns <= due_ns:
                return
            self._timer.cancel()
        self._due_ns = due_ns
        if self._host.buggify("gcs.view_late"):
            due_ns += 3 * self._period_ns
        # After a quiet time at once, but not from here: what else changes at this instant joins in.
        self._timer = self._outbox.call_later(due_ns - now, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._last_ns = self._host.now_ns()
        changed, self._changed = self._changed, {}
        if not changed:
            return
        message = ResourceView(list(changed.values()))
        only = next(iter(changed)) if len(changed) == 1 else None
        for raylet in self._watching.values():
            if raylet.node_id != only:
                self._outbox.send(raylet, message)
