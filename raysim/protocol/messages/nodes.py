"""Nodes and the GCS: registration, health, the resource view, the state that users ask for."""

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address
from raysim.spec.autoscaling import Demand
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeInfo, NodeState, NodeView, StoreStats
from raysim.spec.resources import Resources


class RegisterNode(Message):
    """Raylet to GCS: this node joins.

    Reply: NodeRegistered. Lost: asked again; the same node registers once.
    """

    info: NodeInfo


class NodeRegistered(Message):
    """GCS to raylet: the node belongs to the cluster; these are the live nodes, itself included.

    Lost: the raylet registers again.
    """

    nodes: list[NodeInfo]
    autoscales: bool = False
    """Somebody wants to know what waits: see ReportResources."""


class NodeRefused(Message):
    """GCS to raylet: this node was declared dead; it must stop (fencing).

    Lost: sent again in answer to the node's next message.
    """

    reason: str


class NodeAdded(Message):
    """GCS to raylets and drivers: a node joined.

    Lost: the next ResourceView carries the node.
    """

    info: NodeInfo


class NodeRemoved(Message):
    """GCS to raylets and drivers, raylet on to its workers: the node is dead, whatever it still does.

    Lost: peers on that node are reported lost by the transport as well.
    """

    node_id: NodeId
    reason: str


class ReportResources(Message):
    """Raylet to GCS: what is free now; sent when it changed, at most once a report period.

    Reply: none. Lost: the next report replaces it; `version` orders them.
    """

    version: int
    total: Resources
    available: Resources
    queued: int
    stats: StoreStats
    busy: bool = True
    """Has a lease, or an object."""
    demand: list[Demand] = []
    """What waits here, where somebody wants to know."""


class ResourceView(Message):
    """GCS to raylets: the nodes whose resources changed since the last view.

    Reply: none. Lost: a stale view costs a spill-back more, never a wrong grant.
    """

    nodes: list[NodeView]


class CheckHealth(Message):
    """GCS to raylet: are you there? Ray: the GCS health check.

    Reply: Healthy with the same number. Lost: counts as one failure of `health_check_failure_threshold`.
    """

    number: int


class Healthy(Message):
    """Raylet to GCS: the answer to CheckHealth.

    Lost: counts as one failed check.
    """

    number: int


class GetNodes(Message):
    """Driver or worker to GCS: every node that ever was, dead ones included.

    Reply: Nodes. Lost: asked again with the same number.
    """

    number: int


class Nodes(Message):
    """GCS to whoever asked GetNodes.

    Lost: asked again.
    """

    number: int
    nodes: list[NodeState]


class DrainNode(Message):
    """Driver to GCS: take this node out of the cluster now, as if it had died (cluster_utils.remove_node).

    Reply: none; NodeRemoved follows. Lost: asked again by the caller, who waits for `nodes()` to show it.
    """

    node_id: NodeId
    reason: str


class WorkerDied(Message):
    """Raylet to GCS: a worker process of this node ended, of its own will (`intended`) or not.

    Also the answer to KillWorker for a process that is gone already. Reply: none.
    Lost: the GCS also sees the lost connection, and then asks with KillWorker until this arrives.
    """

    worker: Address
    reason: str
    intended: bool = False
