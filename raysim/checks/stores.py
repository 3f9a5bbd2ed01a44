"""Stores and disks: every byte belongs to something, and nothing that was freed is kept. Never who refers to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster, NodeSeen
from raysim.checks.finding import Finding
from raysim.protocol.raylet.stored import NOWHERE, SpillFile


def places_used_once(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: each place of a store is one object's, lent to one process, or being filled."""
    for node in cluster.nodes:
        places = insides.places(node.raylet)
        if len(places) == len(node.places) and node.places == set(places):
            continue  # The usual case, at the least cost: all, and as many as there are.
        used = Counter(places)
        for place in sorted(node.places ^ used.keys()):
            what = "which nothing uses" if place in node.places else "which was given back"
            key = "leaked" if place in node.places else "given back"
            text = f"the store of {node.name} has place {place}, {what}"
            yield Finding("store-places", text, cluster.now_ns, key)
        for place, count in used.items():
            if count > 1:
                text = f"place {place} of the store of {node.name} is used {count} times"
                yield Finding("store-places", text, cluster.now_ns, "used twice")


def spilled_accounted(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: what is on a disk is of an object that is not freed, and every object is somewhere."""
    for node in cluster.nodes:
        spilling = node.raylet.store.spilling
        known = spilling.files.keys()
        if set(node.files) - spilling.writing.keys() != known:
            text = f"{node.name} has files {sorted(node.files)} on its disk, its raylet knows {sorted(known)}"
            yield Finding("spilled-files", text, cluster.now_ns, "files")
        yield from _of_objects(cluster, node)
        size = sum(file.size for file in spilling.files.values())
        if spilling.bytes_on_disk != size:
            text = f"{node.name} counts {spilling.bytes_on_disk} bytes on its disk; its files have {size}"
            yield Finding("spilled-files", text, cluster.now_ns, "bytes")


def _of_objects(cluster: Cluster, node: NodeSeen) -> Iterator[Finding]:
    counts: dict[SpillFile, int] = {}
    for object_id, stored in node.raylet.store.objects.items():
        if stored.on_disk is None:
            if stored.handle == NOWHERE:
                shown = f"object {object_id.hex()[:12]} of {node.name}"
                yield Finding("spilled-objects", f"{shown} is nowhere", cluster.now_ns, "nowhere")
            continue
        counts[stored.on_disk.file] = counts.get(stored.on_disk.file, 0) + 1
        if stored.freed:
            text = f"object {object_id.hex()[:12]} of {node.name} is freed, and on disk"
            yield Finding("spilled-objects", text, cluster.now_ns, "freed")
    for file in node.raylet.store.spilling.files.values():
        if file.objects != counts.get(file, 0) or not (file.objects or file.reads):
            text = (
                f"file {file.number} on the disk of {node.name} counts {file.objects} objects and {file.reads} "
                f"reads; it has {counts.get(file, 0)} objects"
            )
            yield Finding("spilled-files", text, cluster.now_ns, "objects")


def none_on_disk(cluster: Cluster) -> Iterator[Finding]:
    """When no program refers to anything any more: no file is left."""
    for node in cluster.nodes:
        if node.files:
            text = f"{node.name} has {len(node.files)} spilled files"
            yield Finding("spilled-left", text, cluster.now_ns, "files")
