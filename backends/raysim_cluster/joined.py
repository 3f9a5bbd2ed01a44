"""A cluster that other processes have started, as a driver that joins it holds it. Never starts or ends a node."""

import os
import weakref
from typing import NoReturn

from raysim.backend import Backend, InitOptions, NodeOptions
from raysim.runtime.current import set_current
from raysim_cluster.control import NodeHere
from raysim_cluster.door import Entry, doors, visit
from raysim_cluster.driver import DriverHost
from raysim_cluster.joining import check_versions
from raysim_cluster.modules import LocalModules
from raysim_cluster.printed import Screen, driver_id
from raysim_cluster.seat import Node, Seat

AUTO = "auto"


def join(options: InitOptions) -> "JoinedWorld":
    """The cluster of `options.address`, at its node on this machine. Raises ConnectionError where there is none."""
    here, arena_fd = visit(_entry(options.address or AUTO))
    check_versions(f"The cluster at {here.gcs.endpoint}", here.version, here.python)
    return JoinedWorld(here, arena_fd, options)


def _entry(address: str) -> Entry:
    found = doors()
    host, _, port = address.rpartition(":")
    wanted = f"127.0.0.1:{port}" if host == "localhost" else address
    fitting = [entry for entry in found if address == AUTO or entry.address == wanted]
    if fitting:
        # The head before a node beside it, which an autoscaler may be about to end.
        of_one = [entry for entry in fitting if entry.address == fitting[0].address]
        return next((entry for entry in of_one if entry.is_head), of_one[0])
    if address == AUTO:
        raise ConnectionError(
            "Could not find any running cluster of yours on this machine. Start one with: raysim start --head"
        )
    there = ", ".join(dict.fromkeys(entry.address for entry in found)) or "none"
    raise ConnectionError(
        f"Could not find a cluster at address {address!r} that has a node of yours on this machine; clusters that "
        f"have one: {there}. Start a node of that cluster here with: raysim start --address {address}"
    )


class JoinedWorld:
    """Implements `raysim.backend.World`."""

    name = "cluster"

    def __init__(self, here: NodeHere, arena_fd: int, options: InitOptions) -> None:
        self._here = here
        self._arena_fd = arena_fd
        self._options = options
        self._seat: Seat | None = None
        self._modules = LocalModules(here.paths)
        forget = weakref.WeakMethod(self._abandon)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def connect(self, options: InitOptions | None = None) -> Backend:
        assert self._seat is None, "a driver at a time"
        here = self._here
        host = DriverHost(
            here.session,
            here.node_id,
            driver_id(),
            config=here.config,
            seed=here.seed,
            name=f"driver-{os.getpid()}",
        )
        node = Node(
            here.session, here.raylet, here.gcs, self._arena_fd, here.store_bytes, here.folder
        )
        options = options or self._options
        self._seat = Seat(host, node, options)
        return self._seat.take(self._modules.look, [Screen(options.log_to_driver)])

    def disconnect(self) -> None:
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.leave()
        self._modules.forget()
        if self._arena_fd >= 0:
            os.close(self._arena_fd)
            self._arena_fd = -1

    def stop(self) -> None:
        """The cluster goes on: it is not this driver's."""
        self.disconnect()

    def address_info(self) -> dict[str, str]:
        here = self._here
        return {
            "address": here.gcs.endpoint,
            "gcs_address": here.gcs.endpoint,
            "node_id": here.node_id.hex(),
            "session_dir": here.folder,
            "session_id": here.session.session_id,
        }

    def add_node(self, options: NodeOptions) -> str:
        self._refuse("Start one with: raysim start --address " + self._here.gcs.endpoint)

    def kill_node(self, node_id: str, graceful: bool = False) -> None:
        self._refuse("End one with `raysim stop` on its machine.")

    def is_alive(self, node_id: str) -> bool:
        self._refuse("Ask the cluster, with nodes().")

    def _refuse(self, remedy: str) -> NoReturn:
        raise ValueError(f"This driver did not start the cluster that it is in. {remedy}")

    def _abandon(self) -> None:
        """In a fork of the driver, which is no part of the cluster."""
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.host.abandon()
            set_current(None)
