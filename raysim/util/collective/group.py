"""One process's part in a group: the collective operations. Never runs in the hub.

Small tensors travel inside the calls of the hub; large ones are put into the object store, and each
rank fetches what it needs from where it lies. An allreduce of large tensors is a reduce-scatter and
an allgather: every rank sends and gets about twice the tensor, however many ranks there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from raysim.api.actors import ActorClass
from raysim.api.handles import ActorHandle
from raysim.api.objects import get, put
from raysim.exceptions import GetTimeoutError, RayActorError
from raysim.runtime.object_ref import ObjectRef
from raysim.util.collective.hub import Hub, Key
from raysim.util.collective.tensors import as_array, fill, reduced
from raysim.util.collective.types import ReduceOp

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


class Group:
    """Membership of a group, as one rank of it."""

    def __init__(
        self, hub: ActorHandle, name: str, world_size: int, rank: int, timeout_ms: int
    ) -> None:
        self.name = name
        self.world_size = world_size
        self.rank = rank
        self._hub = hub
        self._timeout_s = timeout_ms / 1e3
        self._number = 0
        self._sent: Counter[Key] = Counter()
        get(hub.join.remote(rank, world_size), timeout=ANSWER_S)

    def allreduce(self, tensor: Any, op: ReduceOp) -> None:
        array = as_array(tensor)
        if array.nbytes < LARGE_BYTES or self.world_size == 1:
            fill(tensor, reduced(self._all(array, "allreduce"), op), "allreduce")
            return
        import numpy

        flat = numpy.ascontiguousarray(array).reshape(-1)
        parts = self._exchange([_parcel(p) for p in self._cut(flat)], "allreduce")
        mine = reduced([_open(of_rank[self.rank]) for of_rank in parts], op)
        everyone = self._all(mine, "allreduce")
        fill(tensor, numpy.concatenate(everyone).reshape(array.shape), "allreduce")

    def reduce(self, tensor: Any, dst_rank: int, op: ReduceOp) -> None:
        self._check_rank(dst_rank, "dst_rank")
        wanted = self.rank == dst_rank
        arrays = self._all(as_array(tensor), "reduce", wants=wanted)
        if wanted:
            fill(tensor, reduced(arrays, op), "reduce")

    def broadcast(self, tensor: Any, src_rank: int) -> None:
        self._check_rank(src_rank, "src_rank")
        mine = self.rank == src_rank
        parcel = _parcel(as_array(tensor)) if mine else None
        parcels = self._exchange(parcel, "broadcast", wants=not mine)
        if not mine:
            fill(tensor, _open(parcels[src_rank]), "broadcast")

    def allgather(self, tensor_list: Sequence[Any], tensor: Any) -> None:
        self._check_list(tensor_list)
        for target, values in zip(
            tensor_list, self._all(as_array(tensor), "allgather"), strict=True
        ):
            fill(target, values, "allgather")

    def reducescatter(self, tensor: Any, tensor_list: Sequence[Any], op: ReduceOp) -> None:
        self._check_list(tensor_list)
        mine = [_parcel(as_array(part)) for part in tensor_list]
        parts = self._exchange(mine, "reducescatter")
        arrays = [_open(of_rank[self.rank]) for of_rank in parts]
        fill(tensor, reduced(arrays, op), "reducescatter")

    def barrier(self) -> None:
        self._exchange(None, "barrier", wants=False)

    def send(self, tensor: Any, dst_rank: int) -> None:
        self._check_peer(dst_rank, "dst_rank")
        key = self._letter(self.rank, dst_rank)
        self._wait(self._hub.give.remote(key, _parcel(as_array(tensor))), key, "send")

    def recv(self, tensor: Any, src_rank: int) -> None:
        self._check_peer(src_rank, "src_rank")
        key = self._letter(src_rank, self.rank)
        parcel = self._wait(self._hub.take.remote(key), key, f"recv from rank {src_rank}")
        fill(tensor, _open(parcel), "recv")

    def leave(self) -> None:
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
                f"{what} of group {self.name!r} timed out on rank {self.rank} after "
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

    def _check_rank(self, rank: int, name: str) -> None:
        if not 0 <= rank < self.world_size:
            raise ValueError(
                f"{name} must be a rank of the group, 0 to {self.world_size - 1}, but it is {rank}."
            )

    def _check_peer(self, rank: int, name: str) -> None:
        self._check_rank(rank, name)
        if rank == self.rank:
            raise RuntimeError(f"{name}={rank} is this process itself.")

    def _check_list(self, tensors: Sequence[Any]) -> None:
        if len(tensors) != self.world_size:
            raise RuntimeError(
                f"The list must have a tensor for each of the {self.world_size} ranks, but it has "
                f"{len(tensors)}."
            )


def _parcel(array: NDArray[Any]) -> Any:
    """The array itself, or in a list a reference to it: so that the hub does not resolve it."""
    return array if array.nbytes < LARGE_BYTES else [put(array)]


def _open(parcel: Any) -> NDArray[Any]:
    array: NDArray[Any] = get(parcel[0]) if isinstance(parcel, list) else parcel
    return array
