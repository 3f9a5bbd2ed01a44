"""A Ray cluster as the driver holds it: one that exists, or one that it starts on this machine. Never a scheduler.

`init(backend="ray", address=...)` (or env RAY_ADDRESS, which Ray's job submission and KubeRay set)
joins; without an address Ray is started here, and ends with the session.
"""

import os
from typing import Any

import ray

from raysim.backend import Backend, InitOptions, NodeOptions
from raysim.config import Config
from raysim.journal import Journal
from raysim_ray.backend import RayBackend
from raysim_ray.local import LocalNodes, importable_by_workers, node_keywords
from raysim_ray.serializers import Mirror
from raysim_ray.timeline import Recorder

RAY_ONLY = (
    "configure_logging",
    "dashboard_host",
    "dashboard_port",
    "include_dashboard",
    "job_config",
    "log_to_driver",
    "logging_config",
    "logging_format",
    "logging_level",
    "runtime_env",
    "_temp_dir",
)
"""Options of this world: arguments of `ray.init` that go to it unchanged."""


def create(options: InitOptions) -> "RayWorld":
    """Connect to the cluster of the address, or start one with these nodes.

    Raises ValueError for what Ray cannot do, ConnectionError for an address where nothing is.
    """
    _refuse(options)
    address = options.address or os.environ.get("RAY_ADDRESS")
    if address:
        context = ray.init(address=address, **_common(options))
        return RayWorld(context, None, options.journal)
    head, *others = options.nodes
    with importable_by_workers():
        context = ray.init(
            address="local",
            **{"include_dashboard": False, **_common(options)},
            **node_keywords(head),
            _memory=head.memory or None,
            **({"_node_name": head.name} if head.name else {}),
        )
    world = RayWorld(context, LocalNodes(), options.journal)
    try:
        for node in others:
            world.add_node(node)
    except BaseException:
        world.stop()  # Nothing of a cluster that is not whole may stay behind.
        raise
    return world


def _common(options: InitOptions) -> dict[str, Any]:
    return {"namespace": options.namespace or None, **options.world}


def _refuse(options: InitOptions) -> None:
    unknown = [name for name in options.world if name not in RAY_ONLY]
    if unknown:
        raise ValueError(
            f"The backend 'ray' has no option {', '.join(unknown)}: networks and faults are "
            f"simulated with backend='sim'. Its options are {', '.join(RAY_ONLY)}."
        )
    if options.seed:
        raise ValueError(
            f"seed={options.seed} cannot be used on the backend 'ray': Ray's own choices have no "
            "seed. Leave it out, or use backend='sim'."
        )
    usual = Config()
    changed = [
        name
        for name in Config.__struct_fields__
        if getattr(options.config, name) != getattr(usual, name)
    ]
    if changed:
        raise ValueError(
            f"{', '.join(changed)} cannot be set on the backend 'ray', which has its own scheduler "
            "and its own configuration: set it where that cluster is started."
        )


class RayWorld:
    """A session of Ray. `local` holds the nodes if it was started here; None if it was joined."""

    name = "ray"

    def __init__(self, context: Any, local: LocalNodes | None, journal: Journal | None) -> None:
        self._info: dict[str, Any] = dict(context.address_info)
        self._local = local
        self._recorder = Recorder(journal) if journal is not None else None

    def connect(self) -> Backend:
        return RayBackend(self._recorder, Mirror())

    def stop(self) -> None:
        """Leave the cluster; end it if it was started here."""
        try:
            if self._recorder is not None:
                self._recorder.write()
        finally:
            ray.shutdown()  # First: else Ray tells this driver at length of each node that ends.
            if self._local is not None:
                self._local.stop()

    def address_info(self) -> dict[str, str]:
        return {name: value for name, value in self._info.items() if isinstance(value, str)}

    def add_node(self, options: NodeOptions) -> str:
        """Raises ValueError on a cluster that was joined: its nodes are its operator's."""
        return self._own("added").add(options)

    def kill_node(self, node_id: str) -> None:
        """Raises ValueError on a cluster that was joined: its nodes are its operator's."""
        self._own("killed").kill(node_id)

    def _own(self, what: str) -> LocalNodes:
        if self._local is None:
            raise ValueError(
                f"Nodes cannot be {what} here: the Ray cluster at {self._info.get('address')} was "
                "joined, not started. Use what runs it (ray up, KubeRay), or its autoscaler."
            )
        return self._local
