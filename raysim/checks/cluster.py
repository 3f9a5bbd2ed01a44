"""The roles of all processes of a simulated cluster, side by side, as checks read them. Never changes one.

A simulated world is taken for what it has (`nodes`, their hosts and roles), since nothing here may import one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from raysim.journal import Journal
from raysim.protocol.executor import Executor
from raysim.protocol.gcs import Gcs
from raysim.protocol.owner import Owner
from raysim.protocol.raylet import Raylet
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId


class ProcessSeen(msgspec.Struct, frozen=True):
    """A live process of user code: a driver, or a worker."""

    name: str
    address: Address
    owner: Owner
    executor: Executor | None = None


class NodeSeen(msgspec.Struct, frozen=True):
    """A node whose machine runs."""

    name: str
    node_id: NodeId
    raylet: Raylet
    processes: list[ProcessSeen]
    stored_bytes: int = 0
    places: frozenset[int] = frozenset()
    """Handles that its store has given out."""
    files: frozenset[int] = frozenset()
    """Spilled ones on its disk."""


class Cluster(msgspec.Struct, frozen=True):
    """What is alive at one moment."""

    now_ns: int
    nodes: list[NodeSeen]
    gcs: Gcs | None = None

    @classmethod
    def of(cls, world: Any) -> Cluster:
        """`world`: a simulated one, as `raysim.api.session.current_world()` gives it."""
        nodes = [_node(node) for node in world.nodes if node.host.alive]
        return cls(world.clock.now_ns, nodes, _gcs(world))

    def processes(self) -> Iterator[ProcessSeen]:
        for node in self.nodes:
            yield from node.processes

    def by_worker(self) -> dict[WorkerId, ProcessSeen]:
        return {process.address.worker_id: process for process in self.processes()}

    def by_node(self) -> dict[NodeId, NodeSeen]:
        return {node.node_id: node for node in self.nodes}

    def name(self, address: Address | WorkerId) -> str:
        """Of a process, for people."""
        worker_id = address.worker_id if isinstance(address, Address) else address
        found = self.by_worker().get(worker_id)
        return f"process {worker_id.hex()[:8]}, which has ended" if found is None else found.name


def _node(node: Any) -> NodeSeen:
    processes = [_process(host) for host in node.users if host.alive]
    places, files = frozenset(node.store.handles()), frozenset(node.disk.numbers())
    return NodeSeen(
        node.name, node.node_id, node.raylet, processes, node.store.used(), places, files
    )


def _process(host: Any) -> ProcessSeen:
    core_worker = host.core_worker
    return ProcessSeen(host.name, host.address, core_worker.owner, core_worker.executor)


def _gcs(world: Any) -> Gcs | None:
    """None while it is down."""
    own = world.gcs_process
    host = world.nodes[0].host if own is None else own.host
    if not host.alive:
        return None
    return next((role for role in host.process.roles if isinstance(role, Gcs)), None)


def journal_of(world: Any) -> Journal:
    journal: Journal = world.journal
    return journal
