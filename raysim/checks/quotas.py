"""Quotas: no job has more of the cluster than it may. Never who should have it."""

from __future__ import annotations

from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster
from raysim.checks.finding import Finding
from raysim.checks.resources import leases_of
from raysim.protocol.raylet.lease import LeaseState
from raysim.spec.ids import NIL_NODE, JobId, job_of_group
from raysim.spec.resources import CPU, Resources, add, describe, fits, shortfall
from raysim.spec.runtime_env import job_of_env


def within(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: what raylets lend to a job's leases, and what its placement groups hold, is within its quota. By
    what leases hold, whatever they say that they were admitted with.

    Not counted: CPUs of workers that went on after a wait, which ask nobody; a node that the GCS takes for dead; a
    group that is removed.
    """
    if cluster.gcs is None:
        return
    quotas: dict[JobId, Resources] = {}
    used: dict[JobId, Resources] = {}
    dead = insides.dead_nodes(cluster.gcs)
    for node in cluster.nodes:
        if node.node_id in dead:
            continue
        for lease in leases_of(node):
            request = lease.request
            quota = job_of_env(request.runtime_env).quota if request.runtime_env else {}
            if not quota or lease.state is LeaseState.ADMITTING:
                continue
            quotas[request.job_id] = quota
            own = {name: units for name, units in lease.held.items() if name in quota}
            if lease.lent or lease.resumed:
                own.pop(CPU, None)
            add(used.setdefault(request.job_id, {}), own)
    quotas.update(cluster.gcs.jobs.quotas)
    for info in insides.groups(cluster.gcs) if quotas else ():
        quota = quotas.get(job_of_group(info.group_id), {})
        for bundle, node_id in zip(info.bundles, info.nodes, strict=True):
            if quota and node_id != NIL_NODE:
                some = {name: units for name, units in bundle.items() if name in quota}
                add(used.setdefault(job_of_group(info.group_id), {}), some)
    for job_id, had in used.items():
        if not fits(had, quotas[job_id]):
            over = next(iter(shortfall(had, quotas[job_id])))
            yield Finding(
                "quota-kept",
                f"job {job_id.hex()} has {describe(had)}, and its quota is {describe(quotas[job_id])}",
                cluster.now_ns,
                f"too much {over}",
            )
