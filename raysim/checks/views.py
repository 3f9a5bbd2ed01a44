"""What is known of nodes: at rest, the truth. Never what is done with it: see policies."""

from __future__ import annotations

from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster, NodeSeen
from raysim.checks.finding import Finding
from raysim.spec.resources import Resources


def members(cluster: Cluster) -> Iterator[Finding]:
    """At rest: the GCS's live nodes are those that run."""
    if cluster.gcs is None:
        return
    running = cluster.by_node()
    for node_id, info in cluster.gcs.nodes.live.items():
        if node_id not in running:
            text = f"the GCS takes {info.name} for alive, which is not"
            yield Finding("view-is-true", text, cluster.now_ns, "a dead member")
    for node_id, node in running.items():
        if node_id not in cluster.gcs.nodes.live:
            text = f"{node.name} runs and is no member"
            yield Finding("view-is-true", text, cluster.now_ns, "no member")


def resources(cluster: Cluster) -> Iterator[Finding]:
    """At rest, a report and a broadcast later: what is said of each node's resources is so (Ray: PR 12711)."""
    if cluster.gcs is None:
        return
    running = cluster.by_node()
    for node_id, view in insides.reported(cluster.gcs):
        node = running.get(node_id)
        if node is not None and _differs(view.available, node.raylet.view.local.available):
            text = f"the GCS takes {_shown(view.available)} of {node.name} for free, which has {_free(node)}"
            yield Finding("view-is-true", text, cluster.now_ns, "of the GCS")
    for node in cluster.nodes:
        if not insides.watches(node.raylet):
            continue
        for node_id, other in running.items():
            if node_id == node.node_id:
                continue
            seen = node.raylet.view.nodes.get(node_id)
            if seen is None:
                text = f"{node.name} watches the cluster and does not know {other.name}"
                yield Finding("view-is-true", text, cluster.now_ns, "an unknown node")
            elif _differs(seen.available, other.raylet.view.local.available):
                text = (
                    f"{node.name} takes {_shown(seen.available)} of {other.name} for free, "
                    f"which has {_free(other)}"
                )
                yield Finding("view-is-true", text, cluster.now_ns, "of a raylet")


def _free(node: NodeSeen) -> str:
    return _shown(node.raylet.view.local.available)


def _differs(one: Resources, other: Resources) -> bool:
    return any(one.get(name, 0) != other.get(name, 0) for name in {*one, *other})


def _shown(resources: Resources) -> str:
    return ", ".join(f"{units / 10_000:g} {name}" for name, units in resources.items() if units)
