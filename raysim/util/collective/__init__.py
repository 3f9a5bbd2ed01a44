"""Collective operations between actors, on arrays in memory. Never on GPUs. Ray: `ray.util.collective`.

Each rank of a group calls the same operations in the same order; they work in place. Backend: `gloo`,
that is raysim's own, over actors and objects, for numpy arrays and torch tensors; and those that a
program registers.
"""

from raysim.util.collective.backend_registry import register_collective_backend
from raysim.util.collective.membership import (
    create_collective_group,
    destroy_collective_group,
    get_collective_group_size,
    get_group_handle,
    get_rank,
    gloo_available,
    init_collective_group,
    is_backend_available,
    is_group_initialized,
    nccl_available,
)
from raysim.util.collective.multigpu import (
    allgather_multigpu,
    allreduce_multigpu,
    broadcast_multigpu,
    recv_multigpu,
    reduce_multigpu,
    reducescatter_multigpu,
    send_multigpu,
)
from raysim.util.collective.operations import (
    allgather,
    allreduce,
    barrier,
    broadcast,
    recv,
    reduce,
    reducescatter,
    send,
)

__all__ = [
    "allgather",
    "allgather_multigpu",
    "allreduce",
    "allreduce_multigpu",
    "barrier",
    "broadcast",
    "broadcast_multigpu",
    "create_collective_group",
    "destroy_collective_group",
    "get_collective_group_size",
    "get_group_handle",
    "get_rank",
    "gloo_available",
    "init_collective_group",
    "is_backend_available",
    "is_group_initialized",
    "nccl_available",
    "recv",
    "recv_multigpu",
    "reduce",
    "reduce_multigpu",
    "reducescatter",
    "reducescatter_multigpu",
    "register_collective_backend",
    "send",
    "send_multigpu",
]
