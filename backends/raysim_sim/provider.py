"""Machines for a simulated cluster that grows: after a while, while there are any. Never decides how many."""

from typing import TYPE_CHECKING

from raysim.backend import NodeOptions
from raysim.spec.autoscaling import NODE_GROUP, NodeMarket, NodeType
from raysim.spec.ids import NodeId
from raysim.spec.resources import CPU, GPU, MEMORY, floats
from raysim_sim.node import SimNode

if TYPE_CHECKING:
    from raysim.protocol.gcs.autoscaler import Autoscaler
    from raysim_sim.world import SimWorld

REFUSAL_NS = 1_000_000_000
"""Nanoseconds until a provider says that it has no more such machines. Ours."""


class SimProvider:
    """The autoscaler's NodeProvider."""

    def __init__(self, world: "SimWorld", market: NodeMarket) -> None:
        self._world = world
        self._market = market
        self.exhausted = 0
        """Faults under which there are no machines."""
        self._coming: dict[str, int] = {}
        self._nodes: dict[NodeId, SimNode] = {}
        self._numbers: dict[str, int] = {}
        self.autoscaler: Autoscaler
        """Set once there is one."""

    def launch(self, number: int, node_type: str) -> None:
        clock = self._world.clock
        clock.expected += 1
        if self.exhausted or self._in_use(node_type) >= self._market.capacity.get(
            node_type, number
        ):
            clock.call(REFUSAL_NS, lambda: self._refused(number))
            return
        self._coming[node_type] = self._coming.get(node_type, 0) + 1
        startup_ns = int(self._market.startup_ns * self._world.slow_start)
        clock.call(startup_ns, lambda: self._started(number, node_type))

    def terminate(self, node_id: NodeId) -> None:
        """Soon: never from inside the role that asks."""
        node = self._nodes.pop(node_id, None)
        if node is not None:
            self._world.clock.call(0, lambda: node.stop("terminated by the autoscaler"))

    def _in_use(self, node_type: str) -> int:
        living = [node for node in self._nodes.values() if node.host.alive]
        mine = sum(node.raylet.view.local.labels.get(NODE_GROUP) == node_type for node in living)
        return mine + self._coming.get(node_type, 0)

    def _refused(self, number: int) -> None:
        self._ended()
        if self._world.nodes[0].host.alive:
            self.autoscaler.launch_failed(number)

    def _started(self, number: int, node_type: str) -> None:
        self._ended()
        self._coming[node_type] -= 1
        world = self._world
        if not world.nodes[0].host.alive:
            return
        kind = self._market.spec.type_of(node_type)
        assert kind is not None, f"node type {node_type} is not known"
        index = self._numbers[node_type] = self._numbers.get(node_type, 0) + 1
        node = world.grow(_options(kind, f"{node_type}-{index}"))
        self._nodes[node.node_id] = node
        self.autoscaler.launched(number, node.node_id)

    def _ended(self) -> None:
        clock = self._world.clock
        clock.expected -= 1
        clock.active_ns = clock.now_ns


def _options(kind: NodeType, name: str) -> NodeOptions:
    left = floats(kind.resources)
    return NodeOptions(
        num_cpus=left.pop(CPU, 0),
        num_gpus=left.pop(GPU, 0),
        memory=int(left.pop(MEMORY, 0)),
        object_store_memory=int(left.pop("object_store_memory", 0)) or None,
        resources=left,
        labels=kind.labels,
        name=name,
    )
