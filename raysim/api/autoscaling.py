"""`AutoscalingCluster`: a simulated cluster that grows and shrinks with what its program asks for. Never decides when.

The decisions are `raysim.policies.scaling`'s.
"""

import atexit
from collections.abc import Mapping
from typing import Any

from raysim.api import session
from raysim.api.init_options import SIMULATED, init_options, node_options
from raysim.api.session import JoinableWorld
from raysim.backend import NodeOptions, World, load
from raysim.policies.scaling import create_scaling
from raysim.spec.autoscaling import AutoscalingSpec, NodeMarket, NodeType
from raysim.spec.labels import check_labels
from raysim.spec.resources import fixed

IDLE_TIMEOUT_MINUTES = 5.0
"""Ray: `idle_timeout_minutes`."""

MAX_WORKERS = 8
"""Of all types, when not given. Ray: the default of `AutoscalingCluster`'s configuration."""

STARTUP_DELAY_S = 30.0
"""Seconds from asking for a node until it runs. Ours: what virtual machines of large clouds take."""

PERIOD_S = 1.0
"""Seconds between two looks of the autoscaler. Ray: `AUTOSCALER_UPDATE_INTERVAL_S` of this class."""

TYPE_KEYS = ("resources", "labels", "min_workers", "max_workers", "node_config")


class AutoscalingCluster:
    """A head, and workers of some types that come and go. Ray: `ray.cluster_utils.AutoscalingCluster`.

    `head_resources` and `resources` of each type are as `{"CPU": 4, "GPU": 1, "memory": bytes}`;
    `worker_node_types` maps a name to `{"resources", "labels", "min_workers", "max_workers"}`. As in Ray's
    configuration: `max_workers` of all types, `idle_timeout_minutes`, `upscaling_speed`. raysim's own:
    `policy` (which nodes are started, and which idle ones go: docs/autoscaling.md),
    `startup_delay_s`, `capacity` (type to how many its provider has at most), `seed`, `world`.

    Raises ValueError for what it does not know.
    """

    def __init__(
        self,
        head_resources: Mapping[str, float],
        worker_node_types: Mapping[str, Mapping[str, Any]],
        autoscaler_v2: bool = False,
        *,
        max_workers: int = MAX_WORKERS,
        idle_timeout_minutes: float = IDLE_TIMEOUT_MINUTES,
        upscaling_speed: float = 1.0,
        policy: str = "bin_packing",
        startup_delay_s: float = STARTUP_DELAY_S,
        capacity: Mapping[str, int] | None = None,
        seed: int | None = None,
        world: Mapping[str, Any] | None = None,
    ) -> None:
        self._head = _head(head_resources)
        create_scaling(policy)
        spec = AutoscalingSpec(
            node_types=tuple(_node_type(name, kind) for name, kind in worker_node_types.items()),
            max_workers=max_workers,
            idle_timeout_ns=round(idle_timeout_minutes * 60e9),
            period_ns=round(PERIOD_S * 1e9),
            upscaling_speed=upscaling_speed,
            policy=policy,
        )
        self._market = NodeMarket(spec, round(startup_delay_s * 1e9), dict(capacity or {}))
        self._seed = seed
        self._world_options = world
        self._world: World | None = None
        self.address = ""

    def start(
        self,
        _system_config: Mapping[str, Any] | None = None,
        override_env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the head; `init("auto")` then connects to it."""
        if override_env:
            raise ValueError("override_env is for processes: a simulated cluster has none.")
        options = init_options(
            [self._head],
            seed=self._seed,
            world={**(self._world_options or {}), "autoscaler": self._market},
            system_config=_system_config,
            shared=True,
        )
        self._world = load(SIMULATED)(options)
        self.address = self._world.address_info()["address"]
        session.joinable[self.address] = JoinableWorld(self._world, options.nodes)
        atexit.register(self.shutdown)

    def set_capacity(self, node_type: str, count: int | None) -> None:
        """How many nodes of this type the provider has from now on; None: any number."""
        if count is None:
            self._market.capacity.pop(node_type, None)
        else:
            self._market.capacity[node_type] = count

    def shutdown(self) -> None:
        """End the driver's session and all nodes. Harmless when there are none."""
        world, self._world = self._world, None
        if world is None:
            return
        atexit.unregister(self.shutdown)
        session.end_world(world, self.address)


def _head(resources: Mapping[str, float]) -> NodeOptions:
    left = dict(resources)
    memory, store = left.pop("memory", None), left.pop("object_store_memory", None)
    return node_options(
        SIMULATED,
        num_cpus=left.pop("CPU", 0),
        num_gpus=left.pop("GPU", 0),
        memory=None if memory is None else int(memory),
        object_store_memory=None if store is None else int(store),
        resources=left,
        name="head",
    )


def _node_type(name: str, given: Mapping[str, Any]) -> NodeType:
    for key in given:
        if key not in TYPE_KEYS:
            raise ValueError(
                f"worker_node_types[{name!r}] has no {key!r}. It has {', '.join(TYPE_KEYS)}."
            )
    labels = dict(given.get("labels") or {})
    check_labels(labels)
    least = int(given.get("min_workers", 0))
    most = int(given.get("max_workers", least))
    if not 0 <= least <= most:
        raise ValueError(
            f"worker_node_types[{name!r}]: min_workers={least} and max_workers={most} are no range."
        )
    return NodeType(name, fixed(given.get("resources", {})), labels, least, most)
