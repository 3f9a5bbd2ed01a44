"""The application: the tables of routes, the pages, the token before all of them. Never an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as Served
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from raysim.dashboard import auth, cluster, explaining, jobs, logs, pictures, prometheus, state
from raysim.dashboard.openapi import description
from raysim.dashboard.routes import Handler, Route
from raysim.dashboard.sources import Source
from raysim.report.page import asset, style, timeline

TABLES: Final[tuple[Sequence[Route], ...]] = (
    *(state.ROUTES, logs.ROUTES, cluster.ROUTES),
    *(pictures.ROUTES, prometheus.ROUTES, jobs.ROUTES, explaining.ROUTES),
)
"""Of the modules that answer: one that is named here is served, and described."""

STATIC: Final = Path(str(files("raysim.dashboard") / "static"))


def all_routes() -> list[Route]:
    return [route for table in TABLES for route in table]


def make_app(source: Source, token: bytes, names: tuple[str, ...] | None = ()) -> ASGIApp:
    """`names`: of this machine, besides its own: what a request's `Host` may say. None: anything."""
    routes = all_routes()
    described = description(routes)

    async def openapi(_: Request) -> Response:
        return JSONResponse(described)

    async def log_in(request: Request) -> Response:
        return await auth.login(request, token)

    async def log_out(_: Request) -> Response:
        return auth.logout()

    app = Starlette(
        routes=[
            *(Served(one.path, one.handler, methods=[one.method]) for one in routes),
            Served("/api/v0/openapi.json", openapi),
            Served("/login", _page("login.html")),
            Served("/login", log_in, methods=["POST"]),
            Served("/logout", log_out, methods=["POST"]),
            Served("/", _page("index.html")),
            Served("/static/theme.css", _text(style(), "text/css")),
            Served("/static/timeline.js", _text(asset("page.js"), "text/javascript")),
            Served("/static/timeline.html", _text(timeline("", "", 140), "text/html")),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )
    app.state.source = source
    return auth.Guard(app, token, names)


def _text(content: str, media_type: str) -> Handler:
    """What the dashboard shares with the reports."""

    async def text(_: Request) -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return text


def _page(name: str) -> Handler:
    async def page(_: Request) -> Response:
        return FileResponse(STATIC / name)

    return page
