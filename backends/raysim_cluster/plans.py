"""What a node on this machine is to be, from what its user said of it. Never starts it."""

import os
from typing import Final

from raysim.backend import NodeOptions
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.isolation import Isolation
from raysim.spec.resources import CPU, GPU, MEMORY, fixed
from raysim_cluster.launch import NodePlan
from raysim_cluster.linux import MEMINFO, there_and_available

_STORE_SHARE: Final = 0.3
"""Of the memory that is free now, for the object stores of all nodes. Ray: `object_store_memory`."""


def plan_node(
    index: int,
    node: NodeOptions,
    count: int,
    log_to_driver: bool,
    isolation: Isolation | None = None,
    node_id: NodeId | None = None,
) -> NodePlan:
    """The `index`-th node; `count`: that share this machine's free memory. Without `node_id` it is drawn."""
    memory = there_and_available(MEMINFO)[1] // count
    store = node.object_store_memory or int(memory * _STORE_SHARE)
    quantities = {
        CPU: node.num_cpus,
        GPU: node.num_gpus,
        MEMORY: node.memory or max(0, memory - store),
        **node.resources,
    }
    return NodePlan(
        node_id or NodeId(os.urandom(UNIQUE_ID_BYTES)),
        node.name or f"node-{index}",
        fixed(quantities),
        node.labels,
        store,
        log_to_driver,
        isolation,
    )
