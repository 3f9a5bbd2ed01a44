"""Objects: alive exactly as long as something refers to them, where their owners say. Never their values."""

from __future__ import annotations

from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster
from raysim.checks.finding import Finding
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.spec.failure import FailureKind


def counts(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: no count is negative, and an object's pins are those of its holders."""
    for process in cluster.processes():
        for entry in process.owner.objects.entries.values():
            if (
                entry.local < 0
                or entry.uses < 0
                or entry.held < 0
                or entry.lineage < 0
                or entry.borrowed < 0
            ):
                least = min(entry.local, entry.uses, entry.held, entry.lineage, entry.borrowed)
                text = f"{process.name} counts {least} of {_shown(entry)}: {_counts(entry)}"
                yield Finding("object-counts", text, cluster.now_ns, "negative")
    for node in cluster.nodes:
        pinned: dict[bytes, int] = {}
        for _, pins in insides.pins(node.raylet):
            for object_id, count in pins.items():
                pinned[object_id] = pinned.get(object_id, 0) + count
        for object_id, stored in node.raylet.store.objects.items():
            if stored.pins != pinned.pop(object_id, 0):
                text = f"{node.name} counts {stored.pins} pins of object {object_id.hex()[:12]}, its holders others"
                yield Finding("object-counts", text, cluster.now_ns, "pins")
        for lost in pinned:
            text = f"on {node.name}, a process pins object {lost.hex()[:12]}, which is not there"
            yield Finding("object-counts", text, cluster.now_ns, "a pin of nothing")


def none_freed_early(cluster: Cluster) -> Iterator[Finding]:
    """At rest: what a process borrows is there at its owner, which knows of the borrow."""
    known = cluster.by_worker()
    for process in cluster.processes():
        for entry in process.owner.objects.entries.values():
            if entry.owner is None or entry.epoch < 0 or not entry.in_use():
                continue
            owner = known.get(entry.owner.worker_id)
            if owner is None or _failed(entry):
                continue
            at_owner = owner.owner.objects.entries.get(entry.object_id)
            if at_owner is None or at_owner.state is ObjectState.FREED:
                yield Finding(
                    "object-freed-early",
                    f"{process.name} borrows {_shown(entry)} ({_counts(entry)}), which {owner.name} has freed",
                    cluster.now_ns,
                    "freed",
                )
            elif process.address.worker_id not in insides.borrowers(owner.owner, entry.object_id):
                yield Finding(
                    "object-borrow-unknown",
                    f"{process.name} borrows {_shown(entry)} ({_counts(entry)}), and {owner.name} does not know",
                    cluster.now_ns,
                    "unknown borrow",
                )


def borrowers_live(cluster: Cluster) -> Iterator[Finding]:
    """At rest: every borrower that an owner counts is alive, and does borrow."""
    known = cluster.by_worker()
    for process in cluster.processes():
        for entry in process.owner.objects.entries.values():
            if not entry.borrowed:
                continue
            for worker_id in sorted(insides.borrowers(process.owner, entry.object_id)):
                borrower = known.get(worker_id)
                found = (
                    None
                    if borrower is None
                    else borrower.owner.objects.entries.get(entry.object_id)
                )
                if found is None:
                    name = cluster.name(worker_id)
                    yield Finding(
                        "object-borrower-live",
                        f"{process.name} keeps {_shown(entry)} for {name}, which does not borrow it",
                        cluster.now_ns,
                        "a dead borrower" if borrower is None else "a borrow that has ended",
                    )


def located(cluster: Cluster) -> Iterator[Finding]:
    """At rest: where an owner says there is a copy, there is one (Ray: #25084); and no copy is unknown."""
    nodes = cluster.by_node()
    known = cluster.by_worker()
    for process in cluster.processes():
        for entry in process.owner.objects.entries.values():
            if entry.owner is not None or entry.state is not ObjectState.STORED:
                continue
            for holder in entry.holders:
                node = nodes.get(holder.node_id)
                if node is None or entry.object_id not in node.raylet.store.objects:
                    where = f"node {holder.node_id.hex()[:8]}" if node is None else node.name
                    text = f"{process.name} takes {_shown(entry)} for stored on {where}, where it is not"
                    yield Finding("object-located", text, cluster.now_ns, "phantom")
    for node in cluster.nodes:
        for object_id, stored in node.raylet.store.objects.items():
            owner = known.get(stored.owner.worker_id)
            found = None if owner is None else owner.owner.objects.entries.get(object_id)
            if found is None or all(h.node_id != node.node_id for h in found.holders):
                name = cluster.name(stored.owner)
                text = f"{node.name} stores object {object_id.hex()[:12]}, which {name} does not know to be there"
                yield Finding("object-located", text, cluster.now_ns, "orphan copy")


def pins_live(cluster: Cluster) -> Iterator[Finding]:
    """At rest: who pins objects or has extents is alive (Ray: #64627)."""
    for node in cluster.nodes:
        alive = {process.address.worker_id for process in node.processes}
        for worker_id, pins in insides.pins(node.raylet):
            if pins and worker_id not in alive:
                text = f"{node.name} keeps {len(pins)} objects pinned for {cluster.name(worker_id)}"
                yield Finding("pin-holder-live", text, cluster.now_ns, "a dead holder's pins")
        for worker_id, count in insides.extents(node.raylet):
            if worker_id not in alive:
                text = f"{node.name} lends {count} extents to {cluster.name(worker_id)}"
                yield Finding("pin-holder-live", text, cluster.now_ns, "a dead holder's extents")


def none_left(cluster: Cluster) -> Iterator[Finding]:
    """When no program refers to anything any more: no entry of an object is left, and no copy."""
    for process in cluster.processes():
        for entry in process.owner.objects.entries.values():
            if entry.owner is None:
                text = f"{process.name} still has {_shown(entry)}: {_counts(entry)}"
                yield Finding("object-left", text, cluster.now_ns, _why_left(entry))
            else:
                text = f"{process.name} still borrows {_shown(entry)}: {_counts(entry)}"
                yield Finding("object-left", text, cluster.now_ns, f"borrowed, {_why_left(entry)}")
    for node in cluster.nodes:
        for object_id, stored in node.raylet.store.objects.items():
            text = (
                f"{node.name} stores object {object_id.hex()[:12]} of {cluster.name(stored.owner)}"
            )
            yield Finding("object-left", text, cluster.now_ns, "a stored copy")


def _failed(entry: Entry) -> bool:
    """The borrower knows that there is nothing to borrow."""
    return entry.failure is not None and entry.failure.kind in (
        FailureKind.OWNER_DIED,
        FailureKind.OBJECT_FREED,
    )


def _why_left(entry: Entry) -> str:
    counted = [
        name for name in ("local", "uses", "held", "lineage", "borrowed") if getattr(entry, name)
    ]
    return ", ".join(counted) or "no reference"


def _counts(entry: Entry) -> str:
    return (
        f"local={entry.local} uses={entry.uses} held={entry.held} lineage={entry.lineage} "
        f"borrowed={entry.borrowed}"
    )


def _shown(entry: Entry) -> str:
    return f"object {entry.object_id.hex()[:12]} ({entry.state.name.lower()})"
