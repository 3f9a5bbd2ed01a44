"""What this raylet knows of the nodes: its own exactly, the others as the GCS last said. Never a decision.

It hears of the others only while it has to choose among them: `watch` asks for that, and a while
after the last choice it ends. Without a watch nothing but this node is known.

A request that is sent on is deducted from the other node at once, so that the next one sees it. The
next view of that node replaces the deduction. If none comes in time the deduction ends by itself:
the request may never have arrived there, and a node must not look full for ever (Ray: PR 12711).
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from raysim.policies.base import Nodes
from raysim.policies.devices import without
from raysim.protocol.host import Host
from raysim.protocol.messages import ResourceView, WatchNodes
from raysim.protocol.raylet.fence import REMEMBERED
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeInfo, NodeView
from raysim.spec.resources import Resources, subtract

DEDUCTION_PERIODS = 4
"""Report periods that a deduction lasts: grant, report, and broadcast take at most three. Ours."""


class ClusterView:
    """`nodes`: the live ones that are known, this one first, then in the order of their joining.

    `on_room(views)`: these have other resources than before, or are new.
    `needed()`: whether something waits here that another node could take.
    """

    def __init__(
        self,
        host: Host,
        info: NodeInfo,
        gcs: Address,
        on_room: Callable[[list[NodeView]], None],
        needed: Callable[[], bool],
    ) -> None:
        self._host = host
        self._gcs = gcs
        self._on_room = on_room
        self._needed = needed
        self.local_id: NodeId = info.address.node_id
        self.local = NodeView(info.address, info.total, dict(info.total), labels=dict(info.labels))
        self.nodes = Nodes(self.local)
        self.ready = False
        """The others are known. If the GCS does not answer, they are not, and this node does what it can."""
        self.told = False
        """The GCS has told of all nodes: one that is not among them is not in the cluster."""
        self.drains = False
        """This node is to go: it is none to choose any more, though `local` says what it has."""
        self.draining: dict[NodeId, str] = {}
        """Other nodes that are to go, and why."""
        self._watching = False
        self._used_ns = 0
        self._removed: dict[NodeId, None] = {}
        self._deducted: dict[NodeId, tuple[NodeView, int]] = {}
        self._timing = False

    # Watching.

    def watch(self) -> None:
        """There is a choice to make: hear of the other nodes from now on, and for a while."""
        self._used_ns = self._host.now_ns()
        if not self._watching:
            self._watching = True
            self._ask()
            self._host.call_later(self._host.config.node_watch_keep_ns, self._end_watch)

    def gcs_returned(self) -> None:
        """It does not remember who watched."""
        if self._watching:
            self._host.send(self._gcs, WatchNodes(True))

    def on_view(self, sender: Address, view: ResourceView) -> None:
        taken = self._update(view.nodes)
        came = view.whole and not self.ready
        self.told = self.told or view.whole
        self.ready = self.ready or view.whole
        if taken or came:
            self._on_room(taken)

    def _ask(self) -> None:
        """Until it is answered. From the second time on, decisions are made with what is known."""
        if self.ready or not self._watching:
            return
        self._host.send(self._gcs, WatchNodes(True))
        self._host.call_later(self._host.config.request_retry_ns, self._unanswered)

    def _unanswered(self) -> None:
        if not self.ready and self._watching:
            self.ready = True
            self._host.send(self._gcs, WatchNodes(True))
            self._on_room([])

    def _end_watch(self) -> None:
        keep_ns = self._host.config.node_watch_keep_ns
        now = self._host.now_ns()
        if self._needed():
            self._used_ns = now
        left_ns = self._used_ns + keep_ns - now
        if left_ns > 0:
            self._host.call_later(left_ns, self._end_watch)
            return
        self._watching = self.ready = self.told = False
        self.nodes.forget_others()
        if self.drains:
            self.nodes.drop(self.local_id)
        self._deducted.clear()
        self._host.send(self._gcs, WatchNodes(False))

    # What is known.

    def snapshot(self) -> NodeView:
        """This node, to be shown to others."""
        available = {} if self.drains else dict(self.local.available)
        return msgspec.structs.replace(self.local, available=available)

    def saw(self, view: NodeView) -> None:
        """What another node showed of itself."""
        if view.address.node_id in self.nodes:
            self._update([view])

    def remove(self, node_id: NodeId) -> None:
        """It is gone; a view that was under way does not bring it back."""
        if node_id != self.local_id:
            self._removed[node_id] = None
            if len(self._removed) > REMEMBERED:
                del self._removed[next(iter(self._removed))]
            self._deducted.pop(node_id, None)
            self.nodes.drop(node_id)

    def leave(self) -> None:
        """This node is to go."""
        self.drains = True
        self.nodes.drop(self.local_id)

    def drain(self, node_id: NodeId, reason: str) -> None:
        """Another one is."""
        self.draining[node_id] = reason
        self.remove(node_id)

    def _update(self, views: Iterable[NodeView]) -> list[NodeView]:
        """Take over what is newer; returns that. A view may be shared with other raylets: never written to."""
        nodes = self.nodes
        taken = []
        for view in views:
            node_id = view.address.node_id
            known = nodes.get(node_id)
            if node_id == self.local_id or node_id in self._removed:
                continue
            if known is not None and view.version < known.version:
                continue
            nodes.put(node_id, view)
            if self._deducted:
                self._deducted.pop(node_id, None)
            taken.append(view)
        return taken

    def deduct(self, node_id: NodeId, need: Resources, gpus: Sequence[int] = ()) -> None:
        """A request was sent there, for these of its GPUs."""
        view = self.nodes[node_id]
        reported = self._deducted.get(node_id, (view, 0))[0]
        available = dict(view.available)
        subtract(available, need)
        left = without(need, view, gpus)
        self.nodes.put(node_id, msgspec.structs.replace(view, available=available, gpus=left))
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
                self.nodes.put(node_id, reported)
                ended.append(reported)
            else:
                next_ns = until_ns if next_ns is None else min(next_ns, until_ns)
        if next_ns is not None:
            self._timing = True
            self._host.call_later(next_ns - now, self._end_deductions)
        if ended:
            self._on_room(ended)
