"""What collective operations are given: checked as Ray does, before any rank waits. Never changed."""

from typing import Any

from raysim.util.collective.collective_group.base_collective_group import BaseGroup
from raysim.util.collective.tensors import as_array


def check_tensor(tensor: Any) -> None:
    """Raises RuntimeError for what is neither a numpy array nor a torch tensor in memory."""
    as_array(tensor)


def check_tensors(tensors: Any, count: int | None = None) -> None:
    """Raises RuntimeError for what is no list of tensors, or of another number."""
    if not isinstance(tensors, list):
        raise RuntimeError(f"The input must be a list of tensors. Got '{type(tensors)}'.")
    if not tensors:
        raise RuntimeError("Got an empty list of tensors.")
    for tensor in tensors:
        check_tensor(tensor)
    if count is not None and len(tensors) != count:
        raise RuntimeError(f"The list must have {count} tensors, but it has {len(tensors)}.")


def check_lists(lists: Any, count: int, each: int) -> None:
    """`count` lists of `each` tensors. Raises RuntimeError."""
    if not isinstance(lists, list) or not lists:
        raise RuntimeError(f"The input must be a list of lists of tensors. Got '{lists!r:.80}'.")
    for tensors in lists:
        check_tensors(tensors, each)
    if len(lists) != count:
        raise RuntimeError(
            f"There must be a list for each of the {count} tensors of this process, but there are "
            f"{len(lists)}."
        )


def check_rank(group: BaseGroup, rank: int, name: str) -> None:
    if not 0 <= rank < group.world_size:
        raise ValueError(
            f"{name} must be a rank of the group, 0 to {group.world_size - 1}, but it is {rank}."
        )


def check_peer(group: BaseGroup, rank: int, name: str) -> None:
    check_rank(group, rank, name)
    if rank == group.rank:
        raise RuntimeError(f"{name}={rank} is this process itself.")


def check_root(tensors: list[Any], index: int, name: str) -> None:
    if not 0 <= index < len(tensors):
        raise ValueError(
            f"{name} must be the place of one of the {len(tensors)} tensors, but it is {index}."
        )


def check_elements(count: int) -> None:
    if count < 0:
        raise RuntimeError(f"n_elements must not be negative, but it is {count}.")
