"""Writes docs/prometheus.md, the Grafana dashboard and the alert rules from the table of metrics. Never a metric.

python tools/prometheus.py            write them
python tools/prometheus.py --check    exit 1 if one is stale
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from raysim.dashboard.metrics import ALERTS, METRICS, Metric
from tools.generated import write_or_check

DOCS = Path(__file__).parent.parent / "docs"

HEAD = """# Prometheus and Grafana

<!-- Written by tools/prometheus.py from raysim/dashboard/metrics.py. -->

The dashboard of a head answers `/metrics`, behind the cluster's token like everything else:

```yaml
scrape_configs:
  - job_name: raysim
    scrape_interval: 15s
    authorization: {credentials_file: auth_token}  # a copy of ~/.raysim/auth_token
    static_configs: [{targets: ["127.0.0.1:8265"]}]
    scheme: https                                  # of a head with TLS; without it leave these two out
    tls_config: {ca_file: ca.pem}                  # with --dashboard-client-certs also cert_file and key_file
```

Names are Ray's with `raysim_` in front where Ray has the same. What a node notes of itself is at most ten seconds old.
[`grafana.json`](grafana.json) is a dashboard to import, [`alerts.yaml`](alerts.yaml) are rules to load: both are made
of this table.

What programs count with `raysim.util.metrics` is there, too, under Ray's names (`ray_NAME`, `ray_NAME_total` of a
counter), with `Component`, `JobId`, `NodeAddress` and the metric's own tags. A counter or histogram is the sum over all
processes of a job on a node, those that have ended included, so that it never falls; a gauge is of each process by
itself (`WorkerId`), and gone with it. Processes are asked when `/metrics` is. One that ends says what it has counted;
of one that was killed the last answer counts, as long as somebody asks at least every five minutes, and what it counted
after that is lost. Of ended processes 20,000 numbers are kept, those that grew last. A GCS that starts again begins
with those of the processes that live, which Prometheus takes for the restart of a counter.
"""


def document() -> str:
    lines = [HEAD, "## What there is", "", "| metric | labels | what | Ray |", "|---|---|---|---|"]
    for one in METRICS:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        ray = f"`{one.ray}`" if one.ray else ""
        lines.append(f"| `{one.name}` ({one.kind}) | {labels} | {one.what} | {ray} |")
    lines += ["", "## Alerts", "", "| alert | severity | what | when |", "|---|---|---|---|"]
    for alert in ALERTS:
        held = f"`{alert.expression}`" + (f", for {alert.lasting}" if alert.lasting != "0m" else "")
        lines.append(f"| `{alert.name}` | {alert.severity} | {alert.what} | {held} |")
    return "\n".join(lines) + "\n"


def alerts() -> str:
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.lasting,
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.what},
        }
        for alert in ALERTS
    ]
    head = "# Written by tools/prometheus.py from raysim/dashboard/metrics.py.\n"
    groups = {"groups": [{"name": "raysim", "rules": rules}]}
    return head + yaml.safe_dump(groups, sort_keys=False, width=110)


def grafana() -> str:
    panels = [_panel(number, one) for number, one in enumerate(METRICS)]
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}
    dashboard = {
        "title": "raysim",
        "uid": "raysim",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }
    return json.dumps(dashboard, indent=1) + "\n"


def _panel(number: int, metric: Metric) -> dict[str, Any]:
    expression = metric.name
    if metric.kind == "counter":
        expression = f"rate({metric.name}[5m])"
    legend = " ".join(
        f"{{{{{label}}}}}" for label in metric.labels if label not in ("NodeId", "ip")
    )
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": metric.what.partition(".")[0].partition(":")[0],
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        "fieldConfig": {"defaults": {"unit": _unit(metric), "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "expr": expression, "legendFormat": legend or metric.name}],
    }


def _unit(metric: Metric) -> str:
    return "Bps" if metric.kind == "counter" and metric.unit == "bytes" else metric.unit


def main() -> int:
    made = {"prometheus.md": document(), "alerts.yaml": alerts(), "grafana.json": grafana()}
    return max(write_or_check(DOCS / name, text, sys.argv) for name, text in made.items())


if __name__ == "__main__":
    sys.exit(main())
