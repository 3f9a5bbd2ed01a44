"""Clusters of several nodes for tests, on one machine or simulated. Ray: `ray.cluster_utils`. Never a scheduler."""

import atexit
from collections.abc import Callable, Mapping
from typing import Any

from raysim.api import session
from raysim.api.autoscaling import AutoscalingCluster as AutoscalingCluster
from raysim.api.init_options import SIMULATED, backend_name, init_options, node_options
from raysim.api.session import JoinableWorld, RayContext
from raysim.backend import NodeOptions, World, load

DEFAULT_CPUS = 1
"""Of a node that is not told otherwise. Ray: `Cluster.add_node`."""

JOIN_TIMEOUT_S = 30
"""Seconds that a new node has to join. Ray: `Cluster.wait_for_nodes`."""

POLL_S = 0.05
"""Seconds of the world's clock between two looks at the nodes."""


class ClusterNode:
    """A node of a `Cluster`."""

    def __init__(self, node_id: str, options: NodeOptions) -> None:
        self.node_id = node_id
        """In hex."""
        self.options = options

    def __repr__(self) -> str:
        return f"ClusterNode({self.node_id})"


class Cluster:
    """Nodes that come and go by hand; the driver is on the first one, the head.

    `head_node_args` are those of `add_node`; `backend`, `seed` and `world` are those of `init`.
    """

    def __init__(
        self,
        initialize_head: bool = False,
        connect: bool = False,
        head_node_args: Mapping[str, Any] | None = None,
        shutdown_at_exit: bool = True,
        *,
        backend: str | None = None,
        seed: int | None = None,
        world: Mapping[str, Any] | None = None,
    ) -> None:
        self.head_node: ClusterNode | None = None
        self.worker_nodes: list[ClusterNode] = []
        self._address = ""
        self._backend = backend_name(backend)
        self._seed = seed
        self._world_options = world
        self._world: World | None = None
        self._at_exit = shutdown_at_exit
        if connect and not initialize_head:
            raise RuntimeError("Cannot connect to an empty cluster: set initialize_head=True.")
        if initialize_head:
            self.add_node(**(head_node_args or {}))
        if connect:
            self.connect()

    def add_node(
        self,
        wait: bool = True,
        *,
        num_cpus: float = DEFAULT_CPUS,
        num_gpus: float = 0,
        memory: int | None = None,
        resources: Mapping[str, float] | None = None,
        labels: Mapping[str, str] | None = None,
        object_store_memory: int | None = None,
        node_name: str = "",
        _system_config: Mapping[str, Any] | None = None,
    ) -> ClusterNode:
        """Start a node; the first one is the head. With `wait` it is known to the cluster on return,
        if the driver is connected. Sizes in bytes."""
        options = node_options(
            self._backend,
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            memory=memory,
            resources=resources,
            labels=labels,
            object_store_memory=object_store_memory,
            name=node_name,
        )
        if self._world is None:
            return self._start(options, _system_config)
        if _system_config is not None:
            raise ValueError("_system_config is the head's: give it with head_node_args.")
        node = ClusterNode(self._world.add_node(options), options)
        self.worker_nodes.append(node)
        if wait and self._is_connected():
            self._wait(lambda alive: node.node_id in alive, "the new node to join", JOIN_TIMEOUT_S)
        return node

    def _start(self, head: NodeOptions, system_config: Mapping[str, Any] | None) -> ClusterNode:
        world = dict(self._world_options or {})
        if self._backend == SIMULATED:
            # What dies here are processes of a machine that stays up: its kernel tells their peers.
            world.setdefault("connection_resets", True)
        options = init_options(
            [head], seed=self._seed, world=world, system_config=system_config, shared=True
        )
        self._world = load(self._backend)(options)
        info = self._world.address_info()
        self._address = info["address"]
        session.joinable[self._address] = JoinableWorld(self._world, options.nodes)
        self.head_node = ClusterNode(info["node_id"], head)
        if self._at_exit:
            atexit.register(self.shutdown)
        return self.head_node

    @property
    def address(self) -> str | None:
        """For `init(address=...)`; None without a head."""
        return self._address or None

    @property
    def gcs_address(self) -> str | None:
        """The same: the head is where the GCS is."""
        return self.address

    def connect(self, namespace: str | None = None) -> RayContext:
        """Make this process the cluster's driver. Raises RuntimeError without a head."""
        if self._world is None:
            raise RuntimeError("The cluster has no head: call add_node() first.")
        return session.init(address=self.address, namespace=namespace)

    def remove_node(self, node: ClusterNode, allow_graceful: bool = True) -> None:
        """End a node's processes: in good order, or (`allow_graceful=False`) at once, as by SIGKILL.

        Raises ValueError for the head, which holds the driver and the GCS.
        """
        assert self._world is not None, "a node without a cluster"
        if node is self.head_node:
            raise ValueError("Removing the head would remove the driver's own node: shutdown().")
        self._world.kill_node(node.node_id, allow_graceful)
        self.worker_nodes.remove(node)

    def list_all_nodes(self) -> list[ClusterNode]:
        """The head and those added and not removed."""
        return [*([self.head_node] if self.head_node else []), *self.worker_nodes]

    def wait_for_nodes(self, timeout: float = 30) -> None:
        """Until the cluster sees as many live nodes as there should be. Seconds of its clock.

        Where no driver is connected to ask the cluster: that their processes run. Raises TimeoutError.
        """
        if not self._is_connected():
            if not self.remaining_processes_alive():
                raise TimeoutError("A node has ended that was not removed.")
            return
        expected = len(self.list_all_nodes())
        self._wait(lambda alive: len(alive) == expected, f"{expected} live nodes", timeout)

    def _wait(self, done: Callable[[list[str]], bool], what: str, timeout: float) -> None:
        backend = session.connected()
        deadline = backend.now() + timeout
        while not done(alive := [n["NodeID"] for n in backend.nodes() if n["Alive"]]):
            if backend.now() > deadline:
                raise TimeoutError(f"Waited {timeout} s for {what}; {len(alive)} nodes are alive.")
            backend.sleep(POLL_S)

    def remaining_processes_alive(self) -> bool:
        """Whether the processes run of all nodes that were not removed."""
        world = self._world
        return world is None or all(world.is_alive(n.node_id) for n in self.list_all_nodes())

    def shutdown(self) -> None:
        """End the driver's session and all nodes. Harmless when there are none."""
        world, self._world = self._world, None
        if world is None:
            return
        atexit.unregister(self.shutdown)
        session.end_world(world, self._address)
        self.head_node, self.worker_nodes, self._address = None, [], ""

    def _is_connected(self) -> bool:
        return self._world is not None and session.current_world() is self._world
