"""The collective operations: one tensor of each process, changed in place. Never the way it travels: see group.

Each rank of a group calls the same operations in the same order.
"""

from typing import Any

from raysim.util.collective.arguments import check_peer, check_rank, check_tensor, check_tensors
from raysim.util.collective.membership import get_group_handle
from raysim.util.collective.types import (
    AllGatherOptions,
    AllReduceOptions,
    BroadcastOptions,
    RecvOptions,
    ReduceOp,
    ReduceOptions,
    ReduceScatterOptions,
    SendOptions,
)


def allreduce(tensor: Any, group_name: str = "default", op: ReduceOp = ReduceOp.SUM) -> None:
    """Every rank's tensor becomes the reduction of all."""
    check_tensor(tensor)
    get_group_handle(group_name).allreduce([tensor], AllReduceOptions(reduceOp=op))


def reduce(
    tensor: Any, dst_rank: int = 0, group_name: str = "default", op: ReduceOp = ReduceOp.SUM
) -> None:
    """The tensor of `dst_rank` becomes the reduction of all; the others stay as they are."""
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_rank(group, dst_rank, "dst_rank")
    group.reduce([tensor], ReduceOptions(reduceOp=op, root_rank=dst_rank))


def broadcast(tensor: Any, src_rank: int = 0, group_name: str = "default") -> None:
    """Every rank's tensor becomes that of `src_rank`."""
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_rank(group, src_rank, "src_rank")
    group.broadcast([tensor], BroadcastOptions(root_rank=src_rank))


def allgather(tensor_list: list[Any], tensor: Any, group_name: str = "default") -> None:
    """The list's tensors become those of all ranks, in order."""
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_tensors(tensor_list, group.world_size)
    group.allgather([tensor_list], [tensor], AllGatherOptions())


def reducescatter(
    tensor: Any, tensor_list: list[Any], group_name: str = "default", op: ReduceOp = ReduceOp.SUM
) -> None:
    """The tensor becomes the reduction of all ranks' `tensor_list[rank]`."""
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_tensors(tensor_list, group.world_size)
    group.reducescatter([tensor], [tensor_list], ReduceScatterOptions(reduceOp=op))


def send(tensor: Any, dst_rank: int, group_name: str = "default") -> None:
    """To the rank that calls `recv`; does not wait for it."""
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_peer(group, dst_rank, "dst_rank")
    group.send([tensor], SendOptions(dst_rank=dst_rank))


def recv(tensor: Any, src_rank: int, group_name: str = "default") -> None:
    """The tensor becomes what `src_rank` sends, in the order in which it does."""
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_peer(group, src_rank, "src_rank")
    group.recv([tensor], RecvOptions(src_rank=src_rank))


def barrier(group_name: str = "default") -> None:
    """Until every rank is here."""
    get_group_handle(group_name).barrier()
