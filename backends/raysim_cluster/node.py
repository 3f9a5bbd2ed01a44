"""The process of a node: its raylet, and on the head the GCS. Never runs user code."""

import contextlib
import gc
import logging
import os
import select
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Final

from raysim import policies
from raysim.config import MS
from raysim.protocol.disk import SpillDisk
from raysim.protocol.gcs import Gcs
from raysim.protocol.host import ControlStore, Environments, ObjectStore, WorkerLauncher
from raysim.protocol.process import Process, Role
from raysim.protocol.raylet import Raylet
from raysim.spec.ids import UNIQUE_ID_BYTES, WorkerId
from raysim.spec.node import NodeInfo
from raysim_cluster import fork_server
from raysim_cluster.arena import Arena, ArenaStore
from raysim_cluster.control import (
    Channel,
    ForkWorker,
    KillFork,
    NodeReady,
    SetUp,
    StartNode,
    StopNode,
    WorkerEnded,
    log_file,
)
from raysim_cluster.disk import NodeDisk
from raysim_cluster.envs import NodeEnvironments
from raysim_cluster.host import LoopHost
from raysim_cluster.linux import allow_many_files, name_process, watch_process
from raysim_cluster.memory import Gauge
from raysim_cluster.poller import READ
from raysim_cluster.storage import SqliteControlStore

_DRIVER_GONE: Final = "the driver is gone"

_END_NS: Final = 1_000 * MS
"""How long the fork-server has to kill and reap its workers before it is killed itself."""


class ForkLauncher:
    """The raylet's WorkerLauncher: asks the fork-server."""

    def __init__(self, forks: Channel, envs: NodeEnvironments) -> None:
        self._forks = forks
        self._envs = envs

    def start(self, token: int, env: str = "") -> None:
        self._forks.send(ForkWorker(token, self._envs.place(env)))

    def kill(self, token: int) -> None:
        self._forks.send(KillFork(token))


class NodeHost(LoopHost):
    """RayletHost and GcsHost of a node process, which has one thread."""

    store: ObjectStore
    disk: SpillDisk
    workers: WorkerLauncher
    envs: Environments
    storage: ControlStore
    ending = ""

    def stop_node(self, reason: str) -> None:
        self.ending = reason or "the GCS fenced this node"


class Node:
    """Roles, host, and the processes around them."""

    def __init__(self, settings: StartNode, driver: Channel, forks: Channel, arena: Arena) -> None:
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
        host.journal_keeper = settings.journal_keeper
        host.store = ArenaStore(arena)
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
        host.workers = ForkLauncher(forks, self._envs)
        self.host = host
        gcs = settings.head or host.address
        policy = policies.create(config.policy, config)
        self._raylet = Raylet(host, self._info(), gcs, policy)
        self._gauge = Gauge(
            config,
            lambda: {worker.token: worker.pid for worker in self._raylet.pool.workers.values()},
        )
        roles: list[Role] = [self._raylet]
        if settings.head is None:
            host.storage = SqliteControlStore(Path(settings.folder, "gcs.sqlite"))
            roles.insert(0, Gcs(host, policies.create(config.policy, config)))
        host.attach(Process(roles))
        forks.send(SetUp(host.address, gcs))

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
        host.process.start()
        host.settle()
        while not (self._raylet.registered or host.ending):
            self._turn()
        self._driver.send(NodeReady(host.address), self._arena.fd)
        self._look_at_memory_later()
        while not host.ending:
            self._turn()
        self._envs.close()
        self._disk.close()
        logging.getLogger(__name__).info("ending: %s", host.ending)

    def _look_at_memory_later(self) -> None:
        period_ns = self._settings.config.memory_monitor_refresh_ns
        if period_ns:
            self.host.call_later(period_ns, self._look_at_memory)

    def _look_at_memory(self) -> None:
        self._raylet.memory.measured(self._gauge.read())
        self._look_at_memory_later()

    def _turn(self) -> None:
        host = self.host
        host.dispatch(host.poller.wait(host.sleep_ns(None)))
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
        assert command is None or isinstance(command, StopNode), f"the driver sent {command}"
        self.host.ending = _DRIVER_GONE if command is None else "the driver said so"

    def _on_driver_gone(self, _mask: int) -> None:
        self.host.ending = _DRIVER_GONE

    def _on_forks(self, _mask: int) -> None:
        report, _ = self._forks.receive()
        if report is None:
            self.host.ending = "the fork-server is gone"
            return
        assert isinstance(report, WorkerEnded), f"the fork-server sent {report}"
        self._raylet.worker_ended(report.token, report.reason)


def main(fd: int) -> None:
    """`fd`: the channel to the driver, which sends StartNode first."""
    driver = Channel(socket.socket(fileno=fd))
    settings, _ = driver.receive()
    if settings is None or isinstance(settings, StopNode):
        return  # The driver ended, or gave up, before it came to this node.
    assert isinstance(settings, StartNode), f"the driver sent {settings}"
    arena = Arena.create(settings.store_bytes)
    forks, theirs = Channel.pair()
    pid = os.fork()
    if pid == 0:
        driver.close()
        forks.close()
        fork_server.main(theirs, settings, arena)
    theirs.close()
    name_process("raysim-node")
    os.makedirs(settings.folder, 0o700, exist_ok=True)
    allow_many_files()
    _log_to(log_file(settings.folder, settings.node_id))
    gc.freeze()
    node: Node | None = None
    try:
        node = Node(settings, driver, forks, arena)
        node.run()
    except Exception:
        logging.getLogger(__name__).exception("the node process fails")
        raise
    finally:
        forks.close()
        _wait_for(pid)
        if driver_is_gone(driver) or (node is not None and node.host.ending == _DRIVER_GONE):
            # Nobody else is left to do it.
            shutil.rmtree(settings.folder, ignore_errors=True)


def driver_is_gone(driver: Channel) -> bool:
    """The driver's end is closed: it has no more to say, not even good-bye."""
    driver.sock.setblocking(False)
    try:
        return driver.receive()[0] is None
    except BlockingIOError:
        return False


def _wait_for(pid: int) -> None:
    """Until the fork-server has ended; it has killed its workers then."""
    end = time.monotonic_ns() + _END_NS
    pidfd = watch_process(pid)
    if pidfd is not None:
        select.select([pidfd], (), (), max(0, end - time.monotonic_ns()) / 1e9)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _log_to(path: Path) -> None:
    """The node's own log. Its workers, forked elsewhere, keep the driver's output."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
