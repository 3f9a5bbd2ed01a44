"""A cluster's configuration as Ray writes it (YAML) -> what a real cluster may grow to. Never a scenario.

Keys: https://docs.ray.io/en/latest/cluster/vms/references/ray-cluster-configuration.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from raysim.scenario.fields import ReadScaling
from raysim.scenario.part import Part
from raysim.scenario.reading import read_text
from raysim.scenario.validation import validate
from raysim.scenario.yamltext import parse_yaml
from raysim.spec.autoscaling import AutoscalingSpec, NodeType
from raysim.spec.growth import Growth, KubernetesPods, LocalMachines, Machines
from raysim.spec.labels import check_labels
from raysim.spec.resources import fixed
from raysim.spec.units import NANOSECONDS, parse_size

_SECOND, _MINUTE = NANOSECONDS["s"], NANOSECONDS["m"]


def _quantity(value: object) -> object:
    """`4GiB` is so many bytes."""
    return parse_size(value) if isinstance(value, str) else value


Quantity = Annotated[float, BeforeValidator(_quantity), Field(ge=0, le=1e15, allow_inf_nan=False)]
Workers = Annotated[int, Field(ge=0, le=100_000)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")]
"""As Kubernetes has names, and short enough for an id behind it."""


class AvailableNodeType(Part):
    resources: dict[str, Quantity] = Field(default={})
    """Of each node: `CPU`, `GPU`, `memory`, `object_store_memory` (bytes, or 4GiB), and custom ones."""
    labels: dict[str, str] = Field(default={})
    min_workers: Workers = 0
    max_workers: Workers | None = None
    """Not given: as `max_workers` of all types."""
    node_config: dict[str, Any] = Field(default={})
    """With `kubernetes`: a pod (`metadata`, `spec`) into which raysim's container is written."""

    @model_validator(mode="after")
    def _fits(self) -> AvailableNodeType:
        check_labels(self.labels)
        if self.max_workers is not None and self.min_workers > self.max_workers:
            raise ValueError(
                f"min_workers ({self.min_workers}) is more than max_workers ({self.max_workers})"
            )
        unknown = sorted(set(self.node_config) - {"metadata", "spec", "apiVersion", "kind"})
        if unknown:
            raise ValueError(f"node_config is a pod: metadata and spec, not {unknown[0]!r}")
        return self


class Provider(Part):
    type: Literal["local", "kubernetes"]
    """local: processes on the head's machine. kubernetes: pods beside the head's."""
    namespace: Name = "default"
    image: str = ""
    """Of pods whose node_config names none."""
    head_address: str = ""
    """`host:port` at which pods reach the head; not given: where it listens."""
    token_secret: str = ""
    """The secret whose key `auth_token` is the token."""
    allow_plaintext: bool = False
    """Nodes may listen beyond their pod without TLS."""


class ClusterConfig(Part):
    cluster_name: Name = "raysim"
    max_workers: Workers = 2
    """Nodes besides the head, of all types."""
    upscaling_speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Nodes of a type on their way at once, as a share of those that run."""
    idle_timeout_minutes: Annotated[float, Field(ge=0, le=1e6)] = 5.0
    update_interval_s: Annotated[float, Field(gt=0, le=1e6)] = 5.0
    """Between two looks at what waits. raysim's own; Ray: the variable AUTOSCALER_UPDATE_INTERVAL_S."""
    policy: ReadScaling = "bin_packing"
    """Which nodes are started, and which idle ones go. raysim's own: see docs/autoscaling.md."""
    provider: Provider
    available_node_types: Annotated[dict[Name, AvailableNodeType], Field(min_length=1)]

    def growth(self) -> Growth:
        types = tuple(
            NodeType(
                name,
                fixed(kind.resources),
                dict(kind.labels),
                kind.min_workers,
                self.max_workers if kind.max_workers is None else kind.max_workers,
            )
            for name, kind in self.available_node_types.items()
        )
        spec = AutoscalingSpec(
            node_types=types,
            max_workers=self.max_workers,
            idle_timeout_ns=round(self.idle_timeout_minutes * _MINUTE),
            period_ns=round(self.update_interval_s * _SECOND),
            upscaling_speed=self.upscaling_speed,
            policy=self.policy,
        )
        return Growth(spec, self._machines())

    def _machines(self) -> Machines:
        provider = self.provider
        if provider.type == "local":
            return LocalMachines()
        return KubernetesPods(
            cluster=self.cluster_name,
            namespace=provider.namespace,
            image=provider.image,
            head=provider.head_address,
            token_secret=provider.token_secret,
            plaintext=provider.allow_plaintext,
            templates={
                name: kind.node_config
                for name, kind in self.available_node_types.items()
                if kind.node_config
            },
        )


def read_growth(file: Path) -> Growth:
    """Raises ScenarioError with every problem of the file, each with its place."""
    return validate(ClusterConfig, parse_yaml(read_text(file), str(file))).growth()
