"""docs/prometheus.md, the Grafana dashboard and the alert rules tell the truth of today."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("starlette")

from raysim.dashboard.metrics import ALERTS, METRICS


def test_the_documents_are_fresh(repository: Path) -> None:
    command = [sys.executable, "tools/prometheus.py", "--check"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_names_are_prometheus_s_and_counters_end_in_total() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"raysim_[a-z_]+", metric.name)
        assert metric.kind == "gauge" or metric.name.endswith("_total")
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_alerts_speak_of_metrics_that_there_are() -> None:
    known = {metric.name for metric in METRICS}
    for alert in ALERTS:
        assert set(re.findall(r"raysim_\w+", alert.expression)) <= known
