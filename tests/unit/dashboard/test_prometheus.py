"""What Prometheus reads: the text format, whatever a task is called."""

from collections import Counter
from typing import Any

from raysim.dashboard.metrics import METRICS, Facts
from raysim.dashboard.prometheus import exposition

SAMPLE: dict[str, Any] = {
    "cpu": 0.25,
    "memory_used": 10,
    "memory_total": 40,
    "store_used": 1,
    "store_capacity": 2,
    "objects": 3,
    "on_disk": 4,
    "spilled": 5,
    "restored": 6,
    "pulled": 7,
    "workers": 8,
    "queued": 9,
    "received": 10,
    "sent": 11,
    "evicted": 12,
}


def node(name: str, alive: bool, sample: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "node_id": name * 2,
        "hostname": name,
        "ip": "127.0.0.1",
        "alive": alive,
        "sample": sample,
        "memory_trend": 1.5 if sample else None,
    }


def facts(name: str = "f") -> Facts:
    return Facts(
        nodes=[node("a", True, SAMPLE), node("b", False, SAMPLE), node("c", True, None)],
        used={"CPU": {"used": 1.5, "total": 4.0}},
        tasks={name: {"state_counts": {"FINISHED": 3, "FAILED": 1}}},
        actors={"C": {"state_counts": {"ALIVE": 2}}},
        groups=Counter(CREATED=1),
        jobs=Counter(RUNNING=1),
    )


def lines(found: Facts) -> list[str]:
    return exposition(found).splitlines()


def test_each_metric_has_its_help_and_its_type() -> None:
    said = lines(facts())
    for metric in METRICS:
        at = said.index(f"# TYPE {metric.name} {metric.kind}")
        assert said[at - 1] == f"# HELP {metric.name} {metric.what}"


def test_figures_have_their_labels() -> None:
    said = lines(facts())
    assert 'raysim_tasks{Name="f",State="FAILED"} 1' in said
    assert 'raysim_resources{Name="CPU",State="AVAILABLE"} 2.5' in said
    assert 'raysim_node_cpu_utilization{NodeId="aa",NodeName="a",ip="127.0.0.1"} 0.25' in said
    assert "raysim_cluster_active_nodes 2" in said
    assert "raysim_cluster_failed_nodes 1" in said


def test_a_node_that_is_gone_or_has_noted_nothing_has_no_figures() -> None:
    assert not [line for line in lines(facts()) if 'NodeName="b"' in line or 'NodeName="c"' in line]


def test_a_name_cannot_end_its_label() -> None:
    said = lines(facts('f"} 1\nraysim_tasks{Name="\\'))
    assert 'raysim_tasks{Name="f\\"} 1\\nraysim_tasks{Name=\\"\\\\",State="FAILED"} 1' in said
    assert len([line for line in said if line.startswith("raysim_tasks{")]) == 2
