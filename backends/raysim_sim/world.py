"""A simulated cluster, as the driver that made it holds it. Never runs by itself: see users, clock."""

import gc
import logging
from collections.abc import Callable
from math import prod
from threading import RLock
from typing import ClassVar, Final

from raysim.backend import Backend, InitOptions, NodeOptions
from raysim.exceptions import RaySystemError
from raysim.faults import Fault, Order
from raysim.faults.of_gcs import needs_gcs_process
from raysim.journal import Infeasible, Journal, Level, NodeJoined, Note, TaskEnded
from raysim.protocol.host import Waiter
from raysim.runtime.core_worker import CoreWorker
from raysim.spec.explanation import Explanation
from raysim_sim.buggify import Buggify
from raysim_sim.clock import Call, Clock, Watchdog
from raysim_sim.convergence import converge, late
from raysim_sim.envs import Packages
from raysim_sim.event_loop import suspend
from raysim_sim.faults import Faults
from raysim_sim.gcs_process import GcsProcess
from raysim_sim.hosts import SimHost
from raysim_sim.loops import Loops
from raysim_sim.network import Network
from raysim_sim.node import SimNode
from raysim_sim.options import read_options
from raysim_sim.ordering import OrderedClock
from raysim_sim.provider import SimProvider
from raysim_sim.streams import Streams
from raysim_sim.users import Users
from raysim_sim.virtual_time import VirtualTime

JOIN_TIMEOUT_NS = 60_000_000_000
"""Virtual nanoseconds until a node or driver that does not join is an error. Ours; joining takes under 1 s."""

FIFO: Final = Order()

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
        self.streams = streams = Streams(options.seed, self.options.tape)
        order = self.options.order
        self.clock = Clock() if order == FIFO else OrderedClock(order, streams.tape)
        self.network = Network(self.clock, self.costs, self.journal, self.trace, self.options.wire)
        self.lock = RLock()
        """Never contended: entering it costs less than an empty context manager written in Python."""
        self.users = Users(self.clock, self.costs.poll, options.log_to_driver)
        market = self.options.autoscaler
        self.provider = None if market is None else SimProvider(self, market)
        self.packages = Packages()
        self.nodes: list[SimNode] = []
        self._names: set[str] = set()
        self.separates_gcs = needs_gcs_process(self.options.faults)
        self.gcs_process: GcsProcess | None = None
        """Where the GCS is a process of its own."""
        self.faults = Faults(self)
        self.buggify = self._buggified()
        self._heals = False
        self._late: Call | None = None
        self.slow_starts: list[float] = []
        """Faults that make the start of workers and machines so many times slower."""
        self._joined: dict[bytes, None] = {}
        self._joining: tuple[int, Waiter] | None = None
        self.read_at = -1
        """When the clock was read last, and how often at that instant: see virtual_time."""
        self.reads = 0
        self.escapes: set[tuple[str, str]] = set()
        """What simulated code did for real, and where: see escapes."""
        self._time = VirtualTime(self)
        self._loops = Loops()
        self._collects = gc.isenabled()
        """Whether Python's collector was on before, and is to be again."""
        self._one_of_many = gc.get_threshold()[0] == 0
        """Whether this process runs one world after another, without the collector: see raysim.testing.memory."""
        self._wondering = False
        self._stopped = False
        Watchdog(self.clock, self._patience_ns(), self._stuck)
        gc.disable()  # Or it would look through the nodes again and again while they are made.
        try:
            for node in options.nodes:
                self._new_node(node)
            self.faults.plan(self.options.faults)
        except BaseException:
            self._collect_as_before()
            raise
        self._time.install()
        self._loops.install()

    # --- the World port ---

    def connect(self, options: InitOptions | None = None) -> Backend:
        assert self.users.driver is None, "a driver at a time"
        head = self.nodes[0]
        host = head.new_host("driver")
        self.users.driver = self.users.running = host
        options = options or self.init_options
        core_worker = CoreWorker.driver(host, head.host.address, head.gcs, options)
        host.core_worker = core_worker
        core_worker.left_logs = self.users.outputs.logs
        host.process = core_worker.process
        host.process.start()
        core_worker.join(JOIN_TIMEOUT_NS)
        self._await_nodes()
        self._loops.adopt_running(host)
        self.faults.arm()
        self._heal_in_time()
        return core_worker

    def disconnect(self) -> None:
        driver = self.users.driver
        if driver is not None:
            if driver.alive:
                driver.core_worker.leave()
            self.users.driver_leaves()
            self.nodes[0].process_ended(driver, "its program disconnected", driver.origin())
            self._loops.let_go()

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        driver = self.users.driver
        suspended = suspend()  # The loops of those that end now take its place.
        try:
            if driver is not None and driver.alive:
                driver.core_worker.leave()
            for node in self.nodes:
                node.lose_power(resets=False)
            self.users.close()
        finally:
            self.packages.close()
            self.clock.clear()
            self._late = None  # Not seen into by the collector, and it leads to the clock.
            self.journal.messages = self.network.sent
            self.network.forget_all(takes_apart=self._one_of_many)
            self._time.restore()
            self._loops.restore()
            if suspended is not None:
                suspended.restore()
            self._collect_as_before()

    def _collect_as_before(self) -> None:
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
        self._await_nodes()
        return node.node_id.hex()

    def kill_node(self, node_id: str, graceful: bool = False) -> None:
        node = self._node(node_id)
        if node is self.nodes[0]:
            raise ValueError(
                f"{node.name} is the head: it holds the GCS and this driver; kill another node"
            )
        if not node.alive:
            return
        if graceful:
            node.stop("it was removed")
        else:
            node.lose_power(self.options.connection_resets)

    def is_alive(self, node_id: str) -> bool:
        return self._node(node_id).host.alive

    def _node(self, node_id: str) -> SimNode:
        for node in self.nodes:
            if node.node_id.hex() == node_id:
                return node
        known = ", ".join(f"{node.name}={node.node_id.hex()}" for node in self.nodes)
        raise ValueError(f"there is no node {node_id}; the nodes are {known}")

    # --- for those who look for bugs ---

    def strike(self, fault: Fault) -> None:
        """This fault, now: its own moment does not count. Raises ValueError for one that it cannot have."""
        self.faults.strike_now(fault)

    def heal(self) -> None:
        """No fault strikes any more, and none is in force. What died stays dead."""
        self.faults.heal()
        if self._late is not None:
            self._late.cancel()  # Whoever heals by hand looks by himself as well.

    def converge(self, within_s: float, stores: bool = True) -> None:
        """Heal, and wait until nothing is lent, queued or (with `stores`) stored; for a driver that waits for
        nothing and, with `stores`, holds no reference. Raises raysim.faults.NotConvergedError."""
        converge(self, round(within_s * 1e9), stores)

    def watch(self, every: int, look: Callable[[], None]) -> None:
        """Call `look` after every so many events, between two of them; what it raises ends the driver's wait."""
        self.clock.watch(every, look)

    # --- for the parts of this world ---

    def noted(self, host: SimHost, note: Note) -> None:
        """A role notes something."""
        if self.journal.level >= Level.NOTES:
            self.journal.write(self.clock._now, host.name, "note", note)
        self.faults.noted(note)
        if isinstance(note, TaskEnded):
            return
        if isinstance(note, NodeJoined):
            self._joined[note.node_id] = None
            if self._joining is not None and len(self._joined) >= self._joining[0]:
                self._joining[1].finish()
        elif isinstance(note, Infeasible):
            logging.getLogger("raysim").warning("%s", note.text)

    def journal_note(self, who: str, note: Note) -> None:
        if self.journal.level >= Level.NOTES:
            self.journal.write(self.clock.now_ns, who, "note", note)

    def grow(self, options: NodeOptions) -> SimNode:
        """A node that the autoscaler wants: nobody waits here for it to join."""
        return self._new_node(options)

    def _heal_in_time(self) -> None:
        """As the run was asked: faults stop at a moment, and all ends within a bound from then on."""
        heal_ns, within_ns = self.options.heal_ns, self.options.converge_ns
        if heal_ns is None or self._heals:
            return
        self._heals = True
        self.faults.expect(heal_ns, self.faults.heal)
        if within_ns is not None:
            self._late = self.clock.call(heal_ns + within_ns, lambda: late(self, within_ns))

    def come_back(self, node: SimNode) -> None:
        """A machine that lost its power starts again: as another node, since ids are used once."""
        if self.nodes[0].alive:
            name = node.name.partition("@")[0]
            number = sum(other.name.startswith(f"{name}@") for other in self.nodes) + 1
            self._new_node(node.options, f"{name}@{number}")

    @property
    def slow_start(self) -> float:
        return prod(self.slow_starts)

    def _buggified(self) -> Buggify | None:
        rates = self.options.buggify
        if rates is None:
            return None
        streams = self.streams
        return Buggify(rates, streams.draws("buggify: places"), streams.draws("buggify: strikes"))

    def _new_node(self, options: NodeOptions, name: str = "") -> SimNode:
        number = len(self.nodes)
        name = name or options.name or f"node-{number}"
        if name in self._names:
            name = f"{name}-{number}"  # Ids are derived from names: two nodes may not share one.
        node = SimNode(self, options, name, self.nodes[0] if self.nodes else None)
        self.nodes.append(node)
        self._names.add(name)
        return node

    def _await_nodes(self) -> None:
        """A program begins on the whole cluster, as it does where nodes were started beforehand."""
        driver = self.users.driver
        if len(self._joined) == len(self.nodes):
            return
        waiter = Waiter()
        self._joining = (len(self.nodes), waiter)
        wait = self.users.rest if driver is None else driver.block
        if not wait(waiter, JOIN_TIMEOUT_NS):
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
        waits = config.actor_exit_grace_ns + config.worker_start_timeout_ns
        return 2 * detection + waits + config.store_full_timeout_ns

    def why(self) -> str:
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
            f"for each other, or pass a timeout to ray.get.{self.why()}"
        )
