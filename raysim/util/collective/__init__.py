"""Collective operations between actors, on arrays in memory. Never on GPUs. Ray: `ray.util.collective`.

Each rank of a group calls the same operations in the same order; they work in place. Backend: `gloo`,
that is raysim's own, over actors and objects, for numpy arrays and torch tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from raysim.api.handles import ActorHandle
from raysim.api.objects import get
from raysim.api.session import connected
from raysim.util.collective.group import Group, hub_of
from raysim.util.collective.types import UNSET_TIMEOUT_MS, Backend, ReduceOp

__all__ = [
    "allgather",
    "allreduce",
    "barrier",
    "broadcast",
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
    "reduce",
    "reducescatter",
    "send",
]


class _Memberships:
    """Of one process."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.hubs: dict[str, ActorHandle] = {}
        """Of groups that this process made for others."""


_memberships: WeakKeyDictionary[object, _Memberships] = WeakKeyDictionary()
"""By process: simulated ones share this module."""


def _here() -> _Memberships:
    return _memberships.setdefault(connected(), _Memberships())


def init_collective_group(
    world_size: int,
    rank: int,
    backend: str = Backend.GLOO,
    group_name: str = "default",
    gloo_timeout: int = UNSET_TIMEOUT_MS,
) -> None:
    """Make this process the rank `rank` of a group; each member calls it, in any order.

    `gloo_timeout`: milliseconds that an operation waits for the others (RuntimeError then).
    Raises ValueError for a backend that is not there and for a rank outside of the group,
    RuntimeError where this process is in the group already.
    """
    Backend(backend)
    _check(world_size, [rank], group_name)
    _join(hub_of(group_name, world_size), world_size, rank, group_name, gloo_timeout)


def create_collective_group(
    actors: Sequence[ActorHandle],
    world_size: int,
    ranks: Sequence[int],
    backend: str = Backend.GLOO,
    group_name: str = "default",
    gloo_timeout: int = UNSET_TIMEOUT_MS,
) -> None:
    """Make these actors a group, `ranks[i]` being that of `actors[i]`: called by who has made them.

    Each of them joins before the calls that are submitted to it from now on. Raises as
    `init_collective_group`, and ValueError where actors and ranks do not match.
    """
    Backend(backend)
    if len(actors) != len(ranks) or len(actors) != world_size:
        raise ValueError(
            f"There must be world_size={world_size} actors and ranks, but there are {len(actors)} "
            f"and {len(ranks)}."
        )
    _check(world_size, ranks, group_name)
    made = _here().hubs
    if group_name in made:
        raise RuntimeError(f"Trying to initialize the group {group_name!r} twice.")
    hub = made[group_name] = hub_of(group_name, world_size)
    get(
        [
            actor.__ray_call__.remote(_joined, hub, world_size, rank, group_name, gloo_timeout)
            for actor, rank in zip(actors, ranks, strict=True)
        ]
    )


def _joined(_: object, hub: ActorHandle, size: int, rank: int, name: str, timeout_ms: int) -> None:
    _join(hub, size, rank, name, timeout_ms)


def _join(hub: ActorHandle, size: int, rank: int, name: str, timeout_ms: int) -> None:
    groups = _here().groups
    if name in groups:
        raise RuntimeError(f"Trying to initialize the group {name!r} twice in one process.")
    groups[name] = Group(hub, name, size, rank, timeout_ms)


def _check(world_size: int, ranks: Sequence[int], group_name: str) -> None:
    if not group_name:
        raise ValueError("The group's name must not be empty.")
    if world_size <= 0:
        raise ValueError(f"world_size must be at least 1, but it is {world_size}.")
    wrong = [rank for rank in ranks if not 0 <= rank < world_size]
    if wrong or len(set(ranks)) != len(ranks):
        raise ValueError(
            f"Ranks must be different numbers from 0 to {world_size - 1}, but they are "
            f"{list(ranks)}."
        )


def destroy_collective_group(group_name: str = "default") -> None:
    """Leave the group; or end it, where this process created it for others. Harmless without one."""
    here = _here()
    group = here.groups.pop(group_name, None)
    if group is not None:
        group.leave()
    here.hubs.pop(group_name, None)


def is_group_initialized(group_name: str = "default") -> bool:
    """Whether this process is in the group."""
    return group_name in _here().groups


def get_rank(group_name: str = "default") -> int:
    """Of this process in the group; -1 when it is not in it."""
    group = _here().groups.get(group_name)
    return -1 if group is None else group.rank


def get_collective_group_size(group_name: str = "default") -> int:
    """How many ranks the group has; -1 when this process is not in it."""
    group = _here().groups.get(group_name)
    return -1 if group is None else group.world_size


def get_group_handle(group_name: str = "default") -> Group:
    """Raises RuntimeError when this process is not in the group."""
    group = _here().groups.get(group_name)
    if group is None:
        raise RuntimeError(
            f"The collective group {group_name!r} is not initialized in this process. Call "
            "init_collective_group() in it, or create_collective_group() with its actor."
        )
    return group


def gloo_available() -> bool:
    return True


def nccl_available() -> bool:
    return False


def is_backend_available(backend: str) -> bool:
    return backend.upper() == Backend.GLOO


def allreduce(tensor: Any, group_name: str = "default", op: ReduceOp = ReduceOp.SUM) -> None:
    """Every rank's tensor becomes the reduction of all."""
    get_group_handle(group_name).allreduce(tensor, op)


def reduce(
    tensor: Any, dst_rank: int = 0, group_name: str = "default", op: ReduceOp = ReduceOp.SUM
) -> None:
    """The tensor of `dst_rank` becomes the reduction of all; the others stay as they are."""
    get_group_handle(group_name).reduce(tensor, dst_rank, op)


def broadcast(tensor: Any, src_rank: int = 0, group_name: str = "default") -> None:
    """Every rank's tensor becomes that of `src_rank`."""
    get_group_handle(group_name).broadcast(tensor, src_rank)


def allgather(tensor_list: list[Any], tensor: Any, group_name: str = "default") -> None:
    """The list's tensors become those of all ranks, in order."""
    get_group_handle(group_name).allgather(tensor_list, tensor)


def reducescatter(
    tensor: Any, tensor_list: list[Any], group_name: str = "default", op: ReduceOp = ReduceOp.SUM
) -> None:
    """The tensor becomes the reduction of all ranks' `tensor_list[rank]`."""
    get_group_handle(group_name).reducescatter(tensor, tensor_list, op)


def send(tensor: Any, dst_rank: int, group_name: str = "default") -> None:
    """To the rank that calls `recv`; does not wait for it."""
    get_group_handle(group_name).send(tensor, dst_rank)


def recv(tensor: Any, src_rank: int, group_name: str = "default") -> None:
    """The tensor becomes what `src_rank` sends, in the order in which it does."""
    get_group_handle(group_name).recv(tensor, src_rank)


def barrier(group_name: str = "default") -> None:
    """Until every rank is here."""
    get_group_handle(group_name).barrier()
