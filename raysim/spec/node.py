"""A node as the cluster knows it: what it has, what is free, how it is. Never a decision."""

import msgspec

from raysim.spec.address import Address
from raysim.spec.resources import (
    HEAD_NODE,
    NODE_PREFIX,
    OBJECT_STORE_MEMORY,
    Resources,
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
