"""Who is gone for good: what they sent before must not be served any more. Never decides who is gone."""

from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId

REMEMBERED = 10_000
"""Lost processes, and lost nodes, that are told apart, the latest. Their last messages are long delivered. Ours."""


NODES_TOLD = 1_000
"""Lost nodes that a new process is told of, the latest. Ray: `maximum_gcs_dead_node_cached_count`."""


class Fence:
    """Ids are never used again, so that an entry can only be useless, never wrong."""

    __slots__ = ("_nodes", "_processes")

    def __init__(self) -> None:
        self._processes: dict[WorkerId, None] = {}
        self._nodes: dict[NodeId, None] = {}

    def add(self, process: Address) -> bool:
        """False if it was known already."""
        known = process.worker_id in self._processes
        self._processes[process.worker_id] = None
        if len(self._processes) > REMEMBERED:
            del self._processes[next(iter(self._processes))]
        return not known

    def add_node(self, node_id: NodeId) -> bool:
        """False if it was known already."""
        known = node_id in self._nodes
        self._nodes[node_id] = None
        if len(self._nodes) > REMEMBERED:
            del self._nodes[next(iter(self._nodes))]
        return not known

    def has(self, process: Address) -> bool:
        return process.worker_id in self._processes or process.node_id in self._nodes

    def nodes(self) -> list[NodeId]:
        """Lost ones, the latest last."""
        return list(self._nodes)[-NODES_TOLD:]

    def has_node(self, node_id: NodeId) -> bool:
        return node_id in self._nodes
