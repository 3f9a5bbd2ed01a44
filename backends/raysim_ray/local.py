"""Nodes of a Ray cluster on this machine, beside the one that `ray.init` starts. For tests; never a cluster's."""

import os
import site
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.cluster_utils

import raysim
from raysim.backend import NodeOptions

STORE_BYTES = 1 << 30
"""Of the object store of each further node, when not given: they share one machine's memory. Ours;
Ray's `cluster_utils.Cluster` takes 150 MiB."""


class LocalNodes:
    """The nodes beside the head, by id in hex."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self._nodes: dict[str, Any] = {}

    def add(self, options: NodeOptions) -> str:
        """Start a node of the cluster that this process is connected to; its id, once it has joined."""
        if self._cluster is None:
            self._cluster = _around(ray._private.worker.global_worker.node)
        keywords = node_keywords(options)
        keywords["object_store_memory"] = keywords.get("object_store_memory") or STORE_BYTES
        with importable_by_workers():
            node = self._cluster.add_node(
                **keywords,
                memory=options.memory or None,
                **({"node_name": options.name} if options.name else {}),
            )
        node_id = str(node.node_id)
        self._nodes[node_id] = node
        return node_id

    def kill(self, node_id: str) -> None:
        """End a node's processes at once. Raises ValueError for the head and for an unknown node."""
        node = self._nodes.pop(node_id, None)
        if node is None:
            known = ", ".join(self._nodes) or "none"
            raise ValueError(
                f"There is no node {node_id} beside the head to kill; there are {known}."
            )
        self._cluster.remove_node(node, allow_graceful=False)

    def stop(self) -> None:
        for node_id in list(self._nodes):
            self.kill(node_id)


def _around(head: Any) -> Any:
    """Ray's own means to start further nodes, around the head that `ray.init` started."""
    cluster = ray.cluster_utils.Cluster()
    cluster.head_node = head
    cluster.redis_address = head.redis_address
    return cluster


def node_keywords(options: NodeOptions) -> dict[str, Any]:
    """A node in Ray's words. Raises ValueError for a fraction of a CPU or GPU."""
    for name in ("num_cpus", "num_gpus"):
        if getattr(options, name) != int(getattr(options, name)):
            raise ValueError(
                f"A node of Ray has whole CPUs and GPUs, not {name}={getattr(options, name)}."
            )
    return {
        "num_cpus": int(options.num_cpus),
        "num_gpus": int(options.num_gpus),
        "resources": dict(options.resources) or None,
        "labels": dict(options.labels) or None,
        "object_store_memory": options.object_store_memory,
    }


@contextmanager
def importable_by_workers() -> Iterator[None]:
    """Processes started meanwhile find raysim where this one does, installed or not."""
    folders = {
        str(Path(package).resolve().parent.parent) for package in (raysim.__file__, __file__)
    }
    installed = {str(Path(folder).resolve()) for folder in site.getsitepackages()}
    missing = sorted(folders - installed)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([*missing, *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
