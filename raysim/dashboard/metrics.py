"""What Prometheus is told: one table, of which documents, pictures and alerts are made, too. Never who asks.

Names are Ray's with `raysim_` in front.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Labels = Mapping[str, str]
Points = Iterable[tuple[Labels, float]]


@dataclass
class Facts:
    """What is known at one moment."""

    nodes: list[dict[str, Any]]
    used: dict[str, dict[str, float]]
    tasks: dict[str, Any]
    """By name: `state_counts`."""
    actors: dict[str, Any]
    """By class: `state_counts`."""
    groups: Counter[str]
    """Placement groups by state."""
    jobs: Counter[str]
    samples: list[tuple[Labels, dict[str, Any]]] = field(init=False)
    """The latest of each node that lives, with its labels."""

    def __post_init__(self) -> None:
        self.samples = [
            (_of(node), node["sample"]) for node in self.nodes if node["alive"] and node["sample"]
        ]


@dataclass(frozen=True)
class Metric:
    """`unit` is for pictures: percentunit, bytes, short."""

    name: str
    kind: str
    """gauge or counter, of Prometheus."""
    labels: tuple[str, ...]
    what: str
    ray: str
    """Ray's name for the same; empty: Ray has none."""
    read: Callable[[Facts], Points]
    unit: str = "short"


def _of(node: Mapping[str, Any]) -> Labels:
    return {"NodeId": node["node_id"], "NodeName": node["hostname"], "ip": node["ip"]}


def _sampled(name: str) -> Callable[[Facts], Points]:
    return lambda facts: [(labels, sample[name]) for labels, sample in facts.samples]


def _by_state(groups: Mapping[str, Any]) -> Points:
    return [
        ({"Name": name, "State": state}, count)
        for name, group in groups.items()
        for state, count in group["state_counts"].items()
    ]


def _resources(facts: Facts) -> Points:
    for name, one in facts.used.items():
        yield {"Name": name, "State": "USED"}, one["used"]
        yield {"Name": name, "State": "AVAILABLE"}, one["total"] - one["used"]


def _nodes(alive: bool) -> Callable[[Facts], Points]:
    return lambda facts: [({}, sum(node["alive"] is alive for node in facts.nodes))]


_NODE: Final = ("NodeId", "NodeName", "ip")

METRICS: Final = (
    Metric(
        "raysim_tasks",
        "gauge",
        ("Name", "State"),
        "Attempts of tasks that are known, by name and state.",
        "ray_tasks",
        lambda facts: _by_state(facts.tasks),
    ),
    Metric(
        "raysim_actors",
        "gauge",
        ("Name", "State"),
        "Actors by class and state.",
        "ray_actors",
        lambda facts: _by_state(facts.actors),
    ),
    Metric(
        "raysim_jobs",
        "gauge",
        ("State",),
        "Jobs by status.",
        "",
        lambda facts: [({"State": state}, count) for state, count in facts.jobs.items()],
    ),
    Metric(
        "raysim_placement_groups",
        "gauge",
        ("State",),
        "Placement groups by state.",
        "ray_placement_groups",
        lambda facts: [({"State": state}, count) for state, count in facts.groups.items()],
    ),
    Metric(
        "raysim_resources",
        "gauge",
        ("Name", "State"),
        "Of each resource of the cluster, what is used and what is free.",
        "ray_resources",
        _resources,
    ),
    Metric(
        "raysim_cluster_active_nodes",
        "gauge",
        (),
        "Nodes that live.",
        "ray_cluster_active_nodes",
        _nodes(True),
    ),
    Metric(
        "raysim_cluster_failed_nodes",
        "gauge",
        (),
        "Nodes that ended and are remembered.",
        "ray_cluster_failed_nodes",
        _nodes(False),
    ),
    Metric(
        "raysim_node_cpu_utilization",
        "gauge",
        _NODE,
        "Of the machine's processors, the share that was busy in the last ten seconds: 0 to 1. Ray's is in percent.",
        "ray_node_cpu_utilization",
        _sampled("cpu"),
        "percentunit",
    ),
    Metric(
        "raysim_node_mem_used",
        "gauge",
        _NODE,
        "Bytes of the machine's (or its container's) memory that are used.",
        "ray_node_mem_used",
        _sampled("memory_used"),
        "bytes",
    ),
    Metric(
        "raysim_node_mem_total",
        "gauge",
        _NODE,
        "Bytes of memory that the machine (or its container) has.",
        "ray_node_mem_total",
        _sampled("memory_total"),
        "bytes",
    ),
    Metric(
        "raysim_node_mem_trend",
        "gauge",
        _NODE,
        "Bytes a minute by which the node's memory in use grows, over the last ten minutes; negative: it shrinks.",
        "",
        lambda facts: [
            (_of(node), node["memory_trend"])
            for node in facts.nodes
            if node["alive"] and node["memory_trend"] is not None
        ],
        "bytes",
    ),
    Metric(
        "raysim_node_network_received_total",
        "counter",
        _NODE,
        "Bytes that came to the node's machine by all networks but the one with itself, since it began.",
        "ray_node_network_received",
        _sampled("received"),
        "bytes",
    ),
    Metric(
        "raysim_node_network_sent_total",
        "counter",
        _NODE,
        "Bytes that left it so.",
        "ray_node_network_sent",
        _sampled("sent"),
        "bytes",
    ),
    Metric(
        "raysim_memory_manager_worker_eviction_total",
        "counter",
        _NODE,
        "Workers that were ended since the node's start because its memory ran out.",
        "ray_memory_manager_worker_eviction_total",
        _sampled("evicted"),
    ),
    Metric(
        "raysim_object_store_used_memory",
        "gauge",
        _NODE,
        "Bytes of the node's store that are used.",
        "ray_object_store_used_memory",
        _sampled("store_used"),
        "bytes",
    ),
    Metric(
        "raysim_object_store_memory",
        "gauge",
        _NODE,
        "Bytes that the node's store has.",
        "ray_object_store_memory",
        _sampled("store_capacity"),
        "bytes",
    ),
    Metric(
        "raysim_object_store_num_local_objects",
        "gauge",
        _NODE,
        "Objects in the node's store.",
        "ray_object_store_num_local_objects",
        _sampled("objects"),
    ),
    Metric(
        "raysim_spilled_bytes",
        "gauge",
        _NODE,
        "Bytes of objects that are on the node's disk now.",
        "",
        _sampled("on_disk"),
        "bytes",
    ),
    Metric(
        "raysim_spilled_bytes_total",
        "counter",
        _NODE,
        "Bytes that the node has written to disk since its start.",
        "",
        _sampled("spilled"),
        "bytes",
    ),
    Metric(
        "raysim_restored_bytes_total",
        "counter",
        _NODE,
        "Bytes that the node has read back from disk since its start.",
        "",
        _sampled("restored"),
        "bytes",
    ),
    Metric(
        "raysim_pulled_bytes_total",
        "counter",
        _NODE,
        "Bytes that came to the node from others since its start.",
        "",
        _sampled("pulled"),
        "bytes",
    ),
    Metric(
        "raysim_workers",
        "gauge",
        _NODE,
        "Worker processes of the node.",
        "",
        _sampled("workers"),
    ),
    Metric(
        "raysim_queued_calls",
        "gauge",
        _NODE,
        "Calls that wait on the node for resources.",
        "",
        _sampled("queued"),
    ),
)


@dataclass(frozen=True)
class Alert:
    """`lasting`: as Prometheus writes it, how long it has to hold."""

    name: str
    expression: str
    lasting: str
    severity: str
    what: str


ALERTS: Final = (
    Alert(
        "RaysimNodeLost",
        "delta(raysim_cluster_failed_nodes[10m]) > 0",
        "0m",
        "warning",
        "A node of the cluster was lost in the last ten minutes.",
    ),
    Alert(
        "RaysimTasksFail",
        'sum(raysim_tasks{State="FAILED"}) - (sum(raysim_tasks{State="FAILED"} offset 10m) or vector(0)) > 0',
        "0m",
        "warning",
        "Tasks have failed in the last ten minutes.",
    ),
    Alert(
        "RaysimMemoryShort",
        "raysim_node_mem_used / raysim_node_mem_total > 0.9",
        "2m",
        "critical",
        "A node uses more than 90 % of its memory: its workers will be ended soon.",
    ),
    Alert(
        "RaysimMemoryRuns",
        "predict_linear(raysim_node_mem_used[30m], 3600) > raysim_node_mem_total",
        "10m",
        "warning",
        "A node's memory will be full within an hour, if it goes on as in the last half hour.",
    ),
    Alert(
        "RaysimWorkersEvicted",
        "increase(raysim_memory_manager_worker_eviction_total[10m]) > 0",
        "0m",
        "warning",
        "Workers of a node were ended because its memory ran out: `raysim list cluster-events` says which, and why.",
    ),
    Alert(
        "RaysimStoreFull",
        "raysim_object_store_used_memory / raysim_object_store_memory > 0.95",
        "5m",
        "warning",
        "An object store is full: objects are written to disk, and calls wait for room.",
    ),
    Alert(
        "RaysimCallsWait",
        'sum(raysim_queued_calls) > 0 unless on() sum(raysim_tasks{State="RUNNING"}) > 0',
        "10m",
        "warning",
        "Calls wait for resources and nothing runs: no node may ever have what they need.",
    ),
    Alert(
        "RaysimGone",
        'up{job="raysim"} == 0',
        "1m",
        "critical",
        "The head does not answer.",
    ),
)
