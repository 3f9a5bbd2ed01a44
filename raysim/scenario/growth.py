"""What a scenario says of a cluster that grows and shrinks. Never when it does: see policies/autoscaling."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from raysim.scenario.fields import Amount, Duration, NodeCount, ReadScaling, Size
from raysim.scenario.part import Part
from raysim.spec.autoscaling import AutoscalingSpec, NodeMarket, NodeType
from raysim.spec.resources import fixed
from raysim.spec.units import NANOSECONDS

_SECOND = NANOSECONDS["s"]


class NodeKind(Part):
    """Nodes that may be started while the workload runs."""

    cpus: Amount = 4
    """Of each node."""
    gpus: Amount = 0
    """Of each node."""
    memory: Size = 0
    """Of each node, for tasks that ask for some; 0: nobody counts it."""
    resources: dict[str, Amount] = Field(default={})
    """Custom resources, by name."""
    labels: dict[str, str] = Field(default={})
    """Besides `ray.io/node-group`, which is the kind's name."""
    min: Annotated[int, Field(ge=0, le=100_000)] = 0
    """So many always run."""
    max: NodeCount
    """At most so many are asked for."""
    capacity: NodeCount | None = None
    """So many can be had, whatever is asked for; not given: any number."""
    cost_per_hour: Amount = 0
    """Of each node, in whatever currency."""


class Autoscaler(Part):
    """Nodes beside those of `nodes`, started for what waits and ended when idle, as Ray's autoscaler decides."""

    kinds: Annotated[dict[str, NodeKind], Field(min_length=1)]
    """By name. Nodes are called `NAME-1`, `NAME-2` and so on."""
    max: NodeCount | None = None
    """Of all kinds together; not given: the sum of their own."""
    startup: Duration = 30 * _SECOND
    """From asking for a node until it runs."""
    idle: Duration = 300 * _SECOND
    """How long a node may be idle. Ray: `idle_timeout_minutes`."""
    period: Annotated[Duration, Field(gt=0)] = 5 * _SECOND
    """Between two looks at what waits. Ray: `AUTOSCALER_UPDATE_INTERVAL_S`."""
    policy: ReadScaling = "bin_packing"
    """Which nodes are started, and which idle ones go: `bin_packing` as Ray's, `target_utilization(target=0.7)`, or a
    class of your own, named as for the scenario's `policy`. See docs/autoscaling.md."""
    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Nodes of a kind on their way at once, as a share of those that run. Ray: `upscaling_speed`."""

    def most(self) -> int:
        """Nodes that it may have started at once."""
        every = sum(kind.max for kind in self.kinds.values())
        return every if self.max is None else min(self.max, every)

    def most_cpus(self) -> float:
        """Cores of the largest nodes that it may have at once."""
        each = sorted(
            (kind.cpus for kind in self.kinds.values() for _ in range(kind.max)), reverse=True
        )
        return sum(each[: self.most()])

    def market(self) -> NodeMarket:
        """In the simulator's words."""
        spec = AutoscalingSpec(
            node_types=tuple(
                NodeType(name, fixed(_resources(kind)), dict(kind.labels), kind.min, kind.max)
                for name, kind in self.kinds.items()
            ),
            max_workers=self.most(),
            idle_timeout_ns=self.idle,
            period_ns=self.period,
            upscaling_speed=self.speed,
            policy=self.policy,
        )
        capacity = {name: kind.capacity for name, kind in self.kinds.items() if kind.capacity}
        return NodeMarket(spec, self.startup, capacity)


def _resources(kind: NodeKind) -> dict[str, float]:
    return {**kind.resources, "CPU": kind.cpus, "GPU": kind.gpus, "memory": float(kind.memory)}
