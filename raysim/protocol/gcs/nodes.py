"""Which nodes belong to the cluster: joining, dying, fencing. Never what they run: see actors.

A node id is used once: whoever was declared dead stays dead, and is told so whenever it speaks, for as long as it is
among the latest dead.
"""

from collections.abc import Callable, Iterable

import msgspec

from raysim.journal import NodeJoined, NodeLost
from raysim.protocol.gcs.health import Health
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.tables import NodeRow, Tables
from raysim.protocol.gcs.views import Views
from raysim.protocol.messages import (
    GetNodes,
    NodeRefused,
    NodeRegistered,
    NodeRemoved,
    Nodes,
    RegisterNode,
    WatchNodes,
)
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.node import Drain, NodeInfo, NodeState, StoreStats
from raysim.spec.resources import CPU, from_units

TOLD_DEAD = 1_000
"""Dead nodes that a new one is told of, the latest. Ray: `maximum_gcs_dead_node_cached_count`."""


class NodeTable:
    """`joined()` is called once for all nodes that registered at one instant; `lost(node, reason)`
    after everybody has been told."""

    def __init__(
        self,
        outbox: Outbox,
        tables: Tables,
        drivers: Callable[[], Iterable[Address]],
        joined: Callable[[], None],
        lost: Callable[[NodeId, str], None],
    ) -> None:
        self._outbox = outbox
        self._host = outbox.host
        self._tables = tables
        self._drivers = drivers
        self._joined = joined
        self._lost = lost
        self.live: dict[NodeId, NodeInfo] = {}
        self.dead: dict[NodeId, NodeState] = {}
        self.drains: dict[NodeId, Drain] = {}
        """Nodes that are to go: the living are seen by no placement; what the dead take along counts for less."""
        self.views = Views(outbox)
        self.health = Health(outbox, self.end)
        self._since_ns: dict[NodeId, int] = {}
        self._joining: list[Address] = []
        self.autoscales = False
        """Nodes are to say what waits at them."""

    def load(self) -> None:
        for row in self._tables.nodes():
            node_id = row.info.address.node_id
            if row.drain is not None:
                self.drains[node_id] = row.drain
            if row.death_reason:
                self._bury(row.info, row.death_reason, StoreStats())
            else:
                self._admit(row.info)
                if row.drain is not None:
                    self.views.withdraw(node_id)

    def raylets(self) -> list[Address]:
        return [info.address for info in self.live.values()]

    def fenced(self, sender: Address) -> bool:
        """Whether the sender's node is dead; then its raylet is told (again) to stop."""
        state = self.dead.get(sender.node_id)
        if state is None:
            return False
        self._outbox.send(state.info.address, NodeRefused(state.death_reason))
        return True

    def on_register(self, raylet: Address, register: RegisterNode) -> None:
        info = register.info
        known = self.live.get(raylet.node_id)
        if known is None:
            if info.is_head:
                self._replace_head()
            self._admit(info)
            self._tables.save_node(NodeRow(info))
            cpus = from_units(info.total.get(CPU, 0))
            self._host.note(NodeJoined(raylet.node_id, info.name, cpus))
        elif known.address.worker_id != raylet.worker_id:
            reason = f"node id {raylet.node_id.hex()[:8]} belongs to {known.name}, which is alive"
            self._outbox.send(raylet, NodeRefused(reason))
            return
        # Nodes that register at the same instant are answered together.
        if not self._joining:
            self._outbox.call_later(0, self._welcome)
        self._joining.append(raylet)

    def on_watch(self, raylet: Address, watch: WatchNodes) -> None:
        if raylet.node_id in self.live:  # Else it has yet to register, and asks again then.
            self.views.watch(raylet, watch.on)

    def on_get(self, sender: Address, get: GetNodes) -> None:
        self._outbox.send(sender, Nodes(get.number, self.states()))

    def states(self) -> list[NodeState]:
        """The living first."""
        states: list[NodeState] = []
        for node_id, info in self.live.items():
            view, stats = self.views.reported(node_id)
            # With what it offers for placement groups besides.
            shown = msgspec.structs.replace(info, total=view.total)
            since_ns = self._since_ns[node_id]
            drain = self.drains.get(node_id)
            states.append(
                NodeState(shown, True, view.available, stats, start_ns=since_ns, drain=drain)
            )
        return [*states, *self.dead.values()]

    def is_draining(self, node_id: NodeId) -> bool:
        return node_id in self.drains and node_id in self.live

    def drain(self, node_id: NodeId, drain: Drain) -> None:
        """Nothing is placed there any more."""
        self.drains[node_id] = drain
        self._tables.save_node(NodeRow(self.live[node_id], drain=drain))
        self.views.withdraw(node_id)

    def end(self, node_id: NodeId, reason: str) -> None:
        """It may live all the same, and be so idle that it would never speak: it is told now."""
        info = self.live.get(node_id)
        self.declare_dead(node_id, reason)
        if info is not None:
            self._outbox.send(info.address, NodeRefused(reason))

    def peer_lost(self, peer: Address) -> bool:
        """Whether the peer was a live node's raylet: a node without raylet is dead."""
        info = self.live.get(peer.node_id)
        if info is None or info.address.worker_id != peer.worker_id:
            return False
        self.declare_dead(peer.node_id, "the connection to its raylet broke")
        return True

    def declare_dead(self, node_id: NodeId, reason: str) -> None:
        info = self.live.pop(node_id, None)
        if info is None:
            return  # It dies once, however many notice.
        _, stats = self.views.reported(node_id)
        self.views.remove(node_id)
        self.health.remove(node_id)
        self._bury(info, reason, stats)
        drain = self.drains.get(node_id)
        self._tables.save_node(NodeRow(info, reason or "no reason given", drain))
        self._host.note(NodeLost(node_id, info.name, reason))
        removed = NodeRemoved(node_id, reason)
        for raylet in self.raylets():
            self._outbox.send(raylet, removed)
        for driver in self._drivers():
            self._outbox.send(driver, removed)
        self._lost(node_id, reason)

    def _replace_head(self) -> None:
        """One that was killed with the GCS that would have noticed."""
        for node_id in [one for one, info in self.live.items() if info.is_head]:
            self.declare_dead(node_id, "another head has taken its place")

    def _admit(self, info: NodeInfo) -> None:
        self.live[info.address.node_id] = info
        self._since_ns[info.address.node_id] = max(1, self._host.now_ns())
        self.views.add(info)
        if not info.is_head:
            self.health.add(info.address)

    def _bury(self, info: NodeInfo, reason: str, stats: StoreStats) -> None:
        now, node_id = self._host.now_ns(), info.address.node_id
        since_ns = self._since_ns.pop(node_id, 0)
        drain = self.drains.get(node_id)
        self.dead[node_id] = NodeState(info, False, {}, stats, reason, since_ns, now, drain)
        if len(self.dead) > self._host.config.gcs_history:
            oldest = next(iter(self.dead))
            del self.dead[oldest]
            self.drains.pop(oldest, None)
            self._tables.forget_node(oldest)

    def _welcome(self) -> None:
        """Answer those that register. Those that watch learn of them from the next ResourceView."""
        joining, self._joining = self._joining, []
        registered = NodeRegistered(self.autoscales, list(self.dead)[-TOLD_DEAD:])
        for raylet in joining:
            if raylet.node_id in self.live:  # Else declared dead since: see `fenced`.
                self._outbox.send(raylet, registered)
        self._joined()
