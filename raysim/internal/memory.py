"""`memory_summary`: what refers to objects, and what stores and disks of all nodes hold. Asked for, never kept."""

from collections.abc import Iterable
from typing import Any, Final

from raysim.api.cluster import nodes
from raysim.util.state.api import list_objects
from raysim.util.state.states import ObjectState

UNITS: Final = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_MIB: Final = 1 << 20
_SORTS: Final = ("OBJECT_SIZE", "PID", "REFERENCE_TYPE")
_MOST: Final = 10_000
"""References that are shown. Ray: `RAY_MAX_LIMIT_FROM_API_SERVER`."""


def memory_summary(
    units: str = "B",
    sort_by: str = "OBJECT_SIZE",
    stats_only: bool = False,
    num_entries: int | None = None,
) -> str:
    """References to objects by process, and what stores and disks hold. Ray: `ray memory`.

    `units` (B, KB, MB, GB) of sizes; `sort_by` OBJECT_SIZE, PID or REFERENCE_TYPE; `num_entries` at most.
    Raises ValueError for other words.
    """
    if units not in UNITS:
        raise ValueError(f"units={units!r} is none of {', '.join(UNITS)}.")
    if sort_by not in _SORTS:
        raise ValueError(f"sort_by={sort_by!r} is none of {', '.join(_SORTS)}.")
    stores = [node["ObjectStore"] for node in nodes() if node["Alive"]]
    if stats_only:
        return _stats(stores)
    found = sorted(list_objects(limit=_MOST, detail=True), key=_KEYS[sort_by])
    shown = found if num_entries is None else found[:num_entries]
    lines = ["--- References to objects ---", _line("PID", "Type", "Size", "Reference", "Object")]
    lines += [_row(one, units) for one in shown]
    return "\n".join([*lines, "", _stats(stores)])


_KEYS: Final = {
    "OBJECT_SIZE": lambda one: -one.object_size,
    "PID": lambda one: one.pid,
    "REFERENCE_TYPE": lambda one: one.reference_type,
}


def _row(one: ObjectState, units: str) -> str:
    size = "?" if one.object_size < 0 else f"{one.object_size / UNITS[units]:.6g} {units}"
    return _line(str(one.pid), one.type, size, one.reference_type, one.object_id)


def _line(pid: str, kind: str, size: str, reference: str, object_id: str) -> str:
    return f"{pid:<8} {kind:<7} {size:>14}  {reference:<22} {object_id}"


def _stats(stores: Iterable[dict[str, Any]]) -> str:
    """In Ray's words."""
    total: dict[str, int] = {}
    for store in stores:
        for name, value in store.items():
            total[name] = total.get(name, 0) + value
    used, capacity = total["used_bytes"], max(1, total["capacity"])
    lines = [
        "--- Aggregate object store stats across all nodes ---",
        f"Plasma memory usage {used // _MIB} MiB, {total['objects']} objects, {100 * used / capacity:.4g}% full",
    ]
    for did, way, time in (("Spilled", "write", "spill_ns"), ("Restored", "read", "restore_ns")):
        size, count = total[f"bytes_{did.lower()}"], total[f"objects_{did.lower()}"]
        if count:
            rate = size / _MIB / max(total[time] / 1e9, 1e-9)
            lines.append(
                f"{did} {size // _MIB} MiB, {count} objects, avg {way} throughput {rate:.0f} MiB/s"
            )
    if total["bytes_on_disk"]:
        lines.append(f"On disk {total['bytes_on_disk'] // _MIB} MiB")
    return "\n".join(lines)
