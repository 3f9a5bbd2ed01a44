"""The class that every backend of collective operations extends. Never an operation itself.

Ray: `ray.util.collective.collective_group.base_collective_group`.
"""

from abc import ABCMeta, abstractmethod
from typing import Any

from raysim.util.collective.types import (
    AllGatherOptions,
    AllReduceOptions,
    BarrierOptions,
    BroadcastOptions,
    RecvOptions,
    ReduceOptions,
    ReduceScatterOptions,
    SendOptions,
)

Tensors = list[Any]
"""Of one process: one, or with the `_multigpu` functions several."""


class BaseGroup(metaclass=ABCMeta):
    """One process's part in a group. Operations work in place, and give nothing back.

    A class of your own, given to `register_collective_backend`, is made as
    `cls(world_size, rank, group_name)` in each process of a group.
    """

    def __init__(self, world_size: int, rank: int, group_name: str) -> None:
        self._world_size = world_size
        self._rank = rank
        self._group_name = group_name

    @property
    def rank(self) -> int:
        return self._rank

    @property
    def world_size(self) -> int:
        return self._world_size

    @property
    def group_name(self) -> str:
        return self._group_name

    def destroy_group(self) -> None:  # noqa: B027  (most have nothing to do, as in Ray)
        """The process leaves the group."""

    @classmethod
    def backend(cls) -> str:
        """The backend's name."""
        raise NotImplementedError

    @classmethod
    @abstractmethod
    def check_backend_availability(cls) -> bool:
        """Whether this process can use it."""

    @abstractmethod
    def allreduce(self, tensor: Tensors, allreduce_options: AllReduceOptions) -> None: ...

    @abstractmethod
    def barrier(self, barrier_options: BarrierOptions = BarrierOptions()) -> None: ...  # noqa: B008  (never changed; Ray's default)

    @abstractmethod
    def reduce(self, tensor: Tensors, reduce_options: ReduceOptions) -> None: ...

    @abstractmethod
    def allgather(
        self, tensor_list: list[Tensors], tensor: Tensors, allgather_options: AllGatherOptions
    ) -> None: ...

    @abstractmethod
    def broadcast(self, tensor: Tensors, broadcast_options: BroadcastOptions) -> None: ...

    @abstractmethod
    def reducescatter(
        self,
        tensor: Tensors,
        tensor_list: list[Tensors],
        reducescatter_options: ReduceScatterOptions,
    ) -> None: ...

    @abstractmethod
    def send(self, tensor: Tensors, send_options: SendOptions) -> None: ...

    @abstractmethod
    def recv(self, tensor: Tensors, recv_options: RecvOptions) -> None: ...
