"""`/metrics`, as Prometheus asks it. Never what there is: see metrics.

A question costs the cluster a summary of its tasks: ask every 15 s, or less often.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from raysim.dashboard.metrics import METRICS, Facts
from raysim.dashboard.routes import Route, guarded, in_thread, source_of
from raysim.dashboard.sources import Source
from raysim.util.state.options import (
    RAY_MAX_LIMIT_FROM_API_SERVER,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def facts_of(source: Source) -> Facts:
    with warnings.catch_warnings(record=True):
        tasks = source.summary(SummaryResource.TASKS, SummaryApiOptions())
        actors = source.summary(SummaryResource.ACTORS, SummaryApiOptions())
    everything = ListApiOptions(limit=RAY_MAX_LIMIT_FROM_API_SERVER)
    groups = source.page(StateResource.PLACEMENT_GROUPS, everything, 0, "").rows
    jobs = source.page(StateResource.JOBS, everything, 0, "").rows
    return Facts(
        source.nodes(),
        source.used(),
        tasks["cluster"]["summary"],
        actors["cluster"]["summary"],
        Counter(group.state for group in groups),
        Counter(job.status for job in jobs),
    )


def exposition(facts: Facts) -> str:
    """In the text format of Prometheus."""
    lines = []
    for metric in METRICS:
        lines.append(f"# HELP {metric.name} {_escaped(metric.what)}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for labels, value in metric.read(facts):
            assert set(labels) == set(metric.labels), f"{metric.name}: {sorted(labels)}"
            said = ",".join(f'{name}="{_quoted(labels[name])}"' for name in metric.labels)
            lines.append(f"{metric.name}{{{said}}} {value}" if said else f"{metric.name} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    """A label's value: a task's name may hold anything."""
    return _escaped(text).replace('"', '\\"')


async def metrics(request: Request) -> Response:
    text = await in_thread(lambda: exposition(facts_of(source_of(request))))
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


ROUTES: Final = (
    Route("GET", "/metrics", guarded(metrics), "Figures for Prometheus.", media_type="text/plain"),
)
