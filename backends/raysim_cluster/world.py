"""A cluster of processes on this machine, as the driver holds it. Never takes part in its protocol."""

import os
import shutil
import sys
import weakref
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import psutil

from raysim.backend import Backend, InitOptions, NodeOptions
from raysim.config import MS
from raysim.journal import Journal
from raysim.protocol.process import Process
from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.current import set_current
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId, WorkerId
from raysim.spec.resources import CPU, GPU, MEMORY, fixed
from raysim_cluster.arena import Arena, ArenaAccess
from raysim_cluster.driver import DriverHost
from raysim_cluster.launch import NodePlan, NodeProcess
from raysim_cluster.modules import LocalModules
from raysim_cluster.noted import JournalKeeper
from raysim_cluster.transport import Session, session_name

_STORE_SHARE: Final = 0.3
"""Of the memory that is free now, for the object stores of all nodes. Ray: `object_store_memory`."""

_JOIN_NS: Final = 30_000 * MS
"""Until a driver that the cluster does not answer gives up."""

_LEAVE_NS: Final = 500 * MS
"""How long the driver tries to get its good-bye out."""


RECENT: Final = 100_000
"""Notes of the driver's own that are kept where nobody asked for a journal, for `timeline()`.
Ray: `task_events_max_num_task_in_gcs`."""


def create(options: InitOptions) -> "ClusterWorld":
    """Start the nodes of `options`. Raises ValueError for what this world cannot do."""
    if options.address is not None:
        raise ValueError(
            f"Cannot join the cluster at {options.address!r}: the cluster backend starts its own "
            "cluster in this version. Leave `address` out."
        )
    for name in options.world:
        close = get_close_matches(name, ("backend", "seed", "nodes"), n=1)
        hint = f" Did you mean the argument {close[0]}?" if close else ""
        raise ValueError(
            f"The cluster backend has no option {name!r}; real machines have their own network "
            f"and clock.{hint} Use the sim backend for it."
        )
    return ClusterWorld(options)


def _temporary_folder() -> Path:
    """Not `tempfile.gettempdir`: it tries the folder with a file, which a SIGKILL just then leaves there."""
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108  (each session has a folder of its own)


class ClusterWorld:
    """Node processes, and the driver's own connection to the first of them."""

    name = "cluster"

    def __init__(self, options: InitOptions) -> None:
        self._options = options
        self._session = Session(os.urandom(8).hex(), os.urandom(32))
        head = self._plan(0, options.nodes[0], len(options.nodes))
        # Made by the nodes, which outlive this process by the moment that removing it takes.
        self._folder = _temporary_folder() / f"raysim-{self._session.session_id}"
        self._nodes: list[NodeProcess] = []
        self._recent = Journal(digest=False, limit=RECENT)
        # There before the nodes, so that they can be told who keeps the journal.
        self._host = DriverHost(
            self._session,
            head.node_id,
            WorkerId(os.urandom(UNIQUE_ID_BYTES)),
            config=options.config,
            seed=options.seed,
            name="driver",
            journal=options.journal or self._recent,
        )
        self._keeper = self._host.address if options.journal is not None else None
        self._core_worker: CoreWorker | None = None
        self._arena: Arena | None = None
        self._stopped = False
        self._modules = LocalModules(sys.path)
        forget = weakref.WeakMethod(self._abandon)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())
        try:
            self._start_nodes(head)
        except BaseException:
            self.stop()
            raise

    def connect(self) -> Backend:
        head = self._nodes[0]
        host = self._host
        assert head.address is not None, "connect comes after the nodes have started"
        assert self._core_worker is None, "a world has one driver"
        arena = self._arena = Arena(os.dup(head.arena_fd), head.plan.store_bytes)
        host.store = ArenaAccess(arena)
        core_worker = CoreWorker.driver(host, head.address, head.address, self._options)
        self._core_worker = core_worker
        core_worker.session_name = session_name(self._session)
        core_worker.journal = self._options.journal or self._recent
        core_worker.session_dir = str(self._folder)
        core_worker.values.before_pickling = self._modules.look
        roles = list(core_worker.process.roles)
        if self._options.journal is not None:
            roles.append(JournalKeeper(self._options.journal))
        process = Process(roles)
        host.attach(process)
        host.raylet = head.address
        host.catch_interrupts()
        host.pump.start()
        with host.lock:
            process.start()
        core_worker.join(_JOIN_NS)
        set_current(core_worker)
        return core_worker

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._modules.forget()
        if self._core_worker is not None:
            self._core_worker.leave()
            set_current(None)
        self._host.close_after(_LEAVE_NS)
        for node in self._nodes:
            node.stop()
        for node in self._nodes:
            node.wait()
        if self._arena is not None:
            self._arena.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def address_info(self) -> dict[str, str]:
        """`address`, `node_id` and `session_dir` as Ray names them; per node its id and its process."""
        head = self._nodes[0]
        assert head.address is not None
        return {
            "address": head.address.endpoint,
            "gcs_address": head.address.endpoint,
            "node_id": head.plan.node_id.hex(),
            "session_dir": str(self._folder),
            "session_id": self._session.session_id,
            "node_ids": ",".join(node.plan.node_id.hex() for node in self._nodes),
            "node_pids": ",".join(str(node.pid) for node in self._nodes),
        }

    def add_node(self, options: NodeOptions) -> str:
        node = NodeProcess(self._session, self._plan(len(self._nodes), options, 1), self._folder)
        self._nodes.append(node)
        node.start(self._nodes[0].address, self._options.config, self._options.seed, self._keeper)
        node.ready()
        return node.plan.node_id.hex()

    def kill_node(self, node_id: str) -> None:
        for node in self._nodes:
            if node.plan.node_id.hex() == node_id:
                node.kill()
                return
        known = ", ".join(node.plan.node_id.hex() for node in self._nodes)
        raise ValueError(f"There is no node {node_id!r} here; there are: {known}.")

    def _abandon(self) -> None:
        """In a fork of the driver: the cluster is the parent's."""
        if self._stopped:
            return
        self._stopped = True
        for node in self._nodes:
            node.abandon()
        self._host.abandon()
        if self._core_worker is not None:
            set_current(None)

    # --- inside -------------------------------------------------------------------------------

    def _start_nodes(self, head_plan: NodePlan) -> None:
        options = self._options
        count = len(options.nodes)
        # All boot at once; only the last step of the others needs the head.
        plans = [self._plan(i, n, count) for i, n in enumerate(options.nodes[1:], start=1)]
        for plan in (head_plan, *plans):
            self._nodes.append(NodeProcess(self._session, plan, self._folder))
        head, *others = self._nodes
        head.start(None, options.config, options.seed, self._keeper)
        address = head.ready()
        for process in others:
            process.start(address, options.config, options.seed, self._keeper)
        for process in others:
            process.ready()

    def _plan(self, index: int, node: NodeOptions, count: int) -> NodePlan:
        memory = psutil.virtual_memory().available // count
        store = node.object_store_memory or int(memory * _STORE_SHARE)
        quantities = {
            CPU: node.num_cpus,
            GPU: node.num_gpus,
            MEMORY: node.memory or max(0, memory - store),
            **node.resources,
        }
        return NodePlan(
            NodeId(os.urandom(UNIQUE_ID_BYTES)),
            node.name or f"node-{index}",
            fixed(quantities),
            node.labels,
            store,
        )
