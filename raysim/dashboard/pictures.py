"""What the pages are drawn from: overview, figures over time, timeline, tasks as they go. Never draws anything."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from raysim.dashboard.routes import (
    Parameter,
    Route,
    guarded,
    in_thread,
    problem,
    reply,
    source_of,
    whole,
)
from raysim.dashboard.sources import Source
from raysim.dashboard.state import filters_of, listed, summarized
from raysim.exceptions import RayError
from raysim.spec.sample import Sample
from raysim.util.state.exception import RayStateApiException
from raysim.util.state.options import (
    Filter,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)

FRESH_S: Final = 1.0
"""Whoever asks the same within this time has the same answer: ten viewers cost a cluster as much as one."""

NEWEST: Final = 12
"""Rows of a list on the overview."""

POINTS: Final = 600
"""Of a curve: more than that no screen shows."""

_FAILED: Final[Filter] = ("state", "=", "FAILED")
_EVENTS: Final[Filter] = ("severity", "!=", "INFO")

_kept: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}


async def shared(key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
    """The answer to a question; asked once where several ask it at the same time, or shortly after."""
    now = time.monotonic()
    for old in [one for one, (when, _) in _kept.items() if now - when > FRESH_S]:
        del _kept[old]
    if key not in _kept:
        _kept[key] = now, asyncio.ensure_future(make())
    return await asyncio.shield(_kept[key][1])


async def overview(request: Request) -> Response:
    source = source_of(request)
    key = ("overview", request.query_params.get("at"))
    return reply(await shared(key, lambda: in_thread(_overview, source)))


def _overview(source: Source) -> dict[str, Any]:
    """Failing tasks come first: they are why one looks."""
    nodes = source.nodes()
    return {
        "about": source.about(),
        "nodes": nodes,
        "resources": source.used(),
        "failed": _rows(source, StateResource.TASKS, "-end_time_ms", [_FAILED]),
        "progress": summarized(source, SummaryResource.TASKS, SummaryApiOptions()),
        "actors": summarized(source, SummaryResource.ACTORS, SummaryApiOptions()),
        "jobs": _rows(source, StateResource.JOBS, "-start_time", []),
        "events": _rows(source, StateResource.CLUSTER_EVENTS, "-time", [_EVENTS]),
    }


def _rows(
    source: Source, resource: StateResource, order: str, filters: list[Filter]
) -> dict[str, Any]:
    options = ListApiOptions(limit=NEWEST, detail=True, filters=filters)
    return listed(source, resource, options, 0, order)


async def tasks_live(request: Request) -> Response:
    """Server-sent events: progress by name and the newest tasks that pass the filters, once a second."""
    source, filters = source_of(request), filters_of(request)
    limit = whole(request, "limit", 50)

    def look() -> dict[str, Any]:
        options = ListApiOptions(limit=limit, filters=filters, detail=True)
        return {
            "progress": summarized(source, SummaryResource.TASKS, SummaryApiOptions()),
            "tasks": listed(source, StateResource.TASKS, options, 0, "-creation_time_ms"),
        }

    async def events() -> AsyncIterator[str]:
        last = ""
        key = ("tasks", limit, tuple(filters))
        while not await request.is_disconnected():
            try:
                said = json.dumps(await shared(key, lambda: in_thread(look)))
            except (RayStateApiException, RayError, ConnectionError) as error:
                yield f"event: problem\ndata: {bytes(problem(error).body).decode()}\n\n"
                return
            yield ": the same\n\n" if said == last else f"data: {said}\n\n"
            last = said
            await asyncio.sleep(FRESH_S)

    return StreamingResponse(events(), media_type="text/event-stream")


async def history(request: Request) -> Response:
    """Columns, as curves are drawn from them; the latest hours, in at most `POINTS` points."""
    seconds = whole(request, "seconds", 3600, least=1)
    found = await shared(
        ("samples", seconds), lambda: in_thread(source_of(request).samples, seconds)
    )
    names = {
        node["node_id"]: node["hostname"] for node in await in_thread(source_of(request).nodes)
    }
    nodes = [
        {"node_id": node_id, "name": names.get(node_id, node_id[:8]), **columns(samples, seconds)}
        for node_id, samples in found.items()
    ]
    return reply({"nodes": nodes})


def columns(samples: list[Sample], seconds: int) -> dict[str, list[Any]]:
    """Of the samples of the last so many seconds, every nth one; the last one always."""
    newest = samples[-1].time_ms if samples else 0
    found = [one for one in samples if one.time_ms > newest - seconds * 1000]
    every = -(-len(found) // POINTS) or 1
    found = found[(len(found) - 1) % every :: every]
    return {name: [getattr(one, name) for one in found] for name in Sample.__struct_fields__}


async def chart(request: Request) -> Response:
    source = source_of(request)
    return reply(await shared("chart", lambda: in_thread(source.chart)))


ROUTES: Final = (
    Route(
        "GET",
        "/api/overview",
        guarded(overview),
        "What is there, what of it is used, what failed lately.",
        answer={"type": "object"},
    ),
    Route(
        "GET",
        "/api/tasks/live",
        guarded(tasks_live),
        "Progress by name and the newest tasks, once a second, as server-sent events.",
        (
            Parameter("filter_keys", "As of /api/v0/tasks.", repeated=True),
            Parameter("filter_predicates", "As of /api/v0/tasks.", repeated=True),
            Parameter("filter_values", "As of /api/v0/tasks.", repeated=True),
            Parameter("limit", "Tasks at most.", "integer"),
        ),
        media_type="text/event-stream",
    ),
    Route(
        "GET",
        "/api/history",
        guarded(history),
        "What each node noted of itself, as columns.",
        (Parameter("seconds", "How far back; default an hour.", "integer"),),
        {"type": "object"},
    ),
    Route(
        "GET",
        "/api/chart",
        guarded(chart),
        "What the timeline is drawn from.",
        answer={"type": "object"},
    ),
)
