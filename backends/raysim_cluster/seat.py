"""A driver's place at a node: its connection, its view of the store, its job. Never whose node that is."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from raysim.backend import InitOptions
from raysim.config import MS
from raysim.protocol.process import Process, Role
from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.current import set_current
from raysim.spec.address import Address
from raysim_cluster.arena import Arena, ArenaAccess
from raysim_cluster.driver import DriverHost
from raysim_cluster.logs import SessionLogs
from raysim_cluster.session import Session, session_name

_JOIN_NS: Final = 30_000 * MS
"""Until a driver that the cluster does not answer gives up."""

_LEAVE_NS: Final = 500 * MS
"""How long the driver tries to get its good-bye out."""


class Node:
    """What a driver has to know of the node at which it is."""

    def __init__(
        self,
        session: Session,
        raylet: Address,
        gcs: Address,
        arena_fd: int,
        store_bytes: int,
        folder: str | Path,
    ) -> None:
        self.session = session
        self.raylet = raylet
        self.gcs = gcs
        self.arena_fd = arena_fd
        self.store_bytes = store_bytes
        self.folder = str(folder)


class Seat:
    """Taken by a driver until it leaves."""

    def __init__(self, host: DriverHost, node: Node, options: InitOptions) -> None:
        self.host = host
        self._node = node
        self._arena = Arena(os.dup(node.arena_fd), node.store_bytes)
        host.store = ArenaAccess(self._arena)
        self.core_worker = core_worker = CoreWorker.driver(host, node.raylet, node.gcs, options)
        core_worker.session_name = session_name(node.session)
        core_worker.session_dir = node.folder
        core_worker.left_logs = SessionLogs(node.folder)

    def take(self, before_pickling: Callable[[], None], besides: Sequence[Role] = ()) -> CoreWorker:
        """Raises RaySystemError where the cluster does not answer. `besides`: roles that are not the protocol's."""
        host, core_worker = self.host, self.core_worker
        core_worker.values.before_pickling = before_pickling
        process = Process([*core_worker.process.roles, *besides])
        host.attach(process)
        host.raylet = self._node.raylet
        host.catch_interrupts()
        host.pump.start()
        with host.lock:
            process.start()
        core_worker.join(_JOIN_NS)
        set_current(core_worker)
        return core_worker

    def leave(self) -> None:
        self.core_worker.leave()
        set_current(None)
        self.host.close_after(_LEAVE_NS)
        self._arena.close()
