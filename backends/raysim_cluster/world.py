"""A cluster of processes on this machine, as the driver holds it. Never takes part in its protocol."""

import os
import shutil
import sys
import time
import weakref
from collections.abc import Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from raysim.backend import Backend, InitOptions, NodeOptions
from raysim.protocol.process import Process
from raysim.runtime.current import set_current
from raysim.spec.address import Address
from raysim.spec.ids import UNIQUE_ID_BYTES, WorkerId
from raysim_cluster.disk import make_folders, remove_folders, temporary_folder
from raysim_cluster.driver import DriverHost
from raysim_cluster.launch import NodePlan, NodeProcess
from raysim_cluster.modules import LocalModules
from raysim_cluster.noted import JournalKeeper
from raysim_cluster.plans import plan_node
from raysim_cluster.seat import Node, Seat
from raysim_cluster.session import Session
from raysim_cluster.tls_files import find_tls
from raysim_cluster.user_host import UserHost

if TYPE_CHECKING:
    from raysim.faults import Fault, PlannedFault
    from raysim.journal import Note
    from raysim_cluster.faults.strikes import Faults
    from raysim_cluster.joined import JoinedWorld

_OPTIONS: Final = ("faults", "expected_makespan_ns", "gcs_process")
"""Of `InitOptions.world`, those that real machines have, too."""


def create(options: InitOptions) -> "ClusterWorld | JoinedWorld":
    """Start the nodes of `options`, or join the cluster at its address.

    Raises ValueError for what this world cannot do, ConnectionError where no cluster is.
    """
    if options.address is not None:
        from raysim_cluster.joined import join

        return join(options)
    for name in options.world:
        if name in _OPTIONS:
            continue
        close = get_close_matches(name, ("backend", "seed", "nodes"), n=1)
        hint = f" Did you mean the argument {close[0]}?" if close else ""
        raise ValueError(
            f"The cluster backend has no option {name!r}; real machines have their own network "
            f"and clock.{hint} Use the sim backend for it."
        )
    return ClusterWorld(options)


class ClusterWorld:
    """Node processes, and the driver's own connection to the first of them, while it has one."""

    name = "cluster"

    def __init__(self, options: InitOptions) -> None:
        self._nodes: list[NodeProcess] = []
        self._faults: Faults | None = None
        """Once there are any."""
        self._planned: Sequence[PlannedFault] = ()
        """For the first driver's start."""
        self.options = options
        self.gcs_apart = bool(options.world.get("gcs_process"))
        """The GCS is no part of the head's raylet."""
        if options.world.get("faults"):
            from raysim_cluster.faults.given import planned, strikes_gcs, with_journal

            self.gcs_apart = self.gcs_apart or strikes_gcs(options)
            self.options = options = with_journal(options)
            self._planned = planned(self)
        self._session = Session(os.urandom(8).hex(), os.urandom(32), tls=find_tls())
        head = self._plan(0, options.nodes[0], len(options.nodes))
        # Made by the nodes, which outlive this process by the moment that removing it takes.
        self._folder = temporary_folder() / f"raysim-{self._session.session_id}"
        self._spill_folders = make_folders(options.config.object_spilling_directories)
        self._drivers = 0
        self._head_id = head.node_id
        self._host: DriverHost | None = self._new_host()
        """Of the driver that is connected, or will be."""
        # There before the nodes, so that they can be told who keeps the journal.
        self._keeping: UserHost | None = None
        """Keeps the journal where drivers come and go."""
        self._keeper = self._keep_journal(self._host)
        self._seat: Seat | None = None
        """Of that driver, once it is."""
        self._stopped = False
        self._modules = LocalModules(sys.path)
        forget = weakref.WeakMethod(self._abandon)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())
        try:
            self._start_nodes(head)
        except BaseException:
            self.stop()
            raise

    def connect(self, options: InitOptions | None = None) -> Backend:
        head = self._nodes[0]
        assert head.address is not None, "connect comes after the nodes have started"
        assert head.gcs is not None
        assert self._seat is None, "a driver at a time"
        host = self._host = self._host or self._new_host()
        node = Node(
            self._session,
            head.address,
            head.gcs,
            head.arena_fd,
            head.plan.store_bytes,
            self._folder,
        )
        seat = self._seat = Seat(host, node, options or self.options)
        journal = self.options.journal if self._keeping is None else None
        keeper = [JournalKeeper(journal)] if journal is not None else []
        core_worker = seat.take(self._modules.look, keeper)
        planned, self._planned = self._planned, ()
        self.arm(planned)
        return core_worker

    def disconnect(self) -> None:
        seat, self._seat = self._seat, None
        host, self._host = self._host, None
        if seat is not None:
            seat.leave()
        elif host is not None:
            host.close_after(0)

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        if self._faults is not None:
            self._faults.stop()
        self._modules.forget()
        self.disconnect()
        for node in self._nodes:
            node.stop()
        for node in self._nodes:
            node.wait()
        if self._keeping is not None:
            self._keeping.close_after(0)
        shutil.rmtree(self._folder, ignore_errors=True)
        remove_folders(self._spill_folders)

    def address_info(self) -> dict[str, str]:
        """`address`, `node_id` and `session_dir` as Ray names them; per node its id and its process."""
        head = self._nodes[0]
        assert head.gcs is not None
        return {
            "address": head.gcs.endpoint,
            "gcs_address": head.gcs.endpoint,
            "node_id": head.plan.node_id.hex(),
            "session_dir": str(self._folder),
            "session_id": self._session.session_id,
            "node_ids": ",".join(node.plan.node_id.hex() for node in self._nodes),
            "node_pids": ",".join(str(node.pid) for node in self._nodes),
        }

    def add_node(self, options: NodeOptions) -> str:
        node = NodeProcess(self._session, self._plan(len(self._nodes), options, 1), self._folder)
        self._nodes.append(node)
        self._start(node)
        node.ready()
        return node.plan.node_id.hex()

    def kill_node(self, node_id: str, graceful: bool = False) -> None:
        node = self._node(node_id)
        if graceful:
            node.stop()
            node.wait()
        else:
            node.kill()

    def is_alive(self, node_id: str) -> bool:
        return self._node(node_id).alive()

    # --- faults -------------------------------------------------------------------------------

    def arm(self, faults: "Sequence[PlannedFault]") -> None:
        if faults:
            self.faults().arm(faults)

    def strike(self, fault: "Fault") -> str:
        """This fault, now: its own moment does not count. Whom it struck, for people.

        Raises ValueError for one that it cannot have.
        """
        return self.faults().strike_now(fault)

    def node_names(self) -> list[str]:
        """Of those that are there, or, at first, of those that will be."""
        if self._nodes:
            return [node.plan.name for node in self._nodes]
        return [node.name or f"node-{n}" for n, node in enumerate(self.options.nodes)]

    def node_processes(self) -> list[NodeProcess]:
        """Those that run, or ran."""
        return [node for node in self._nodes if node.address is not None]

    def start_again(self, node: NodeProcess) -> None:
        """An equal node in its place, which has nothing of it."""
        process = NodeProcess(self._session, node.plan.again(), self._folder)
        try:
            self._start(process)
            process.ready()
        except BaseException:
            process.kill()
            raise
        self._nodes[self._nodes.index(node)] = process

    def note(self, process: str, note: "Note") -> None:
        """From any thread."""
        journal, host = self.options.journal, self._keeping or self._host
        if journal is not None:
            with nullcontext() if host is None else host.lock:
                journal.write(time.monotonic_ns(), process, "note", note)

    def faults(self) -> "Faults":
        """Those of this world, to come and in force."""
        if self._faults is None:
            from raysim_cluster.faults.strikes import Faults  # Only where faults are.

            self._faults = Faults(self)
        return self._faults

    def _abandon(self) -> None:
        """In a fork of the driver: the cluster is the parent's."""
        if self._stopped:
            return
        self._stopped = True
        if self._faults is not None:
            self._faults.abandon()
        for node in self._nodes:
            node.abandon()
        for host in (self._host, self._keeping):
            if host is not None:
                host.abandon()
        if self._seat is not None:
            set_current(None)

    # --- inside -------------------------------------------------------------------------------

    def _node(self, node_id: str) -> NodeProcess:
        for node in self._nodes:
            if node.plan.node_id.hex() == node_id:
                return node
        known = ", ".join(node.plan.node_id.hex() for node in self._nodes)
        raise ValueError(f"There is no node {node_id!r} here; there are: {known}.")

    def _new_host(self) -> DriverHost:
        self._drivers += 1
        return DriverHost(
            self._session,
            self._head_id,
            WorkerId(os.urandom(UNIQUE_ID_BYTES)),
            config=self.options.config,
            seed=self.options.seed,
            name="driver" if self._drivers == 1 else f"driver-{self._drivers}",
            journal=self.options.journal,
        )

    def _keep_journal(self, driver: DriverHost) -> Address | None:
        """Where nodes and workers send what they note: nowhere, to the driver, or to one who outlives it."""
        journal = self.options.journal
        if journal is None:
            return None
        if not self.options.shared:
            return driver.address
        host = self._keeping = UserHost(
            self._session,
            self._head_id,
            WorkerId(os.urandom(UNIQUE_ID_BYTES)),
            config=self.options.config,
            seed=self.options.seed,
            name="journal",
        )
        host.attach(Process([JournalKeeper(journal)]))
        host.pump.start()  # Its helper thread does all the work: nobody blocks here.
        return host.address

    def _start(self, node: NodeProcess) -> None:
        """One that joins the head."""
        options = self.options
        node.start(self._nodes[0].gcs, options.config, options.seed, self._keeper)

    def _start_nodes(self, head_plan: NodePlan) -> None:
        options = self.options
        count = len(options.nodes)
        # All boot at once; only the last step of the others needs the head.
        plans = [self._plan(i, n, count) for i, n in enumerate(options.nodes[1:], start=1)]
        for plan in (head_plan, *plans):
            self._nodes.append(NodeProcess(self._session, plan, self._folder))
        head, *others = self._nodes
        head.start(None, options.config, options.seed, self._keeper, self.gcs_apart)
        head.ready()
        for process in others:
            self._start(process)
        for process in others:
            process.ready()

    def _plan(self, index: int, node: NodeOptions, count: int) -> NodePlan:
        return plan_node(index, node, count, self.options.log_to_driver, self.options.isolation)
