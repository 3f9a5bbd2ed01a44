"""One process's part in a group: the collective operations. Never runs in the hub.

Small tensors travel inside the calls of the hub; large ones are put into the object store, and each
rank fetches what it needs from where it lies. An allreduce of large tensors is a reduce-scatter and
an allgather: every rank sends and gets about twice the tensor, however many ranks there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from raysim.api.handles import ActorHandle
from raysim.api.objects import get, put
from raysim.exceptions import GetTimeoutError, RayTaskError
from raysim.runtime.object_ref import ObjectRef
from raysim.util.collective.collective_group.base_collective_group import BaseGroup, Tensors
from raysim.util.collective.hub import Letter, RankGoneError
from raysim.util.collective.seat import ANSWER_S, meet, taken
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
        """With a hub: of a group that somebody makes; without: once all ranks are there."""
        super().__init__(world_size, rank, group_name)
        self._timeout_s = timeout_ms / 1e3
        if hub is None:
            self._seat = meet(group_name, world_size, rank, self._timeout_s)
        else:
            self._seat = taken(hub, world_size, rank)
        self._hub = self._seat.hub
        self._number = 0
        self._sent: Counter[tuple[int, int]] = Counter()

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

    def barrier(self, barrier_options: BarrierOptions = BarrierOptions()) -> None:  # noqa: B008  (never changed; Ray's default)
        self._exchange(None, "barrier", wants=False)

    def send(self, tensor: Tensors, send_options: SendOptions) -> None:
        target = send_options.dst_rank
        letter = self._letter(self.rank, target)
        array = first(as_array(tensor[0]), send_options.n_elements)
        ref = self._hub.give.remote(letter, _parcel(array))
        self._wait(ref, f"send to rank {target}", lambda: [target])

    def recv(self, tensor: Tensors, recv_options: RecvOptions) -> None:
        source = recv_options.src_rank
        ref = self._hub.take.remote(self._letter(source, self.rank))
        parcel = self._wait(ref, f"recv from rank {source}", lambda: [source])
        fill(first(as_array(tensor[0]), recv_options.n_elements), _open(parcel), "recv")

    def destroy_group(self) -> None:
        self._seat.leave()

    # --- inside -------------------------------------------------------------------------------

    def _all(self, array: NDArray[Any], what: str, wants: bool = True) -> list[NDArray[Any]]:
        return [_open(parcel) for parcel in self._exchange(_parcel(array), what, wants)]

    def _exchange(self, parcel: Any, what: str, wants: bool = True) -> list[Any]:
        """What each rank gave to this operation. All ranks call the operations in one order."""
        self._number += 1
        number = self._number
        ref = self._hub.meet.remote(number, self.rank, parcel, wants)
        parcels: list[Any] = self._wait(
            ref, what, lambda: get(self._hub.missing.remote(number), timeout=ANSWER_S)
        )
        return parcels

    def _wait(self, ref: ObjectRef, what: str, missing: Callable[[], list[int]]) -> Any:
        try:
            return get(ref, timeout=self._timeout_s)
        except RankGoneError as error:
            raise RuntimeError(
                f"{what} of group {self.group_name!r} failed on rank {self.rank}: {_cause(error)}."
            ) from None
        except GetTimeoutError:
            raise RuntimeError(
                f"{what} of group {self.group_name!r} timed out on rank {self.rank} after "
                f"{self._timeout_s:g} s; missing: ranks {missing()}. All ranks must call the same "
                "operations in the same order."
            ) from None

    def _letter(self, source: int, target: int) -> Letter:
        self._sent[source, target] += 1
        return source, target, self._sent[source, target]

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


def _cause(error: RankGoneError) -> object:
    """Of one that comes from the hub, without the lines of the hub's code."""
    return error.cause if isinstance(error, RayTaskError) else error
