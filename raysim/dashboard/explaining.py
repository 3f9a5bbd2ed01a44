"""`/api/v0/explain/ID`: why a thing waits, failed or was lost. Never who knows it: see sources."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from raysim.dashboard.routes import Route, guarded, in_thread, reply, source_of


async def explain(request: Request) -> Response:
    found = await in_thread(source_of(request).explain, request.path_params["identity"])
    return reply({"explanation": msgspec.to_builtins(found), "text": str(found)})


_DATA: Final = {
    "explanation": {"type": "object"},
    "text": {"type": "string"},
}

ROUTES: Final = (
    Route(
        "GET",
        "/api/v0/explain/{identity}",
        guarded(explain),
        "Why a task, object, actor, placement group, node, worker or job waits, failed or was lost.",
        answer={
            "type": "object",
            "properties": {
                "result": {"type": "boolean"},
                "msg": {"type": "string"},
                "data": {"type": "object", "properties": _DATA},
            },
        },
    ),
)
