"""Resources of nodes: conserved, never negative, never lent twice. Never which node should have which: see policies."""

from __future__ import annotations

from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster, NodeSeen
from raysim.checks.finding import Finding
from raysim.protocol.raylet.lease import Lease, LeaseState
from raysim.spec.resources import CPU, Resources, add, from_units, subtract


def conserved(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: what a node has = what is free + what leases hold + what bundles keep."""
    for node in cluster.nodes:
        local = node.raylet.view.local
        held = lent_of(node)
        add(held, local.available)
        if held == local.total:
            continue  # The usual case, at the least cost.
        for name in sorted({*local.total, *held}):
            total, free = local.total.get(name, 0), local.available.get(name, 0)
            taken = held.get(name, 0) - free
            if free + taken != total:
                yield Finding(
                    "resources-conserved",
                    f"{node.name} has {from_units(total):g} {name}, of which {from_units(free):g} are free and "
                    f"{from_units(taken):g} held: {from_units(free + taken - total):g} too many",
                    cluster.now_ns,
                    f"{'leaked' if free + taken < total else 'made up'} {name.partition('_')[0]}",
                )


def never_negative(cluster: Cluster) -> Iterator[Finding]:
    """Only CPUs may fall below zero: of workers that go on after a wait during which theirs were lent on."""
    for node in cluster.nodes:
        for name, free in node.raylet.view.local.available.items():
            if free < 0 and not _may_be_short(node, name):
                yield Finding(
                    "resources-negative",
                    f"{node.name} has {from_units(free):g} {name} free",
                    cluster.now_ns,
                    name.partition("_")[0],
                )


def all_returned(cluster: Cluster) -> Iterator[Finding]:
    """At rest, with no actor: every node is as free as it was made."""
    for node in cluster.nodes:
        local = node.raylet.view.local
        for name, total in local.total.items():
            missing = total - local.available.get(name, 0)
            if missing:
                yield Finding(
                    "resources-returned",
                    f"{node.name} lacks {from_units(missing):g} {name} though nothing runs",
                    cluster.now_ns,
                )


def leases_of(node: NodeSeen) -> list[Lease]:
    """All that hold something: also those that ended while their worker still runs."""
    book = node.raylet.leases.book
    leases = list(book.holding())
    for worker in node.raylet.pool.workers.values():
        lease = worker.lease
        if (
            lease is not None
            and book.find(lease.owner.worker_id, lease.request.lease_id) is not lease
        ):
            leases.append(lease)
    return leases


def lent_of(node: NodeSeen) -> Resources:
    """What leases and bundles hold of this node."""
    held: Resources = {}
    for lease in leases_of(node):
        add(held, lease.held)
        subtract(held, lease.lent)
    for _, _, resources, _ in insides.bundles(node.raylet):
        add(held, resources)
    return held


def _may_be_short(node: NodeSeen, name: str) -> bool:
    if not name.startswith(CPU):
        return False
    return any(
        worker.last_block and not worker.blocked
        for worker in node.raylet.pool.workers.values()
        if worker.lease is not None and worker.lease.state is not LeaseState.QUEUED
    )
