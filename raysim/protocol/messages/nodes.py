"""Nodes and the GCS: registration, health, the resource view, the state that users ask for."""

from raysim.protocol.messages.base import Message
from raysim.protocol.messages.state import ProcessSeen
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
    """GCS to raylet: the node belongs to the cluster.

    Lost: the raylet registers again.
    """

    autoscales: bool = False
    """Somebody wants to know what waits: see ReportResources."""
    dead: list[NodeId] = []
    """Nodes that died before, the latest: what their processes owned may still be referred to."""


class NodeRefused(Message):
    """GCS to raylet: this node was declared dead; it must stop (fencing).

    Lost: sent again in answer to the node's next message.
    """

    reason: str


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
    gpus: tuple[int, ...] = ()
    """What is free of each GPU, where there are any: see NodeView."""


class WatchNodes(Message):
    """Raylet to GCS: it has to choose among the nodes (`on`), or has not had to for a while.

    A node that grants all it is asked for need not hear of the others: in a large cluster
    the views of all nodes, told to all nodes, are most of what is said.
    Reply: a whole ResourceView, then one after each change. Lost: asked again.
    """

    on: bool


class ResourceView(Message):
    """GCS to the raylets that watch: the nodes whose resources changed since the last view.

    Reply: none. Lost: a stale view costs a spill-back more, never a wrong grant.
    """

    nodes: list[NodeView]
    whole: bool = False
    """These are all nodes."""


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


class CheckProcesses(Message):
    """GCS to a raylet that registers again: which of these processes of your node are gone?

    It did not hear while it was away. Reply: WorkerDied for each that is. Lost: with the connection, after
    which the raylet registers again.
    """

    processes: list[Address]


class WorkerDied(Message):
    """Raylet to GCS: a worker process of this node ended, of its own will (`intended`) or not.

    Also the answer to KillWorker for a process that is gone already. Reply: none.
    Lost: the GCS also sees the lost connection, and then asks with KillWorker until this arrives.
    """

    worker: Address
    reason: str
    intended: bool = False
    seen: ProcessSeen | None = None
    """For people who ask."""
    out_of_memory: bool = False
    """It was ended because its node's memory ran out."""
