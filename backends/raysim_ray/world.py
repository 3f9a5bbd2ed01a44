"""A Ray cluster as the driver holds it: one that exists, or one that it starts on this machine. Never a scheduler.

`init(backend="ray", address=...)` (or env RAY_ADDRESS, which Ray's job submission and KubeRay set)
joins; without an address, or with `local`, Ray is started here, and ends with the session.
"""

import os
from typing import Any

import ray

from raysim.api.init_options import IGNORED
from raysim.api.isolation import ARGUMENTS as ISOLATION
from raysim.api.job_arguments import DRIVER, JOB
from raysim.api.spilling import ARGUMENT as SPILLING
from raysim.backend import Backend, InitOptions, NodeOptions
from raysim.config import Config
from raysim_ray.backend import RayBackend
from raysim_ray.jobs import theirs
from raysim_ray.local import LocalNodes, importable_by_workers, node_keywords
from raysim_ray.serializers import Mirror
from raysim_ray.timeline import Recorder

LOCAL = "local"
"""The address that stands for a cluster of one's own. Ray's word."""

RAY_ONLY = (*IGNORED, *DRIVER, *JOB, *ISOLATION, SPILLING, "runtime_env")
"""Options of this world: arguments of `ray.init` that go to it unchanged."""


def create(options: InitOptions) -> "RayWorld":
    """A cluster that exists, or one of these nodes on this machine: started at once if it is shared,
    else with its driver.

    Raises ValueError for what Ray cannot do.
    """
    _refuse(options)
    address = options.address or os.environ.get("RAY_ADDRESS")
    if options.shared:
        return RayWorld(options, None, LocalNodes.started(options.nodes[0], options.world))
    if address and address != LOCAL:
        return RayWorld(options, address, None)
    return RayWorld(options, None, LocalNodes())


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
    """A cluster of Ray, and this process as its driver. `local` holds the nodes that are its own."""

    name = "ray"

    def __init__(self, options: InitOptions, address: str | None, local: LocalNodes | None) -> None:
        self._options = options
        self._address = address
        self._local = local
        self._info: dict[str, Any] = {} if local is None else local.address_info()
        self._recorder: Recorder | None = None

    def connect(self, options: InitOptions | None = None) -> Backend:
        """As a new job. Raises ConnectionError for an address where nothing is."""
        if options is None:
            options = self._options
        else:
            _refuse(options)
        address = self._address or self._info.get("address")
        context = self._start(options) if address is None else self._join(address, options)
        self._info = dict(context.address_info)
        journal = options.journal
        self._recorder = Recorder(journal) if journal is not None else None
        return RayBackend(self._recorder, Mirror())

    def _start(self, options: InitOptions) -> Any:
        """The nodes, with this process as the driver on the first one."""
        head, *others = options.nodes
        with importable_by_workers():
            context = ray.init(
                address=LOCAL,
                **{"include_dashboard": False, **theirs(options.world)},
                namespace=options.namespace or None,
                **node_keywords(head),
                _memory=head.memory or None,
                **({"_node_name": head.name} if head.name else {}),
            )
        for node in others:
            self.add_node(node)
        return context

    def _join(self, address: str, options: InitOptions) -> Any:
        given = theirs({**self._options.world, **options.world})
        return ray.init(address=address, namespace=options.namespace or None, **given)

    def disconnect(self) -> None:
        """Leave the cluster, which ends unless it was joined or is shared."""
        recorder, self._recorder = self._recorder, None
        try:
            if recorder is not None:
                recorder.write()
        finally:
            ray.shutdown()

    def stop(self) -> None:
        """Leave the cluster; end it if it was started here."""
        try:
            self.disconnect()  # First: else Ray tells this driver at length of each node that ends.
        finally:
            if self._local is not None:
                self._local.stop()

    def address_info(self) -> dict[str, str]:
        return {name: value for name, value in self._info.items() if isinstance(value, str)}

    def add_node(self, options: NodeOptions) -> str:
        """Raises ValueError on a cluster that was joined: its nodes are its operator's."""
        return self._own("added").add(options)

    def kill_node(self, node_id: str, graceful: bool = False) -> None:
        """Raises ValueError on a cluster that was joined: its nodes are its operator's."""
        self._own("killed").kill(node_id, graceful)

    def is_alive(self, node_id: str) -> bool:
        """Raises ValueError on a cluster that was joined: its nodes are its operator's."""
        return self._own("watched").is_alive(node_id)

    def _own(self, what: str) -> LocalNodes:
        if self._local is None:
            raise ValueError(
                f"Nodes cannot be {what} here: the Ray cluster at {self._info.get('address')} was "
                "joined, not started. Use what runs it (ray up, KubeRay), or its autoscaler."
            )
        return self._local
