"""Where a real cluster's nodes come from when it grows. Never when it does: see policies/autoscaling."""

from typing import Any, TypeAlias

import msgspec

from raysim.spec.autoscaling import AutoscalingSpec


class LocalMachines(msgspec.Struct, frozen=True, tag="local"):
    """Nodes are processes on the head's machine."""


class KubernetesPods(msgspec.Struct, frozen=True, kw_only=True, tag="kubernetes"):
    """Nodes are pods, asked for with the service account of the head's own pod."""

    cluster: str
    """Pods carry it as the label `raysim.io/cluster`, and their names begin with it."""
    namespace: str
    image: str
    head: str
    """`host:port` at which pods reach the head; empty: its own address."""
    token_secret: str
    """The secret whose key `auth_token` is the cluster's token."""
    plaintext: bool = False
    """They may listen beyond their pod without TLS."""
    templates: dict[str, dict[str, Any]] = {}
    """Node type to a pod (`metadata`, `spec`) into which ours is written. Ray: `node_config`."""


Machines: TypeAlias = LocalMachines | KubernetesPods


class Growth(msgspec.Struct, frozen=True):
    spec: AutoscalingSpec
    machines: Machines
