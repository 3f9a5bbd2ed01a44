"""One process's part in a group: the collective operations. Never runs in the hub.

Small tensors travel inside the calls of the hub; large ones are put into the object store, and each
rank fetches what it needs from where it lies. An allreduce of large tensors is a reduce-scatter and
an allgather: every rank sends and gets about twice the tensor, however many ranks there are.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from raysim.api.actors import ActorClass
from raysim.api.handles import ActorHandle
from raysim.api.objects import get, put
from raysim.exceptions import GetTimeoutError, RayActorError
from raysim.runtime.object_ref import ObjectRef
from raysim.util.collective.collective_group.base_collective_group import BaseGroup, Tensors
from raysim.util.collective.hub import Hub, Key
from raysim.util.collective.tensors import as_array, fill, first, reduced
from raysim.util.collective.types import (
    AllGatherOptions,
    AllReduceOptions,
    Backend,
    BarrierOptions,
    BroadcastOptions,
    RecvOptions,
    ReduceOp,
    ReduceOptions,
    ReduceScatterOptions,
    SendOptions,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGE_BYTES = 64 * 1024
"""From here on a tensor is put into the store: so that what the hub holds stays inline (100 KiB)."""

ANSWER_S = 60
"""Seconds within which the hub, which may have to be started first, answers what depends on no rank."""


def hub_of(group_name: str, world_size: int) -> ActorHandle:
    """The group's hub, made by who comes first: it lives as long as that process has the handle."""
    options = {"name": f"raysim.collective.{group_name}", "get_if_exists": True, "num_cpus": 0}
    return ActorClass(Hub, {}).options(**options).remote(world_size)


class GlooGroup(BaseGroup):
    """The backend `gloo`: membership of a group, as one rank of it."""

    def __init__(
        self,
        world_size: int,
        rank: int,
        group_name: str,
        timeout_ms: int,
        hub: ActorHandle | None = None,
    ) -> None:
        super().__init__(world_size, rank, group_name)
        self._hub = hub_of(group_name, world_size) if hub is None else hub
        self._timeout_s = timeout_ms / 1e3
        self._number = 0
        self._sent: Counter[Key] = Counter()
        get(self._hub.join.remote(rank, world_size), timeout=ANSWER_S)

    @classmethod
    def backend(cls) -> str:
        return Backend.GLOO

    @classmethod
    def check_backend_availability(cls) -> bool:
        return True

    def allreduce(self, tensor: Tensors, allreduce_options: AllReduceOptions) -> None:
        op = allreduce_options.reduceOp
        array = reduced([as_array(one) for one in tensor], op)
        result = self._reduced_by_all(array, op)
        for one in tensor:
            fill(one, result, "allreduce")

    def _reduced_by_all(self, array: NDArray[Any], op: ReduceOp) -> NDArray[Any]:
        if array.nbytes < LARGE_BYTES or self.world_size == 1:
            return reduced(self._all(array, "allreduce"), op)
        import numpy

        flat = numpy.ascontiguousarray(array).reshape(-1)
        parts = self._exchange([_parcel(p) for p in self._cut(flat)], "allreduce")
        mine = reduced([_open(of_rank[self.rank]) for of_rank in parts], op)
        everyone = self._all(mine, "allreduce")
        return numpy.concatenate(everyone).reshape(array.shape)

    def reduce(self, tensor: Tensors, reduce_options: ReduceOptions) -> None:
        op, wanted = reduce_options.reduceOp, self.rank == reduce_options.root_rank
        mine = reduced([as_array(one) for one in tensor], op)
        arrays = self._all(mine, "reduce", wants=wanted)
        if wanted:
            fill(tensor[reduce_options.root_tensor], reduced(arrays, op), "reduce")

    def broadcast(self, tensor: Tensors, broadcast_options: BroadcastOptions) -> None:
        root, mine = broadcast_options.root_rank, self.rank == broadcast_options.root_rank
        source = as_array(tensor[broadcast_options.root_tensor]) if mine else None
        parcel = None if source is None else _parcel(source)
        parcels = self._exchange(parcel, "broadcast", wants=not mine)
        values = _open(parcels[root]) if source is None else source
        for index, one in enumerate(tensor):
            if not mine or index != broadcast_options.root_tensor:
                fill(one, values, "broadcast")

    def allgather(
        self, tensor_list: list[Tensors], tensor: Tensors, allgather_options: AllGatherOptions
    ) -> None:
        mine = [_parcel(as_array(one)) for one in tensor]
        arrays = [_open(one) for of_rank in self._exchange(mine, "allgather") for one in of_rank]
        for targets in tensor_list:
            self._check_list(targets, len(arrays))
            for target, values in zip(targets, arrays, strict=True):
                fill(target, values, "allgather")

    def reducescatter(
        self,
        tensor: Tensors,
        tensor_list: list[Tensors],
        reducescatter_options: ReduceScatterOptions,
    ) -> None:
        op, count = reducescatter_options.reduceOp, len(tensor)
        for parts in tensor_list:
            self._check_list(parts, self.world_size * count)
        columns = zip(*tensor_list, strict=True)
        mine = [_parcel(reduced([as_array(one) for one in column], op)) for column in columns]
        of_ranks = self._exchange(mine, "reducescatter")
        for index, target in enumerate(tensor):
            place = self.rank * count + index
            arrays = [_open(of_rank[place]) for of_rank in of_ranks]
            fill(target, reduced(arrays, op), "reducescatter")

    def barrier(self, barrier_options: BarrierOptions = BarrierOptions()) -> None:  # noqa: B008
        self._exchange(None, "barrier", wants=False)

    def send(self, tensor: Tensors, send_options: SendOptions) -> None:
        key = self._letter(self.rank, send_options.dst_rank)
        array = first(as_array(tensor[0]), send_options.n_elements)
        self._wait(self._hub.give.remote(key, _parcel(array)), key, "send")

    def recv(self, tensor: Tensors, recv_options: RecvOptions) -> None:
        source = recv_options.src_rank
        key = self._letter(source, self.rank)
        parcel = self._wait(self._hub.take.remote(key), key, f"recv from rank {source}")
        fill(first(as_array(tensor[0]), recv_options.n_elements), _open(parcel), "recv")

    def destroy_group(self) -> None:
        """The hub ends with the process that made it: not before the others have what is theirs."""
        try:
            self._wait(self._hub.delivered.remote(), (), "destroy_collective_group")
        except RayActorError:
            return  # Its maker has left before, and waited for the same.

    # --- inside -------------------------------------------------------------------------------

    def _all(self, array: NDArray[Any], what: str, wants: bool = True) -> list[NDArray[Any]]:
        return [_open(parcel) for parcel in self._exchange(_parcel(array), what, wants)]

    def _exchange(self, parcel: Any, what: str, wants: bool = True) -> list[Any]:
        """What each rank gave to this operation. All ranks call the operations in one order."""
        self._number += 1
        key = ("all", self._number)
        ref = self._hub.meet.remote(key, self.world_size, self.rank, parcel, wants)
        parcels: list[Any] = self._wait(ref, key, what)
        return parcels

    def _wait(self, ref: ObjectRef, key: Key, what: str) -> Any:
        try:
            return get(ref, timeout=self._timeout_s)
        except GetTimeoutError:
            came = get(self._hub.present.remote(key), timeout=ANSWER_S)
            missing = [rank for rank in range(self.world_size) if rank not in came]
            raise RuntimeError(
                f"{what} of group {self.group_name!r} timed out on rank {self.rank} after "
                f"{self._timeout_s:g} s; missing: ranks {missing}. All ranks must call the same "
                "operations in the same order."
            ) from None

    def _letter(self, src: int, dst: int) -> Key:
        pair = (src, dst)
        self._sent[pair] += 1
        return ("pair", src, dst, self._sent[pair])

    def _cut(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        import numpy

        return numpy.array_split(flat, self.world_size)

    def _check_list(self, tensors: Tensors, count: int) -> None:
        if len(tensors) != count:
            raise RuntimeError(
                f"The list must have {count} tensors, one for each of the {self.world_size} ranks and "
                f"each tensor of theirs, but it has {len(tensors)}."
            )


def _parcel(array: NDArray[Any]) -> Any:
    """The array itself, or in a list a reference to it: so that the hub does not resolve it."""
    return array if array.nbytes < LARGE_BYTES else [put(array)]


def _open(parcel: Any) -> NDArray[Any]:
    array: NDArray[Any] = get(parcel[0]) if isinstance(parcel, list) else parcel
    return array
