"""Leases: each worker is lent once, to somebody who lives, where its request may run. Never when they are granted."""

from __future__ import annotations

from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster, NodeSeen
from raysim.checks.finding import Finding
from raysim.protocol.raylet.lease import Lease, LeaseState
from raysim.spec.ids import WorkerId
from raysim.spec.labels import describe, matches
from raysim.spec.task import NodeAffinity, NodeLabels


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


def placed(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: whoever has a node's resources may run there, by its labels and by the node that it names."""
    for node in cluster.nodes:
        for lease in node.raylet.leases.book.holding():
            unmet = _unmet(node, lease)
            if unmet:
                whose = f"lease {lease.request.lease_id} of {cluster.name(lease.owner)}"
                text = f"{node.name} has {whose}, which needs {unmet}"
                yield Finding("lease-placed", text, cluster.now_ns, unmet.partition(" ")[0])


def _unmet(node: NodeSeen, lease: Lease) -> str:
    """What its request asks of a node and this one is not."""
    request, labels = lease.request, node.raylet.view.local.labels
    strategy, selectors = request.strategy, request.selectors
    if selectors and not any(matches(one, labels) for one in selectors):
        return f"labels {' or '.join(map(describe, selectors))}, not {labels}"
    if type(strategy) is NodeLabels and not matches(strategy.hard, labels):
        return f"labels {describe(strategy.hard)}, not {labels}"
    if type(strategy) is NodeAffinity and not strategy.soft and strategy.node_id != node.node_id:
        return f"node {strategy.node_id.hex()[:8]}"
    return ""


def asked_of_the_living(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: nobody waits for the answer of a node that it knows to be lost, but for its own."""
    for process in cluster.processes():
        for lease_id, raylet in insides.asked_of_the_lost(process.owner):
            if raylet.node_id != process.address.node_id:
                yield Finding(
                    "lease-asked",
                    f"{process.name} asks node {raylet.node_id.hex()[:8]}, which it knows to be lost, for lease "
                    f"{lease_id}",
                    cluster.now_ns,
                    "a lost node is asked",
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
        queued = node.raylet.leases.book.queued() + node.raylet.leases.quotas.waiting()
        if queued:
            yield Finding(
                "lease-queued",
                f"at {node.name}, {queued} lease requests wait though nothing does",
                cluster.now_ns,
            )
