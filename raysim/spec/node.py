"""A node as the cluster knows it: what it has, what is free, how it is. Never a decision."""

from collections.abc import Mapping, Sequence

import msgspec

from raysim.spec.address import Address
from raysim.spec.resources import (
    GPU,
    HEAD_NODE,
    NODE_PREFIX,
    OBJECT_STORE_MEMORY,
    UNITS,
    Resources,
    fits,
    fixed,
)


class NodeInfo(msgspec.Struct, frozen=True, gc=False):
    """What a node says of itself once, on registration. Sizes in bytes, resources in units of 1e-4."""

    address: Address
    """Of the raylet."""
    total: Resources
    name: str
    hostname: str = ""
    labels: dict[str, str] = {}
    object_store_bytes: int = 0
    is_head: bool = False
    ip: str = ""
    """Under which programs on other nodes reach what runs on this one; empty: nobody said."""


def offered(info: NodeInfo) -> Resources:
    """What the node has, with what stands for the node itself: `node:<ip>`, and that of the head."""
    marks = {OBJECT_STORE_MEMORY: float(info.object_store_bytes)}
    if info.ip:
        marks[f"{NODE_PREFIX}{info.ip}"] = 1
    if info.is_head:
        marks[HEAD_NODE] = 1
    return {**info.total, **fixed(marks)}


class StoreStats(msgspec.Struct, frozen=True, gc=False):
    """A node's object store, in bytes and objects: what it has now, and counters since its start."""

    used_bytes: int = 0
    objects: int = 0
    bytes_pulled: int = 0
    bytes_spilled: int = 0
    objects_spilled: int = 0
    spill_ns: int = 0
    """Of writing, file by file."""
    bytes_restored: int = 0
    objects_restored: int = 0
    restore_ns: int = 0
    """Of waiting for room and reading, object by object."""
    bytes_on_disk: int = 0
    """Now."""


class NodeView(msgspec.Struct, gc=False):
    """A node as a scheduler sees it. `version` grows with each change of `available` at its raylet."""

    address: Address
    total: Resources
    available: Resources
    version: int = 0
    queued: int = 0
    """Lease requests that wait at the node."""
    labels: dict[str, str] = {}
    gpus: tuple[int, ...] = ()
    """What is free of each of its GPUs, in the order of their numbers. Empty: it has none, or does not tell."""


def has_room(need: Mapping[str, int], view: NodeView) -> bool:
    """Whether it fits there now. What is free of many GPUs in parts is no room for one that is to be whole."""
    if not fits(need, view.available):
        return False
    gpus = view.gpus
    return not gpus or GPU not in need or gpus_fit(need[GPU], gpus)


def gpus_fit(units: int, free: Sequence[int]) -> bool:
    """Whether these GPUs hold it: whole ones are wholly free, and what is left over fits into one."""
    whole, share = divmod(units, UNITS)
    if not whole:
        return not share or max(free) >= share
    left = free.count(UNITS) - whole
    if left:
        return left > 0
    return not share or any(share <= one < UNITS for one in free)


class Drain(msgspec.Struct, frozen=True, gc=False):
    """That a node is to go, and why."""

    reason: str
    deadline_ns: int = 0
    """From when it was asked for; 0: none."""
    until_ns: int = 0
    """The same on the clock of the GCS."""


class NodeState(msgspec.Struct, frozen=True, gc=False):
    """A node as `nodes()` shows it, dead ones included."""

    info: NodeInfo
    alive: bool
    available: Resources
    stats: StoreStats
    death_reason: str = ""
    start_ns: int = 0
    """When it joined, on the clock of the GCS."""
    end_ns: int = 0
    """When it was lost; 0: it was not."""
    drain: Drain | None = None
    """It is to go, or was."""
