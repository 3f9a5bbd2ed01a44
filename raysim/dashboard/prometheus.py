"""`/metrics`, as Prometheus asks it. Never what there is: see metrics, and user_metrics for what programs count.

A question costs the cluster a summary of its tasks: ask every 15 s, or less often.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from raysim.dashboard import user_metrics
from raysim.dashboard.metrics import METRICS, Facts
from raysim.dashboard.routes import Route, guarded, in_thread, source_of
from raysim.dashboard.sources import Source
from raysim.dashboard.user_metrics import escaped, line
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
        lines.append(f"# HELP {metric.name} {escaped(metric.what)}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for labels, value in metric.read(facts):
            assert set(labels) == set(metric.labels), f"{metric.name}: {sorted(labels)}"
            lines.append(line(metric.name, {one: labels[one] for one in metric.labels}, value))
    return "\n".join(lines) + "\n"


async def metrics(request: Request) -> Response:
    source = source_of(request)
    ours = await in_thread(lambda: exposition(facts_of(source)))
    programs = await in_thread(lambda: user_metrics.exposition(source.measured()))
    return Response(ours + programs, headers={"Content-Type": CONTENT_TYPE})


ROUTES: Final = (
    Route("GET", "/metrics", guarded(metrics), "Figures for Prometheus.", media_type="text/plain"),
)
