"""Says why something does not fit into a node's store, and what fills it. Never makes room."""

from collections.abc import Iterable
from heapq import nlargest

from raysim.protocol.host import RayletHost
from raysim.protocol.raylet.spilling import Spilling
from raysim.protocol.raylet.stored import NOWHERE, StoredObject
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ObjectId, WorkerId
from raysim.spec.units import format_size

SHOWN = 3
"""Objects, owners and readers that an error names, at most. Ours."""


def full(
    host: RayletHost,
    size: int,
    objects: Iterable[StoredObject],
    pinned_by: dict[ObjectId, list[WorkerId]],
    spilling: Spilling,
    spillable: int,
) -> Failure:
    """Why so many bytes do not fit. Of the disk, if that is what keeps `spillable` bytes in memory."""
    store = host.store
    in_memory = [entry for entry in objects if entry.handle != NOWHERE]
    text = (
        f"No room for {format_size(size)} in the object store of node "
        f"{host.address.node_id.hex()[:12]}: {format_size(store.used())} of "
        f"{format_size(store.capacity)} are used ({_largest(in_memory, pinned_by)})."
    )
    fits = size <= store.capacity
    if fits and spillable and spilling.problem:
        text += (
            f" {format_size(spillable)} of it cannot be spilled: {spilling.problem}. Nothing is lost. "
            "Drop references that are not needed any more, or make room on the disk."
        )
        return Failure(FailureKind.OUT_OF_DISK, text)
    remedy = "Drop references and views that are not needed any more, or raise object_store_memory."
    return Failure(FailureKind.OBJECT_STORE_FULL, f"{text} {remedy}")


def _largest(in_memory: list[StoredObject], pinned_by: dict[ObjectId, list[WorkerId]]) -> str:
    if not in_memory:
        return "no sealed objects"
    owners: dict[WorkerId, tuple[int, int]] = {}
    for entry in in_memory:
        total, count = owners.get(entry.owner.worker_id, (0, 0))
        owners[entry.owner.worker_id] = (total + entry.size, count + 1)
    by_owner = ", ".join(
        f"{format_size(total)} in {count} objects owned by process {worker_id.hex()[:12]}"
        for worker_id, (total, count) in nlargest(SHOWN, owners.items(), key=lambda one: one[1][0])
    )
    largest = nlargest(SHOWN, in_memory, key=lambda entry: entry.size)
    return f"{by_owner}; the largest: {'; '.join(_shown(one, pinned_by) for one in largest)}"


def _shown(entry: StoredObject, pinned_by: dict[ObjectId, list[WorkerId]]) -> str:
    readers = [reader.hex()[:12] for reader in pinned_by.get(entry.object_id, ())]
    held = f"in use by process {', '.join(readers[:SHOWN])}" if readers else "in use by nobody"
    owner = entry.owner.worker_id.hex()[:12]
    return f"object {entry.object_id.hex()}, {format_size(entry.size)}, owned by process {owner}, {held}"
