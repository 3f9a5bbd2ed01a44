"""What a cluster may grow to, and what asks it to grow. Never when it does: see policies/autoscaling."""

import msgspec

from raysim.config import MS
from raysim.spec.labels import Selector
from raysim.spec.resources import Resources

NODE_GROUP = "ray.io/node-group"
"""Label of a node that was started for a type: the type's name. Ray's."""


class NodeType(msgspec.Struct, frozen=True):
    """Nodes of one kind. Ray: an entry of `available_node_types`."""

    name: str
    resources: Resources
    """Units of 1e-4."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Of its nodes, which have NODE_GROUP besides."""
    min_workers: int = 0
    max_workers: int = 0

    def __post_init__(self) -> None:
        self.labels[NODE_GROUP] = self.name


class AutoscalingSpec(msgspec.Struct, frozen=True, kw_only=True):
    node_types: tuple[NodeType, ...]
    max_workers: int
    """Nodes besides the head, of all types."""
    idle_timeout_ns: int = 300_000 * MS
    """Nanoseconds that a node may be idle. Ray: `idle_timeout_minutes`, 5."""
    period_ns: int = 5_000 * MS
    """Nanoseconds between two looks. Ray: `AUTOSCALER_UPDATE_INTERVAL_S`, 5."""
    upscaling_speed: float = 1.0
    """Nodes of a type on their way at once, as a share of those that run. Ray: `upscaling_speed`."""
    unavailable_ns: int = 60_000 * MS
    """Nanoseconds for which a type that could not be had is not asked for again. Ours (Ray: 30 min)."""

    policy: str = "bin_packing"
    """Which nodes are started and which idle ones go, as written: `target_utilization(target=0.7)`, `module:Class`
    (`raysim.policies.scaling`)."""

    def type_of(self, name: str) -> NodeType | None:
        return next((one for one in self.node_types if one.name == name), None)


class NodeMarket(msgspec.Struct, frozen=True):
    """Where a simulated cluster's nodes come from."""

    spec: AutoscalingSpec
    startup_ns: int
    """Nanoseconds from asking for a node until it runs."""
    capacity: dict[str, int] = {}
    """Nodes of a type that there are at most; may be changed while the world runs. Without entry: any number."""


class Demand(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """So many requests of one shape that wait."""

    resources: Resources
    selectors: tuple[Selector, ...] = ()
    count: int = 1


class Supply(msgspec.Struct):
    """A node, as far as growing is concerned: it runs, or is on its way."""

    available: Resources
    labels: dict[str, str]
    node_type: str = ""
    """Empty: the head, or another one that nobody started for a type."""
    total: Resources = {}
    """All that it has."""
