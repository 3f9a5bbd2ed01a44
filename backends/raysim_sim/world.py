"""A simulated cluster, as the driver that made it holds it. Never runs by itself: see users, clock."""

import gc
import logging
from threading import RLock
from typing import ClassVar

from raysim.backend import Backend, InitOptions, NodeOptions
from raysim.exceptions import RaySystemError
from raysim.journal import Infeasible, Journal, Level, NodeJoined, Note
from raysim.protocol.host import Waiter
from raysim.runtime.core_worker import CoreWorker
from raysim.spec.explanation import Explanation
from raysim_sim import faults
from raysim_sim.clock import Clock, Watchdog
from raysim_sim.envs import Packages
from raysim_sim.event_loop import LoopFactory
from raysim_sim.hosts import SimHost
from raysim_sim.network import Network
from raysim_sim.node import SimNode
from raysim_sim.options import read_options
from raysim_sim.provider import SimProvider
from raysim_sim.streams import Streams
from raysim_sim.users import Users
from raysim_sim.virtual_time import VirtualTime

JOIN_TIMEOUT_NS = 60_000_000_000
"""Virtual nanoseconds until a node or driver that does not join is an error. Ours; joining takes under 1 s."""

EXPLAINED = 3
"""Objects that the driver waits for which the error at a deadlock explains. Ours."""


class SimWorld:
    """Nodes, network and clock of one run. At most one of a process at a time."""

    name: ClassVar[str] = "sim"

    def __init__(self, options: InitOptions) -> None:
        if options.address is not None:
            raise ValueError(
                f"address={options.address!r}: a simulated cluster lives in its driver's process and cannot be "
                "joined; leave the address out, or use --backend cluster"
            )
        self.options = read_options(options.world)
        self.init_options = options
        self.config = options.config
        self.costs = self.options.network
        self.journal = options.journal or Journal(Level.NOTES)
        self.trace = self.journal.level >= Level.ALL
        self.streams = Streams(options.seed)
        self.clock = Clock()
        self.network = Network(self.clock, self.costs, self.journal, self.trace, self.options.wire)
        self.lock = RLock()
        """Never contended: entering it costs less than an empty context manager written in Python."""
        self.users = Users(self.clock, self.costs.poll)
        market = self.options.autoscaler
        self.provider = None if market is None else SimProvider(self, market)
        self.packages = Packages()
        self.nodes: list[SimNode] = []
        self._joined: dict[bytes, None] = {}
        self._joining: tuple[int, Waiter] | None = None
        self.read_at = -1
        """When the clock was read last, and how often at that instant: see virtual_time."""
        self.reads = 0
        self._time = VirtualTime(self)
        self._loops = LoopFactory()
        self._collects = gc.isenabled()
        self._wondering = False
        self._stopped = False
        Watchdog(self.clock, self._patience_ns(), self._stuck)
        for node in options.nodes:
            self._new_node(node)
        self._faults = faults.plan(self)
        self._time.install()
        self._loops.install()
        gc.disable()

    # --- the World port ---

    def connect(self) -> Backend:
        head = self.nodes[0]
        host = head.new_host("driver")
        self.users.driver = self.users.running = host
        core_worker = CoreWorker.driver(host, head.host.address, head.gcs, self.init_options)
        host.core_worker = core_worker
        core_worker.journal = self.journal
        host.process = core_worker.process
        host.process.start()
        core_worker.join(JOIN_TIMEOUT_NS)
        self._await_nodes()
        faults.arm(self, self._faults)
        return core_worker

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        driver = self.users.driver
        try:
            if driver is not None and driver.alive:
                driver.core_worker.leave()
            for node in self.nodes:
                node.lose_power(resets=False)
            self.users.close()
        finally:
            self.packages.close()
            self.clock.clear()
            self._time.restore()
            self._loops.restore()
            if self._collects:
                gc.enable()

    def address_info(self) -> dict[str, str]:
        return {
            "backend": self.name,
            "address": "sim",
            "node_id": self.nodes[0].node_id.hex(),
            "node_ids": ",".join(node.node_id.hex() for node in self.nodes),
        }

    def add_node(self, options: NodeOptions) -> str:
        node = self._new_node(options)
        if self.users.driver is not None:
            self._await_nodes()
        return node.node_id.hex()

    def kill_node(self, node_id: str) -> None:
        for node in self.nodes:
            if node.node_id.hex() == node_id:
                break
        else:
            known = ", ".join(f"{node.name}={node.node_id.hex()}" for node in self.nodes)
            raise ValueError(f"there is no node {node_id}; the nodes are {known}")
        if node is self.nodes[0]:
            raise ValueError(
                f"{node.name} is the head: it holds the GCS and this driver; kill another node"
            )
        if node.alive:
            node.lose_power(self.options.connection_resets)

    # --- for the parts of this world ---

    def noted(self, host: SimHost, note: Note) -> None:
        """A role notes something."""
        if isinstance(note, NodeJoined):
            self._joined[note.node_id] = None
            if self._joining is not None and len(self._joined) >= self._joining[0]:
                self._joining[1].finish()
        elif isinstance(note, Infeasible):
            logging.getLogger("raysim").warning("%s", note.text)
        self.journal_note(host.name, note)

    def journal_note(self, who: str, note: Note) -> None:
        if self.journal.level >= Level.NOTES:
            self.journal.write(self.clock.now_ns, who, "note", note)

    def grow(self, options: NodeOptions) -> SimNode:
        """A node that the autoscaler wants: nobody waits here for it to join."""
        return self._new_node(options)

    def _new_node(self, options: NodeOptions) -> SimNode:
        number = len(self.nodes)
        name = options.name or f"node-{number}"
        if any(node.name == name for node in self.nodes):
            name = f"{name}-{number}"  # Ids are derived from names: two nodes may not share one.
        node = SimNode(self, options, name, self.nodes[0] if self.nodes else None)
        self.nodes.append(node)
        return node

    def _await_nodes(self) -> None:
        """A program begins on the whole cluster, as it does where nodes were started beforehand."""
        driver = self.users.driver
        assert driver is not None
        if len(self._joined) == len(self.nodes):
            return
        waiter = Waiter()
        self._joining = (len(self.nodes), waiter)
        if not driver.block(waiter, JOIN_TIMEOUT_NS):
            missing = [node.name for node in self.nodes if node.node_id not in self._joined]
            raise RaySystemError(
                f"nodes did not join within 60 s of virtual time: {', '.join(missing)}"
            )
        self._joining = None

    def _patience_ns(self) -> int:
        """Longer than the protocol takes to find any loss and to recover from it."""
        config = self.config
        check = config.health_check_period_ns + config.health_check_timeout_ns
        detection = check * config.health_check_failure_threshold
        return 2 * detection + config.actor_exit_grace_ns + config.worker_start_timeout_ns

    def _why(self) -> str:
        """Of what the driver waits for: the messages that ask are delivered here, as any others are."""
        driver = self.users.driver
        if self._wondering or driver is None:
            return ""
        self._wondering = True
        asked = Waiter()
        found: list[Explanation] = []

        def answer(explanations: list[Explanation]) -> None:
            found.extend(explanations)
            asked.finish()

        explaining = driver.core_worker.explaining
        explaining.explain(explaining.awaited()[:EXPLAINED], answer)
        try:
            self.clock.run_until(asked)
        finally:
            self._wondering = False
        return "".join(f"\n{explanation}" for explanation in found)

    def _stuck(self) -> None:
        at_s = self.clock.now_ns / 1e9
        waiting = self.users.waiting()
        who = "; ".join(["the driver", *waiting[:10]])
        more = f"; and {len(waiting) - 10} more" if len(waiting) > 10 else ""
        raise RaySystemError(
            f"Deadlock at {at_s:.3f} s of virtual time: nothing is under way, and these wait: "
            f"{who}{more}. Look for tasks that need more resources than any node has, for tasks that wait "
            f"for each other, or pass a timeout to ray.get.{self._why()}"
        )
