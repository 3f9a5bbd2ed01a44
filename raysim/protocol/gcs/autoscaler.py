"""Has nodes started for what waits, and idle ones ended. Never decides which: see policies/scaling.

A node leaves in two steps: its raylet is asked, and says yes only if it has nothing to do, and takes on
nothing from then on. So no call is lost because its node was taken for idle.
"""

from collections.abc import Sequence

import msgspec

from raysim.policies.scaling import Situation, create_scaling, new_supply
from raysim.protocol.gcs.actor_scheduler import ActorScheduler
from raysim.protocol.gcs.bundle_placer import BundlePlacer
from raysim.protocol.gcs.nodes import NodeTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.host import NodeProvider
from raysim.protocol.messages import DrainRaylet, ReportResources
from raysim.spec.address import Address
from raysim.spec.autoscaling import NODE_GROUP, AutoscalingSpec, Demand, Supply
from raysim.spec.ids import NodeId


class _Node(msgspec.Struct):
    """A live node's last word."""

    demand: list[Demand] = []
    idle_since_ns: int | None = None


class Autoscaler:
    def __init__(
        self,
        outbox: Outbox,
        spec: AutoscalingSpec,
        provider: NodeProvider,
        nodes: NodeTable,
        scheduler: ActorScheduler,
        placer: BundlePlacer,
    ) -> None:
        self._outbox = outbox
        self._host = outbox.host
        self._spec = spec
        self._policy = create_scaling(spec.policy)
        self._provider = provider
        self._nodes = nodes
        self._scheduler = scheduler
        self._placer = placer
        self._said: dict[NodeId, _Node] = {}
        self._launching: dict[int, str] = {}
        """Type by number; until the node has joined, or could not be had."""
        self._joining: dict[NodeId, int] = {}
        self._launches = 0
        self._unavailable: dict[str, int] = {}
        """Until when, by type."""

    def start(self) -> None:
        self._outbox.call_later(0, self._look)

    # What nodes and the provider say

    def on_report(self, raylet: Address, report: ReportResources) -> None:
        node_id = raylet.node_id
        if node_id not in self._nodes.live:
            return
        node = self._said.get(node_id)
        if node is None:
            node = self._said[node_id] = _Node()
        node.demand = report.demand
        if report.busy:
            node.idle_since_ns = None
        elif node.idle_since_ns is None:
            node.idle_since_ns = self._host.now_ns()

    def node_gone(self, node_id: NodeId) -> None:
        if node_id in self._nodes.drains and self._said.pop(node_id, None) is not None:
            self._provider.terminate(node_id)  # It may live on where nobody needs it.
        self._said.pop(node_id, None)
        self._launching.pop(self._joining.pop(node_id, -1), None)

    def launched(self, number: int, node_id: NodeId) -> None:
        """The provider has started it; it counts as on its way until it has joined."""
        if number not in self._launching:
            return
        if node_id in self._nodes.live:
            del self._launching[number]
        else:
            self._joining[node_id] = number

    def found(self, node_id: NodeId, node_type: str) -> int:
        """A machine of this type is there that an earlier life of the GCS has asked for, and its node has not joined:
        its number, as of one that was asked for now."""
        self._launches = number = self._launches + 1
        self._launching[number] = node_type
        self._joining[node_id] = number
        return number

    def launch_failed(self, number: int) -> None:
        """Such a node cannot be had now: others may do instead."""
        kind = self._launching.pop(number, None)
        if kind is not None:
            self._unavailable[kind] = self._host.now_ns() + self._spec.unavailable_ns
            self._outbox.call_later(0, self._launch)

    def on_idle(self, raylet: Address, leaves: bool) -> None:
        node_id = raylet.node_id
        if not leaves:
            node = self._said.get(node_id)
            if node is not None:
                node.idle_since_ns = None  # Its report is under way.
            return
        if node_id in self._nodes.live:
            self._nodes.declare_dead(node_id, "it was idle, and the autoscaler removed it")
        self._provider.terminate(node_id)

    # Looking

    def _look(self) -> None:
        self._outbox.call_later(self._spec.period_ns, self._look)
        for node_id in [node_id for node_id in self._joining if node_id in self._nodes.live]:
            self._launching.pop(self._joining.pop(node_id), None)
        self._launch()
        self._retire()

    def _launch(self) -> None:
        now = self._host.now_ns()
        unavailable = [name for name, until in self._unavailable.items() if until > now]
        launching = [self._supply_of(name) for name in self._launching.values()]
        groups = list(self._placer.waiting())
        situation = Situation(
            self._demand(), groups, self._running(), launching, self._spec, unavailable
        )
        wanted = self._policy.launch(situation)
        for name, count in wanted.items():
            for _ in range(count):
                self._launches = number = self._launches + 1
                self._launching[number] = name
                self._provider.launch(number, name)

    def _demand(self) -> list[Demand]:
        demands = [demand for node in self._said.values() for demand in node.demand]
        demands += [
            Demand(spec.placement, spec.selectors) for spec in self._scheduler.without_node()
        ]
        return demands

    def _running(self) -> list[Supply]:
        return [self._supply(node_id) for node_id in self._nodes.views.live]

    def _supply(self, node_id: NodeId) -> Supply:
        info = self._nodes.live[node_id]
        view = self._nodes.views.live[node_id]
        name = info.labels.get(NODE_GROUP, "")
        if self._spec.type_of(name) is None:
            name = ""
        return Supply(dict(view.available), view.labels, name, view.total)

    def _supply_of(self, name: str) -> Supply:
        kind = self._spec.type_of(name)
        assert kind is not None, f"node type {name} is not known"
        return new_supply(kind)

    def _retire(self) -> None:
        left = self._counts()
        now = self._host.now_ns()
        running = self._running()
        for node_id in self._longest_idle():
            info = self._nodes.live[node_id]
            kind = self._spec.type_of(info.labels.get(NODE_GROUP, ""))
            since_ns = self._said[node_id].idle_since_ns
            assert since_ns is not None
            if kind is None or left[kind.name] <= kind.min_workers:
                continue
            idle_ns = now - since_ns
            node = self._supply(node_id)
            if idle_ns >= self._spec.idle_timeout_ns and self._policy.may_leave(node, running):
                left[kind.name] -= 1
                running.remove(node)
                reason = f"idle for {idle_ns / 1e9:g} s"
                self._outbox.send(info.address, DrainRaylet(reason, only_if_idle=True))

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for view in self._nodes.views.live.values():
            name = view.labels.get(NODE_GROUP, "")
            counts[name] = counts.get(name, 0) + 1
        return counts

    def _longest_idle(self) -> Sequence[NodeId]:
        since = {
            node_id: node.idle_since_ns
            for node_id, node in self._said.items()
            if node.idle_since_ns is not None and node_id in self._nodes.views.live
        }
        return sorted(since, key=lambda node_id: since[node_id])
