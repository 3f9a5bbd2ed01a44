"""Writes docs/metrics.md from the table of figures. Never explains one that is not in it.

python tools/metrics.py            write it
python tools/metrics.py --check    exit 1 if it is stale
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from raysim.scenario.expression import FUNCTIONS
from raysim.scenario.figures import FIGURES, SAMPLES, Metric
from tools.generated import write_or_check

DOCUMENT = Path(__file__).parent.parent / "docs" / "metrics.md"

HEAD = """# Metrics

<!-- Written by tools/metrics.py from raysim/scenario/figures.py. -->

What a run is measured by, by the same names everywhere: in `summary.json` and `raysim run --json`, in the lines under
`assert` of a scenario, as `--measure` of `raysim bench policies`, and in the report.

```yaml
assert:
  - p95(task_wait) < 500ms
  - makespan_s < 1.2 * lower_bound_s
  - fairness_jain > 0.9 and deadline_misses == 0
```

```console
$ raysim bench policies scenarios/shared-cluster.yaml --policy hybrid --policy spread --measure 'p99(slowdown)'
```

A figure that does not apply to a run is `null`, and an expectation that speaks of it does not hold: a Python program
has no critical path that is known beforehand, and real processes do not count their messages. Times are of the
workload: on real processes they are divided by `--time-scale`. Executions *count* where their results were used.
"""

OF_TASKS = """## With a value for each completed task

In expressions through FUNCTIONS; in `summary.json`, under
`samples`, with all of them and their count. Percentiles are by nearest rank.
"""


def document() -> str:
    functions = ", ".join(f"`{name}`" for name in FUNCTIONS)
    parts = [
        *(HEAD, "## With one value", "", *_table(FIGURES), ""),
        *(OF_TASKS.replace("FUNCTIONS", functions), *_table(SAMPLES)),
    ]
    return "\n".join(parts) + "\n"


def _table(metrics: Mapping[str, Metric]) -> Iterator[str]:
    yield "| name | unit | what it is | source |"
    yield "|---|---|---|---|"
    for name, metric in metrics.items():
        yield f"| `{name}` | {metric.unit} | {metric.meaning} | {metric.source} |"


if __name__ == "__main__":
    sys.exit(write_or_check(DOCUMENT, document(), sys.argv[1:]))
