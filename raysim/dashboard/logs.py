"""`/api/v0/logs`: the names of log files, and what is in one. Never where they are: see util/state/logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from raysim.dashboard.routes import (
    BadRequestError,
    Parameter,
    Route,
    guarded,
    in_thread,
    one_of,
    reply,
    truth,
    whole,
)
from raysim.util.state.exception import RayStateApiException
from raysim.util.state.logs import FOLLOW_INTERVAL, LogReader, find_log, list_logs, shown
from raysim.util.state.options import DEFAULT_LOG_LIMIT, DEFAULT_RPC_TIMEOUT, GetLogOptions


async def names(request: Request) -> Response:
    asked = request.query_params
    if not (asked.get("node_id") or asked.get("node_ip")):
        raise BadRequestError("Give node_id or node_ip: log files are of a node.")
    found = await in_thread(
        list_logs,
        node_id=asked.get("node_id"),
        node_ip=asked.get("node_ip"),
        glob_filter=asked.get("glob"),
        timeout=whole(request, "timeout", DEFAULT_RPC_TIMEOUT, least=1),
    )
    return reply({"result": found})


async def content(request: Request) -> Response:
    """The last lines of a file; of a stream, also what is added to it until the client goes."""
    media_type = request.path_params["media_type"]
    if media_type not in ("file", "stream"):
        raise BadRequestError(f"There is no /api/v0/logs/{media_type}: it is file or stream.")
    options = _options(request)
    log = await in_thread(find_log, options)
    reader = LogReader(log)
    first = await in_thread(next, there := reader.last(options.lines), b"")
    clean = truth(request, "filter_ansi_code", False)

    async def parts() -> AsyncIterator[bytes]:
        yield shown(first, clean)
        more = there
        while True:
            try:
                while part := await in_thread(next, more, b""):
                    yield shown(part, clean)
            except RayStateApiException as error:
                yield f"\n{error}\n".encode()  # The answer has begun: this is the one place left to say it.
                return
            if media_type == "file" or await request.is_disconnected():
                return
            await anyio.sleep(FOLLOW_INTERVAL)
            more = reader.added()

    return StreamingResponse(parts(), media_type="text/plain; charset=utf-8")


def _options(request: Request) -> GetLogOptions:
    """Raises BadRequestError, ValueError for what names no log."""
    asked = request.query_params
    return GetLogOptions(
        timeout=whole(request, "timeout", DEFAULT_RPC_TIMEOUT, least=1),
        node_id=asked.get("node_id"),
        node_ip=asked.get("node_ip"),
        filename=asked.get("filename"),
        actor_id=asked.get("actor_id"),
        task_id=asked.get("task_id"),
        submission_id=asked.get("submission_id"),
        attempt_number=whole(request, "attempt_number", 0),
        pid=whole(request, "pid", 0) or None,
        lines=whole(request, "lines", DEFAULT_LOG_LIMIT, least=-1),
        suffix=one_of(request, "suffix", ("out", "err"), "out"),
    )


_WHOSE: Final = (
    Parameter("node_id", "Of the node that has the file."),
    Parameter("node_ip", "Instead of its id."),
    Parameter("filename", "As `/api/v0/logs` names it."),
    Parameter("actor_id", "The worker that is this actor."),
    Parameter("task_id", "The worker that ran this task."),
    Parameter("attempt_number", "Of the task.", "integer"),
    Parameter("pid", "The worker with this pid.", "integer"),
    Parameter("submission_id", "The job that was submitted."),
    Parameter("lines", f"The last ones; -1: all. Default {DEFAULT_LOG_LIMIT}.", "integer"),
    Parameter("suffix", "`out` or `err`."),
    Parameter("filter_ansi_code", "Without colours.", "boolean"),
    Parameter("timeout", "Seconds until the question is given up.", "integer"),
)

ROUTES: Final = (
    Route(
        "GET",
        "/api/v0/logs",
        guarded(names),
        "Names of a node's log files, by kind.",
        (
            Parameter("node_id", "Of the node."),
            Parameter("node_ip", "Instead of its id."),
            Parameter("glob", "Which names: worker*.out."),
            Parameter("timeout", "Seconds until the question is given up.", "integer"),
        ),
        {"type": "object"},
    ),
    Route(
        "GET",
        "/api/v0/logs/{media_type}",
        guarded(content),
        "What is in a log: `file` is what is there, `stream` goes on with what is added.",
        _WHOSE,
        media_type="text/plain",
    ),
)
