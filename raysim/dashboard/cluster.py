"""The cluster as a whole: `/nodes`, `/timeline`, `/api/version`, `/api/cluster_status`. Never rows: see state."""

from __future__ import annotations

import platform
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import raysim
from raysim.dashboard.routes import Parameter, Route, guarded, in_thread, one_of, reply, source_of
from raysim.util.state.client import connected

RAY_VERSION: Final = "2.60.0"
"""Whose API this is like."""


async def version(_: Request) -> Response:
    context = await in_thread(lambda: connected(None).context_info())
    return JSONResponse(
        {
            "version": raysim.__version__,
            "ray_version": RAY_VERSION,
            "ray_commit": "",
            "python_version": platform.python_version(),
            "session_name": context.session_name,
        }
    )


async def about(request: Request) -> Response:
    return reply({**await in_thread(source_of(request).about), "version": raysim.__version__})


async def nodes(request: Request) -> Response:
    view = one_of(request, "view", ("summary", "hostNameList"), "summary")
    found = await in_thread(source_of(request).nodes)
    if view == "hostNameList":
        return reply({"hostNameList": [node["hostname"] for node in found if node["alive"]]})
    return reply({"summary": found})


async def cluster_status(request: Request) -> Response:
    return reply({"resources": await in_thread(source_of(request).used)})


async def timeline(request: Request) -> Response:
    name = {"Content-Disposition": 'attachment; filename="timeline.json"'}
    asked = request.query_params.get("download") == "1"
    trace = await in_thread(source_of(request).trace)
    return Response(trace, media_type="application/json", headers=name if asked else {})


ROUTES: Final = (
    Route(
        "GET",
        "/api/about",
        guarded(about),
        "What is looked at: a cluster, or a run that is over.",
        answer={"type": "object"},
    ),
    Route("GET", "/api/version", guarded(version), "Versions.", answer={"type": "object"}),
    Route(
        "GET",
        "/nodes",
        guarded(nodes),
        "The nodes, with what is used of them.",
        (Parameter("view", "`summary`, or `hostNameList`."),),
        {"type": "object"},
    ),
    Route(
        "GET",
        "/api/cluster_status",
        guarded(cluster_status),
        "What the cluster has, and what of it is used.",
        answer={"type": "object"},
    ),
    Route(
        "GET",
        "/timeline",
        guarded(timeline),
        "What ran when and where, as events that Perfetto shows.",
        (Parameter("download", "1: as a file."),),
        {"type": "array", "items": {"type": "object"}},
    ),
)
