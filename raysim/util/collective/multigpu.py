"""The collective operations over several tensors of each process. Never on GPUs: the tensors are in memory.

Ray's are for a process with several GPUs and one tensor on each. All tensors of all ranks take part, in the
order of the ranks, and of the lists within a rank: with 2 ranks of 3 tensors, tensor 1 of rank 1 is the
fifth of 6.
"""

from typing import Any

from raysim.util.collective.arguments import (
    check_elements,
    check_lists,
    check_peer,
    check_rank,
    check_root,
    check_tensor,
    check_tensors,
)
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


def allreduce_multigpu(
    tensor_list: list[Any], group_name: str = "default", op: ReduceOp = ReduceOp.SUM
) -> None:
    """Every tensor of every rank becomes the reduction of all."""
    check_tensors(tensor_list)
    get_group_handle(group_name).allreduce(tensor_list, AllReduceOptions(reduceOp=op))


def reduce_multigpu(
    tensor_list: list[Any],
    dst_rank: int = 0,
    dst_tensor: int = 0,
    group_name: str = "default",
    op: ReduceOp = ReduceOp.SUM,
) -> None:
    """Tensor `dst_tensor` of `dst_rank` becomes the reduction of all; the others stay as they are."""
    check_tensors(tensor_list)
    group = get_group_handle(group_name)
    check_rank(group, dst_rank, "dst_rank")
    check_root(tensor_list, dst_tensor, "dst_tensor")
    group.reduce(
        tensor_list, ReduceOptions(reduceOp=op, root_rank=dst_rank, root_tensor=dst_tensor)
    )


def broadcast_multigpu(
    tensor_list: list[Any], src_rank: int = 0, src_tensor: int = 0, group_name: str = "default"
) -> None:
    """Every tensor of every rank becomes tensor `src_tensor` of `src_rank`."""
    check_tensors(tensor_list)
    group = get_group_handle(group_name)
    check_rank(group, src_rank, "src_rank")
    check_root(tensor_list, src_tensor, "src_tensor")
    group.broadcast(tensor_list, BroadcastOptions(root_rank=src_rank, root_tensor=src_tensor))


def allgather_multigpu(
    output_tensor_lists: list[list[Any]], input_tensor_list: list[Any], group_name: str = "default"
) -> None:
    """The tensors of each of the lists become those of all ranks, in order."""
    check_tensors(input_tensor_list)
    group, count = get_group_handle(group_name), len(input_tensor_list)
    check_lists(output_tensor_lists, count, group.world_size * count)
    group.allgather(output_tensor_lists, input_tensor_list, AllGatherOptions())


def reducescatter_multigpu(
    output_tensor_list: list[Any],
    input_tensor_lists: list[list[Any]],
    group_name: str = "default",
    op: ReduceOp = ReduceOp.SUM,
) -> None:
    """The n-th tensor of all becomes the reduction of the n-th tensors of all input lists."""
    check_tensors(output_tensor_list)
    group, count = get_group_handle(group_name), len(output_tensor_list)
    check_lists(input_tensor_lists, count, group.world_size * count)
    group.reducescatter(output_tensor_list, input_tensor_lists, ReduceScatterOptions(reduceOp=op))


def send_multigpu(
    tensor: Any,
    dst_rank: int,
    dst_gpu_index: int,
    group_name: str = "default",
    n_elements: int = 0,
) -> None:
    """To the rank that calls `recv_multigpu`, in order; the first `n_elements` of it, or all.

    A place in memory has no index: those of both sides change nothing.
    """
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_peer(group, dst_rank, "dst_rank")
    check_elements(n_elements)
    options = SendOptions(dst_rank=dst_rank, dst_gpu_index=dst_gpu_index, n_elements=n_elements)
    group.send([tensor], options)


def recv_multigpu(
    tensor: Any,
    src_rank: int,
    src_gpu_index: int,
    group_name: str = "default",
    n_elements: int = 0,
) -> None:
    """The tensor, or the first `n_elements` of it, become what `src_rank` sends."""
    check_tensor(tensor)
    group = get_group_handle(group_name)
    check_peer(group, src_rank, "src_rank")
    check_elements(n_elements)
    options = RecvOptions(src_rank=src_rank, src_gpu_index=src_gpu_index, n_elements=n_elements)
    group.recv([tensor], options)
