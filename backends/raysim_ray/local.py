"""Nodes of a Ray cluster on this machine, beside the one that `ray.init` starts. For tests; never a cluster's."""

import os
import site
from collections.abc import Iterator, Mapping
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
    """The nodes beside the head, by id in hex; the head too where it outlives its drivers."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self._head: Any = None
        """One that `ray.init` started ends with `ray.shutdown`, and is not kept here."""
        self._nodes: dict[str, Any] = {}

    @classmethod
    def started(cls, head: NodeOptions, world: Mapping[str, Any]) -> "LocalNodes":
        """With a head of their own, and no driver. `world`: of the arguments of `ray.init`, the head's."""
        made = cls()
        made._cluster = ray.cluster_utils.Cluster()
        made._head = made._started(
            head,
            include_dashboard=world.get("include_dashboard", False),
            **{name[1:]: world[name] for name in ("_temp_dir",) if name in world},
        )
        return made

    def address_info(self) -> dict[str, Any]:
        """Of the head that is kept here; nothing of another."""
        if self._head is None:
            return {}
        node_id = str(self._head.node_id)
        return {**self._head.address_info, "address": self._head.gcs_address, "node_id": node_id}

    def add(self, options: NodeOptions) -> str:
        """Start a node of the cluster that this process is connected to; its id, once it has joined."""
        if self._cluster is None:
            self._cluster = _around(ray._private.worker.global_worker.node)
        node = self._started(options)
        node_id = str(node.node_id)
        self._nodes[node_id] = node
        return node_id

    def _started(self, options: NodeOptions, **more: Any) -> Any:
        keywords = node_keywords(options)
        keywords["object_store_memory"] = keywords.get("object_store_memory") or STORE_BYTES
        with importable_by_workers():
            return self._cluster.add_node(
                **keywords,
                memory=options.memory or None,
                **({"node_name": options.name} if options.name else {}),
                **more,
            )

    def kill(self, node_id: str, graceful: bool = False) -> None:
        """End a node's processes, at once or in good order.

        Raises ValueError for the head and for an unknown node.
        """
        node = self._nodes.pop(node_id, None)
        if node is None:
            known = ", ".join(self._nodes) or "none"
            raise ValueError(
                f"There is no node {node_id} beside the head to kill; there are {known}."
            )
        self._cluster.remove_node(node, allow_graceful=graceful)

    def is_alive(self, node_id: str) -> bool:
        """Whether the node's processes run, of those that are kept here."""
        node = self._nodes.get(node_id)
        if node is None and self._head is not None and str(self._head.node_id) == node_id:
            node = self._head
        return node is not None and bool(node.remaining_processes_alive())

    def stop(self) -> None:
        for node_id in list(self._nodes):
            self.kill(node_id)
        head, self._head = self._head, None
        if head is not None:
            self._cluster.remove_node(head)


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
