"""Values of the option `scheduling_strategy`, beside "DEFAULT" and "SPREAD". Never places anything."""

from typing import Protocol

from raysim.spec.ids import NIL_NODE, UNIQUE_ID_BYTES, NodeId


class _HasHex(Protocol):
    def hex(self) -> str: ...


class NodeAffinitySchedulingStrategy:
    """Run on the node with this id (hex, as `nodes()` and `get_runtime_context()` give it).

    `soft=False`: a task fails with TaskUnschedulableError (an actor with ActorUnschedulableError)
    when that node is dead or can never fit it. `soft=True`: it then runs elsewhere. In both cases
    it waits while the node is merely busy. Raises ValueError for what is no node id.
    """

    def __init__(self, node_id: "str | _HasHex", soft: bool) -> None:
        self.node_id: str = node_id if isinstance(node_id, str) else node_id.hex()
        self.soft = soft
        self._check()

    def _check(self) -> None:
        try:
            raw = bytes.fromhex(self.node_id)
        except ValueError:
            raw = b""
        if len(raw) != UNIQUE_ID_BYTES or raw == NIL_NODE:
            raise ValueError(
                f"Invalid node_id {self.node_id!r}. A node id is {2 * UNIQUE_ID_BYTES} hex digits; "
                "nodes() lists the ids of all nodes under 'NodeID'."
            )

    def raw_node_id(self) -> NodeId:
        return NodeId(bytes.fromhex(self.node_id))
