"""A simulated node: its processes, its store, its links. Never decides what runs: its raylet does."""

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from raysim.policies import create as create_policy
from raysim.protocol.gcs import Gcs
from raysim.protocol.host import GcsHost as GcsHostPort
from raysim.protocol.process import Process, Role
from raysim.protocol.raylet import Raylet
from raysim.runtime.core_worker import CoreWorker
from raysim.spec.address import Address
from raysim.spec.ids import named_node_id, named_worker_id
from raysim.spec.node import NodeInfo
from raysim.spec.resources import CPU, GPU, MEMORY, fixed
from raysim_sim.control_store import MemoryControlStore
from raysim_sim.disk import SimDisk
from raysim_sim.envs import SimEnvironments, place_of
from raysim_sim.gcs_process import GcsProcess
from raysim_sim.hosts import NodeHost, Origin, SimHost
from raysim_sim.logs import LogsOfNode
from raysim_sim.store import SimObjectStore
from raysim_sim.user_host import UserHost

if TYPE_CHECKING:
    from raysim.backend import NodeOptions
    from raysim_sim.world import SimWorld

DEFAULT_STORE_BYTES = 8 << 30
"""Capacity of a node's object store. Ray: 30 % of the memory; here of a node with 27 GB."""


class SimNode:
    """The machine `name` with its raylet, and the GCS if it is the head."""

    def __init__(
        self, world: "SimWorld", options: "NodeOptions", name: str, head: "SimNode | None"
    ) -> None:
        self.world = world
        self.name = name
        self.options = options
        self.alive = True
        self.skew_ns = 0
        """How far a fault has set its wall clock off."""
        self.slowness = 1.0
        """How many times slower faults make its processors."""
        self._slow: list[float] = []
        self._pauses = 0
        self._held: list[Callable[[], None]] = []
        """What its system was about to do when it stood still."""
        self.node_id = named_node_id(name)
        self.link_out = world.network.link()
        self.link_in = world.network.link()
        self.store = SimObjectStore(options.object_store_memory or DEFAULT_STORE_BYTES)
        self.users: list[UserHost] = []
        """Drivers and workers, in the order of their starts; those that ended are taken out."""
        self._numbers: dict[str, int] = {}
        address = Address(self.node_id, named_worker_id(f"{name}/raylet"))
        self.host = NodeHost(world, self, f"{name}/raylet", address)
        self.host.store = self.store
        self.host.disk = self.disk = SimDisk(self.host, self.store)
        self.host.workers = self.launcher = Launcher(self)
        self.host.envs = SimEnvironments(self)
        self.host.logs = LogsOfNode(world.users.outputs.logs, self.node_id.hex())
        self.gcs: Address = address if head is None else head.gcs
        self._start(options, is_head=head is None)

    def _start(self, options: "NodeOptions", is_head: bool) -> None:
        roles: list[Role] = []
        config = self.world.config
        if is_head and self.world.separates_gcs:
            process = GcsProcess(self, self._gcs)
            self.world.gcs_process = process
            self.gcs = process.address
        elif is_head:
            self.host.storage = MemoryControlStore()
            roles.append(self._gcs(self.host))
        info = NodeInfo(
            address=self.host.address,
            total=fixed(_quantities(options)),
            name=self.name,
            hostname=self.name,
            labels=options.labels,
            object_store_bytes=self.store.capacity,
            is_head=is_head,
            ip=_ip(len(self.world.nodes) + 1),
        )
        self.raylet = Raylet(self.host, info, self.gcs, create_policy(config.policy, config))
        self.host.process = Process([*roles, self.raylet])
        self.host.process.start()

    def _gcs(self, host: GcsHostPort) -> Gcs:
        config = self.world.config
        policy = create_policy(config.policy, config)
        provider = self.world.provider
        market = self.world.options.autoscaler
        gcs = Gcs(host, policy, None if market is None else market.spec, provider)
        if provider is not None and gcs.autoscaler is not None:
            provider.autoscaler = gcs.autoscaler
        return gcs

    def new_host(self, kind: str) -> UserHost:
        """A host for one more process of user code, `node-0/worker-3` say."""
        number = self._numbers.get(kind, 0)
        self._numbers[kind] = number + 1
        name = f"{self.name}/{kind}-{number}"
        host = UserHost(self.world, self, name, Address(self.node_id, named_worker_id(name)))
        self.users.append(host)
        return host

    def workers(self) -> list[UserHost]:
        """Those that its raylet started, in the order of their starts."""
        return [host for host in self.users if self.launcher.has_started(host)]

    def own_hosts(self) -> list[SimHost]:
        """All but those of user code."""
        gcs = self.world.gcs_process
        return [self.host, gcs.host] if gcs is not None and gcs.host.node is self else [self.host]

    # --- what faults do to the machine ---

    def slow_by(self, factor: float, over: bool = False) -> None:
        """Its processors are so many times slower, or are so no more."""
        if over:
            self._slow.remove(factor)
        else:
            self._slow.append(factor)
        self.slowness = prod(self._slow)

    def pause(self) -> None:
        """Its system starts nothing, until `resume` has been called as often."""
        self._pauses += 1

    def resume(self) -> None:
        self._pauses -= 1
        if not self._pauses:
            held, self._held = self._held, []
            for action in held:
                action()

    def when_running(self, action: Callable[[], None]) -> None:
        """Now, or once the machine goes on."""
        if self._pauses:
            self._held.append(action)
        else:
            action()

    # --- ends ---

    def process_ended(self, host: UserHost, reason: str, origin: Origin | None) -> None:
        """A process of user code ended or was killed; its peers see it, and its raylet is told."""
        if host.alive:
            self.users.remove(host)
            host.end(reason, origin)
            self.launcher.ended(host, reason)

    def lose_power(self, resets: bool, origin: Origin | None = None) -> None:
        """All processes vanish. `resets`: others see their connections break; else nobody is told."""
        self.alive = False
        self._end_all("its machine lost power", origin, resets)

    def stop(self, reason: str, origin: Origin | None = None) -> None:
        """The GCS fenced this node: all its processes end, as on a machine that lives."""
        if self.host.alive:
            self._end_all(reason, origin, resets=True)

    def _end_all(self, reason: str, origin: Origin | None, resets: bool) -> None:
        for host in self.users:
            host.end(reason, origin, resets)
        self.users.clear()
        for own in self.own_hosts():
            own.end(reason, origin, resets)
        self.disk.clear()


class Launcher:
    """Starts and ends worker processes, for the raylet."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._hosts: dict[int, UserHost | None] = {}
        """By token; None while the process starts."""
        self._turn_ns = 0
        """When the next start may begin, where they take turns."""
        self._tokens: dict[UserHost, int] = {}

    def start(self, token: int, env: str = "") -> None:
        clock = self._node.world.clock
        self._hosts[token] = None
        clock.expected += 1
        clock.call(self._start_ns(), lambda: self._started(token, env))

    def _start_ns(self) -> int:
        node = self._node
        costs = node.world.costs
        slowness = node.slowness * node.world.slow_start
        start_ns = costs.worker_start
        if slowness != 1:
            start_ns = int(start_ns * slowness)
        if not costs.worker_start_alone:
            return start_ns
        now = node.world.clock.now_ns
        begin = max(now, self._turn_ns)
        self._turn_ns = begin + int(costs.worker_start_alone * slowness)
        return begin - now + start_ns

    def has_started(self, host: UserHost) -> bool:
        """And it lives."""
        return host in self._tokens

    def _started(self, token: int, env: str) -> None:
        node = self._node
        clock = node.world.clock
        clock.expected -= 1
        clock.active_ns = clock.now_ns
        node.when_running(lambda: self._begin(token, env))

    def _begin(self, token: int, env: str) -> None:
        node = self._node
        if not node.host.alive or token not in self._hosts:
            return
        host = node.new_host("worker")
        host.place = place_of(node, env)
        self._hosts[token] = host
        self._tokens[host] = token
        host.core_worker = core_worker = CoreWorker.worker(host, node.host.address, node.gcs, token)
        core_worker.left_logs = node.world.users.outputs.logs
        assert core_worker.executor is not None
        host.executor = core_worker.executor
        host.process = core_worker.process
        host.process.start()

    def kill(self, token: int) -> None:
        """Takes effect soon: never from inside the role that asks."""
        origin = self._node.host.origin()
        self._later(lambda: self._kill(token, origin))

    def _kill(self, token: int, origin: Origin) -> None:
        if token not in self._hosts:
            return
        host = self._hosts[token]
        if host is None:
            del self._hosts[token]
            self._report(token, "killed while it started")
        else:
            self._node.process_ended(host, "killed by its raylet", origin)

    def ended(self, host: UserHost, reason: str) -> None:
        """The host's process is gone."""
        token = self._tokens.pop(host, None)
        if token is not None:
            del self._hosts[token]
            self._report(token, reason)

    def _report(self, token: int, reason: str) -> None:
        """As late as the raylet's own connection to the process breaks, at the earliest."""
        node = self._node
        self._later(lambda: self._tell(token, reason), node.world.costs.local_latency)

    def _tell(self, token: int, reason: str) -> None:
        self._node.raylet.worker_ended(token, reason)

    def _later(self, action: Callable[[], None], delay_ns: int = 0) -> None:
        node = self._node

        def act() -> None:
            if node.host.alive:
                action()

        node.world.clock.call(delay_ns, act)


def _ip(number: int) -> str:
    """Of the nth node: a private address that no other node has."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _quantities(options: "NodeOptions") -> dict[str, float]:
    named = {CPU: options.num_cpus, GPU: options.num_gpus, MEMORY: float(options.memory)}
    return {**named, **options.resources}
