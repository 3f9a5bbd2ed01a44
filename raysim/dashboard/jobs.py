"""`/api/jobs/` and `/api/packages/`: jobs by HTTP, for our client and Ray's. Never runs one: see raysim.jobs.

A log is followed by asking for what comes after a byte, again and again: no connection stays open.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from raysim.api.packages import LARGEST_BYTES
from raysim.api.session import connected
from raysim.dashboard.routes import (
    BadRequestError,
    Handler,
    Parameter,
    Route,
    guarded,
    in_thread,
    reply,
    whole,
)
from raysim.job_submission.asked import NEXT, Asked
from raysim.jobs import manager
from raysim.spec.runtime_env import PACKAGE_SCHEME

_MOST_BYTES: Final = 1 << 20
"""Of what is said of a job."""

_PACKAGE: Final = re.compile(r"_ray_pkg_[0-9a-f]{16,64}\.[a-z0-9.]{1,16}")


def _answered(handler: Handler) -> Handler:
    """What the manager refuses is no bug."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except manager.UnknownJobError as error:
            return reply(None, str(error), 404)
        except TypeError as error:
            raise BadRequestError(str(error)) from error
        except manager.RefusedError as error:
            return reply(None, str(error), 409)

    return guarded(handle)


async def _body(request: Request, most: int) -> bytes:
    said = bytearray()
    async for part in request.stream():
        said += part
        if len(said) > most:
            raise BadRequestError(f"More than {most} bytes are sent.")
    return bytes(said)


async def submit(request: Request) -> Response:
    try:
        asked = msgspec.json.decode(await _body(request, _MOST_BYTES), type=Asked)
    except msgspec.DecodeError as error:
        raise BadRequestError(f"This is no job: {error}") from error
    job_id = await in_thread(manager.submit, asked.submission())
    return JSONResponse({"job_id": job_id, "submission_id": job_id})


async def jobs(_: Request) -> Response:
    return JSONResponse(await in_thread(manager.jobs))


def _of_job(answer: Callable[[str], Any]) -> Handler:
    async def handle(request: Request) -> Response:
        return JSONResponse(await in_thread(answer, request.path_params["job_id"]))

    return _answered(handle)


def _whole_log(job_id: str) -> dict[str, str]:
    data, offset = b"", 0
    while True:
        more, offset = manager.log(job_id, offset)
        if not more:
            return {"logs": data.decode(errors="replace")}
        data += more


async def tail(request: Request) -> Response:
    offset = whole(request, "offset", 0)
    data, after = await in_thread(manager.log, request.path_params["job_id"], offset)
    return Response(data, media_type="application/octet-stream", headers={NEXT: str(after)})


async def upload(request: Request) -> Response:
    name = request.path_params["name"]
    if not _PACKAGE.fullmatch(name):
        raise BadRequestError(f"{name!r} is no name of a package.")
    data = await _body(request, LARGEST_BYTES)
    if not data:
        raise BadRequestError("The package is empty.")
    await in_thread(lambda: connected().prepare("", {f"{PACKAGE_SCHEME}{name}": data}))
    return JSONResponse({})


_OBJECT: Final = {"type": "object"}
_STRING: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_SUBMITTED: Final = {
    "type": "object",
    "required": ["entrypoint"],
    "properties": {
        "entrypoint": _STRING,
        "submission_id": _STRING,
        "runtime_env": _OBJECT,
        "metadata": _OBJECT,
        "entrypoint_num_cpus": _NUMBER,
        "entrypoint_num_gpus": _NUMBER,
        "entrypoint_memory": {"type": "integer"},
        "entrypoint_resources": _OBJECT,
        "entrypoint_label_selector": _OBJECT,
    },
}

ROUTES: Final = (
    Route(
        "GET",
        "/api/jobs/",
        _answered(jobs),
        "Jobs, and programs that were started by hand.",
        answer={"type": "array", "items": _OBJECT},
    ),
    Route(
        "POST", "/api/jobs/", _answered(submit), "Hand over a job.", answer=_OBJECT, body=_SUBMITTED
    ),
    Route(
        "GET", "/api/jobs/{job_id}", _of_job(manager.job), "What is known of a job.", answer=_OBJECT
    ),
    Route(
        "DELETE",
        "/api/jobs/{job_id}",
        _of_job(lambda job_id: {"deleted": manager.delete(job_id)}),
        "Forget one that has ended.",
        answer=_OBJECT,
    ),
    Route(
        "POST",
        "/api/jobs/{job_id}/stop",
        _of_job(lambda job_id: {"stopped": manager.stop(job_id)}),
        "End it; whether it ran.",
        answer=_OBJECT,
    ),
    Route(
        "GET",
        "/api/jobs/{job_id}/logs",
        _of_job(_whole_log),
        "What it has printed.",
        answer=_OBJECT,
    ),
    Route(
        "GET",
        "/api/jobs/{job_id}/logs/after",
        _answered(tail),
        f"What it has printed from a byte on; the header {NEXT} says where that ends.",
        (Parameter("offset", "The byte. Default 0.", "integer"),),
        media_type="application/octet-stream",
    ),
    Route(
        "PUT",
        "/api/packages/gcs/{name}",
        _answered(upload),
        "Bring a package of a working directory or of modules.",
        answer=_OBJECT,
    ),
)
