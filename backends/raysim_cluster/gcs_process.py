"""The GCS as a process of its own on the head's machine. Never a raylet's work, never the next life of this one.

It may end at any time. The next one has its address and its tables: see gcs_keeper, which starts it.
"""

import gc
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from raysim import policies
from raysim.config import MS
from raysim.policies.base import Policy
from raysim.protocol.gcs import Gcs
from raysim.protocol.host import ControlStore
from raysim.protocol.process import Process
from raysim.spec.growth import Growth
from raysim_cluster.control import (
    DISPLACED,
    Channel,
    Done,
    FindActors,
    GcsReady,
    LoseCommit,
    Order,
    StartGcs,
    Strike,
)
from raysim_cluster.faults.actors import living_actors
from raysim_cluster.host import LoopHost
from raysim_cluster.joining import GATE, Gate
from raysim_cluster.linux import allow_many_files, die_with_parent, name_process
from raysim_cluster.poller import READ
from raysim_cluster.printed import Directory
from raysim_cluster.rotated import log_to
from raysim_cluster.sample_keeper import SampleKeeper
from raysim_cluster.storage import (
    BatchedStore,
    DisplacedError,
    SqliteControlStore,
    tables,
)

if TYPE_CHECKING:
    from raysim_cluster.growth.provider import MachineProvider


class GcsProcessHost(LoopHost):
    """GcsHost of a process with one thread."""

    storage: ControlStore


class GcsProcess:
    """One life of the GCS."""

    def __init__(self, settings: StartGcs, node: Channel) -> None:
        self._node = node
        self._ending = False
        self._host = host = GcsProcessHost(
            settings.session,
            settings.node_id,
            settings.worker_id,
            config=settings.config,
            seed=settings.seed,
            name=f"{settings.name}/gcs",
            port=settings.port,
        )
        host.note_for(settings.journal_keeper)
        host.storage = self._storage = self._opened(settings)
        policy = policies.create(settings.config.policy, settings.config)
        self._machines: MachineProvider | None = None
        if settings.growth is None:
            self._gcs = Gcs(host, policy)
        else:
            self._gcs = self._growing(settings, settings.growth, policy)
        host.transport.gate = GATE
        gate = Gate(
            host.send, settings.session.session_id, host.address, settings.config, settings.seed
        )
        host.attach(
            Process(
                [
                    self._gcs,
                    gate,
                    Directory(host.send, self._gcs.jobs),
                    SampleKeeper(settings.folder),
                ]
            )
        )

    def _opened(self, settings: StartGcs) -> BatchedStore:
        storage = settings.storage
        if isinstance(storage, str):
            return SqliteControlStore(
                tables(storage or settings.folder), outlives_machine=bool(storage)
            )
        from raysim_cluster.redis_head import LEASE_MS
        from raysim_cluster.redis_store import RedisControlStore

        store = RedisControlStore(storage, settings.session.session_id)

        def stay() -> None:
            store.stay()
            self._host.call_later(LEASE_MS * MS // 4, stay)

        stay()
        return store

    def run(self) -> None:
        """Until the head's node is gone."""
        host = self._host
        host.poller.watch(self._node.fileno(), self._on_node, READ)
        assert host.process is not None
        host.process.start()
        if self._machines is not None:
            self._machines.begin(self._gcs)
        host.settle()
        self._node.send(GcsReady())
        while not self._ending:
            host.dispatch(host.poller.wait_awake(host.sleep_ns(None)))
            host.settle()
        if self._machines is not None:
            self._machines.close()

    def _growing(self, settings: StartGcs, growth: Growth, policy: Policy) -> Gcs:
        # Only where a cluster grows: threads, and a client of who has machines.
        from raysim_cluster.growth.machines import machine_source
        from raysim_cluster.growth.provider import MachineProvider

        host = self._host
        source = machine_source(
            growth.machines, host.address.endpoint, settings.folder, settings.session
        )
        self._machines = provider = MachineProvider(host, growth, source)
        return Gcs(host, policy, growth.spec, provider)

    def _on_node(self, _mask: int) -> None:
        order, _ = self._node.receive()
        if order is None:
            self._ending = True
            return
        assert isinstance(order, Order), f"the head's node sent {order}"
        done = self._struck(order.strike)
        done.number = order.number
        self._node.send(done)

    def _struck(self, strike: Strike) -> Done:
        match strike:
            case LoseCommit(away_ns=away_ns):
                self._storage.breaks = away_ns is not None
                return Done(target="gcs")
            case FindActors(actor=actor):
                return living_actors(self._gcs, actor)
            case _:
                raise AssertionError(f"the GCS was ordered {strike}")


def main(fd: int, parent: int) -> None:
    """`fd`: the channel to the head's node, which sends StartGcs first. `parent`: its pid."""
    die_with_parent(parent)
    name_process("raysim-gcs")
    node = Channel(socket.socket(fileno=fd))
    settings, _ = node.receive()
    if settings is None:
        return
    assert isinstance(settings, StartGcs), f"the head's node sent {settings}"
    allow_many_files()
    log_to(Path(settings.folder, "gcs.log"), settings.config)
    try:
        process = GcsProcess(settings, node)
        gc.freeze()
        gc.enable()
        process.run()
    except DisplacedError as error:
        logging.getLogger(__name__).error("the GCS ends: %s", error)
        os._exit(DISPLACED)
    except Exception:
        # Told where it is looked for; the node starts another one.
        logging.getLogger(__name__).exception("the GCS fails")
        os._exit(1)
