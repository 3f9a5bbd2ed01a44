"""A node as the cluster knows it: what it has, what is free, how it is. Never a decision."""

import msgspec

from raysim.spec.address import Address
from raysim.spec.resources import Resources


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


class StoreStats(msgspec.Struct, frozen=True, gc=False):
    """Counters of a node's object store since its start, in bytes and objects."""

    used_bytes: int = 0
    objects: int = 0
    bytes_pulled: int = 0
    bytes_spilled: int = 0


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
