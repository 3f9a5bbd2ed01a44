"""Leases: each worker is lent once, to somebody who lives, and what runs holds one. Never when they are granted."""

from __future__ import annotations

from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster
from raysim.checks.finding import Finding
from raysim.protocol.raylet.lease import Lease, LeaseState
from raysim.spec.ids import WorkerId


def lent_once(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: no two leases have one worker."""
    for node in cluster.nodes:
        borrowers: dict[WorkerId, Lease] = {}
        for lease in node.raylet.leases.book.holding():
            if lease.worker is None:
                continue
            other = borrowers.setdefault(lease.worker.worker_id, lease)
            if other is not lease:
                yield Finding(
                    "lease-lent-once",
                    f"{node.name} lends {cluster.name(lease.worker)} twice: lease {other.request.lease_id} of "
                    f"{cluster.name(other.owner)} and lease {lease.request.lease_id} of {cluster.name(lease.owner)}",
                    cluster.now_ns,
                    "one worker, two leases",
                )


def idle_is_idle(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: a worker that a raylet may lend runs nothing (Ray: PR 55469)."""
    for node in cluster.nodes:
        idle = insides.idle_workers(node.raylet)
        for process in node.processes:
            executor = process.executor
            if executor is None or process.address.worker_id not in idle:
                continue
            running = [stage.state for stage in executor.stages()]
            if running:
                yield Finding(
                    "idle-worker-busy",
                    f"{process.name} is idle for {node.name} and has calls: "
                    + ", ".join(running[:3]),
                    cluster.now_ns,
                    "an idle worker has calls",
                )


def owners_live(cluster: Cluster) -> Iterator[Finding]:
    """At rest: whoever a lease was lent to is alive, and so is the worker."""
    known = cluster.by_worker()
    gcs = {insides.gcs_address(node.raylet).worker_id for node in cluster.nodes}
    for node in cluster.nodes:
        for lease in node.raylet.leases.book.holding():
            if lease.owner.worker_id not in known and lease.owner.worker_id not in gcs:
                yield Finding(
                    "lease-owner-live",
                    f"{node.name} lends lease {lease.request.lease_id} to {cluster.name(lease.owner)}",
                    cluster.now_ns,
                    "a lease of a dead owner",
                )
            if (
                lease.state is LeaseState.GRANTED
                and lease.worker is not None
                and lease.worker.worker_id not in known
            ):
                yield Finding(
                    "lease-worker-live",
                    f"{node.name} lends {cluster.name(lease.worker)} (lease {lease.request.lease_id})",
                    cluster.now_ns,
                    "a lease of a dead worker",
                )


def none_waits(cluster: Cluster) -> Iterator[Finding]:
    """At rest: no request is queued (Ray: #13545, a lease nobody waits for)."""
    for node in cluster.nodes:
        queued = node.raylet.leases.book.queued()
        if queued:
            yield Finding(
                "lease-queued",
                f"at {node.name}, {queued} lease requests wait though nothing does",
                cluster.now_ns,
            )
