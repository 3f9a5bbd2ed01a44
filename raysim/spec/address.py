"""Where a process is. Never how to reach it: see the backends' transports."""

import msgspec

from raysim.spec.ids import NIL_NODE, NIL_WORKER, NodeId, WorkerId


class Address(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One process of the cluster. `worker_id` is unique over processes and over time: a restart has another."""

    node_id: NodeId
    worker_id: WorkerId
    endpoint: str = ""
    """`host:port` for peers on other nodes; empty where the world needs none."""


NOWHERE = Address(NIL_NODE, NIL_WORKER)
