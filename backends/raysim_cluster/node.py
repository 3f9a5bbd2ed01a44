"""The process of a node: its raylet, and on the head the GCS. Never runs user code."""

import contextlib
import logging
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from raysim import policies
from raysim.protocol.disk import SpillDisk
from raysim.protocol.gcs import Gcs
from raysim.protocol.host import (
    ControlStore,
    Environments,
    NodeLogs,
    ObjectStore,
    WorkerLauncher,
)
from raysim.protocol.process import Process, Role
from raysim.protocol.raylet import Raylet
from raysim.spec.ids import UNIQUE_ID_BYTES, WorkerId
from raysim.spec.node import NodeInfo
from raysim.spec.sample import PERIOD_S
from raysim_cluster.arena import Arena, ArenaStore
from raysim_cluster.control import (
    Channel,
    Done,
    EndGcs,
    FindActors,
    ForkWorker,
    LoseCommit,
    NodeReady,
    Order,
    PauseGcs,
    SetUp,
    SignalForks,
    StartNode,
    StopNode,
    WorkerEnded,
)
from raysim_cluster.disk import NodeDisk
from raysim_cluster.envs import NodeEnvironments
from raysim_cluster.host import LoopHost
from raysim_cluster.linux import watch_process
from raysim_cluster.logs import FilesOfNode
from raysim_cluster.memory import Gauge
from raysim_cluster.poller import READ
from raysim_cluster.sampled import Sampled
from raysim_cluster.storage import SqliteControlStore, tables

if TYPE_CHECKING:
    from raysim_cluster.faults.stricken import Stricken
    from raysim_cluster.gcs_keeper import GcsKeeper

_DRIVER_GONE: Final = "the driver is gone"
_DISPLACED: Final = "another head has the tables"


class ForkLauncher:
    """The raylet's WorkerLauncher: asks the fork-server."""

    def __init__(self, forks: Channel, envs: NodeEnvironments) -> None:
        self._forks = forks
        self._envs = envs

    def start(self, token: int, env: str = "") -> None:
        self._forks.send(ForkWorker(token, self._envs.place(env)))

    def kill(self, token: int) -> None:
        self.signal([token], signal.SIGKILL)

    def signal(self, tokens: list[int] | None, number: int) -> None:
        self._forks.send(SignalForks(tokens, number))


class NodeHost(LoopHost):
    """RayletHost and GcsHost of a node process, which has one thread."""

    store: ObjectStore
    disk: SpillDisk
    workers: WorkerLauncher
    envs: Environments
    logs: NodeLogs
    storage: ControlStore
    ending = ""

    def stop_node(self, reason: str) -> None:
        self.ending = reason or "the GCS fenced this node"


class Node:
    """Roles, host, and the processes around them."""

    def __init__(
        self,
        settings: StartNode,
        driver: Channel,
        forks: Channel,
        arena: Arena,
        keeper: "GcsKeeper | None",
    ) -> None:
        """`keeper`: of the GCS where that is a process of its own; else the head's is in this one."""
        self._settings = settings
        self._driver = driver
        self._forks = forks
        self._arena = arena
        host = NodeHost(
            settings.session,
            settings.node_id,
            WorkerId(os.urandom(UNIQUE_ID_BYTES)),
            config=settings.config,
            seed=settings.seed,
            name=settings.name,
        )
        host.note_for(settings.journal_keeper)
        host.store = store = ArenaStore(arena)
        config = settings.config
        directories = config.object_spilling_directories or (settings.folder,)
        self._disk = NodeDisk(arena, host.poller, directories, config.max_io_workers)
        host.disk = self._disk
        self._envs = NodeEnvironments(
            Path(settings.folder, f"envs-{settings.node_id.hex()[:12]}"),
            host.poller,
            lambda env, problem: self._raylet.env_finished(env, problem),
        )
        host.envs = self._envs
        host.logs = FilesOfNode(settings.folder, settings.node_id.hex(), settings.head is None)
        host.workers = launcher = ForkLauncher(forks, self._envs)
        self.host = host
        self._keeper = keeper
        gcs = settings.head or (host.address if keeper is None else keeper.address)
        self._gcs_address = gcs
        policy = policies.create(config.policy, config)
        self._raylet = Raylet(host, self._info(), gcs, policy)
        self._gauge = Gauge(
            config,
            lambda: {worker.token: worker.pid for worker in self._raylet.pool.workers.values()},
        )
        roles: list[Role] = [self._raylet]
        self._gcs: Gcs | None = None
        if settings.head is None and keeper is None:
            host.storage = SqliteControlStore(tables(settings.folder))
            self._gcs = Gcs(host, policies.create(config.policy, config))
            roles.insert(0, self._gcs)
        self._launcher, self._store = launcher, store
        self._stricken: Stricken | None = None
        """What faults do here, once there are any."""
        host.attach(Process(roles))
        forks.send(SetUp(host.address, gcs))

    @property
    def driver_is_gone(self) -> bool:
        """It has ended without a word: nobody else cleans up."""
        return self.host.ending == _DRIVER_GONE

    @property
    def was_displaced(self) -> bool:
        """Another head goes on with its cluster."""
        return self.host.ending == _DISPLACED

    @property
    def has_left(self) -> bool:
        """It was drained."""
        return self._raylet.view.drains and not self.driver_is_gone

    def run(self) -> None:
        """Until the driver says so, or is gone."""
        host = self.host
        poller = host.poller
        poller.watch(self._driver.fileno(), self._on_driver, READ)
        poller.watch(self._forks.fileno(), self._on_forks, READ)
        driver = watch_process(os.getppid())
        if driver is not None:
            poller.watch(driver, self._on_driver_gone, READ)
        assert host.process is not None
        if self._keeper is not None:
            self._keeper.ready()
            self._keeper.serve(host, self._told, lambda: host.stop_node(_DISPLACED))
        host.process.start()
        host.settle()
        while not (self._raylet.registered or host.ending):
            self._turn()
        self._driver.send(NodeReady(host.address, self._gcs_address), self._arena.fd)
        self._look_at_memory_later()
        self._note_samples()
        while not host.ending:
            self._turn()
        if self._keeper is not None:
            self._keeper.close()
        self._envs.close()
        self._disk.close()
        logging.getLogger(__name__).info("ending: %s", host.ending)

    def _look_at_memory_later(self) -> None:
        period_ns = self._settings.config.memory_monitor_refresh_ns
        if period_ns:
            self.host.call_later(period_ns, self._look_at_memory)

    def _look_at_memory(self) -> None:
        ended = self._raylet.memory.measured(self._gauge.read())
        if ended:
            logging.getLogger(__name__).warning("a worker ends: %s", ended)
        self._look_at_memory_later()

    def _note_samples(self) -> None:
        """Of a cluster into which somebody may look: for the head, which keeps them."""
        settings = self._settings
        if not settings.outlives_drivers:
            return
        from raysim_cluster.samples import Sampler  # Only there.

        sampler = Sampler(self._raylet, self.host.store.capacity)
        period_ns = PERIOD_S * 1_000_000_000

        def note() -> None:
            self.host.send(self._gcs_address, Sampled(sampler.now()))
            self.host.call_later(period_ns, note)

        note()

    def _turn(self) -> None:
        host = self.host
        host.dispatch(host.poller.wait_awake(host.sleep_ns(None)))
        host.settle()

    def _info(self) -> NodeInfo:
        settings = self._settings
        return NodeInfo(
            address=self.host.address,
            total=settings.resources,
            name=settings.name,
            hostname=socket.gethostname(),
            labels=settings.labels,
            object_store_bytes=self.host.store.capacity,
            is_head=settings.head is None,
            ip=settings.session.host,
        )

    def _on_driver(self, _mask: int) -> None:
        command, _ = self._driver.receive()
        if isinstance(command, Order):
            if self._keeper is not None and isinstance(
                command.strike, EndGcs | PauseGcs | LoseCommit | FindActors
            ):
                self._keeper.obey(command)
            else:
                self._strike(command)
            return
        assert command is None or isinstance(command, StopNode), f"the driver sent {command}"
        self.host.ending = _DRIVER_GONE if command is None else "the driver said so"

    def _told(self, done: Done) -> None:
        with contextlib.suppress(OSError):  # It is gone, which is told by other ways.
            self._driver.send(done)

    def _strike(self, order: Order) -> None:
        if self._stricken is None:
            from raysim_cluster.faults.stricken import Stricken  # Only where faults are.

            self._stricken = Stricken(
                self.host,
                self._raylet,
                self._gcs,
                self._launcher,
                self._disk,
                self._store,
                self._gauge,
                self._told,
            )
        self._stricken.obey(order)

    def _on_driver_gone(self, _mask: int) -> None:
        self.host.ending = _DRIVER_GONE

    def _on_forks(self, _mask: int) -> None:
        report, _ = self._forks.receive()
        if report is None:
            self.host.ending = "the fork-server is gone"
            return
        assert isinstance(report, WorkerEnded), f"the fork-server sent {report}"
        self._raylet.worker_ended(report.token, report.reason)
