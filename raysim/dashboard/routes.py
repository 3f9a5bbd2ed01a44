"""What an HTTP route is: its path, what it takes, who answers. Never an answer: see state, logs, cluster.

A module that answers has a table `ROUTES`; `app.TABLES` names the modules. The description of the API is made of the
same tables (openapi.py).
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from raysim.dashboard.sources import BadMomentError, Source
from raysim.exceptions import LocalRayletDiedError, RayError
from raysim.util.state.exception import RayStateApiException, ServerUnavailable

AT_ONCE: Final = 8
"""Questions that threads ask at the same time: each waits for processes of the cluster, and costs them time."""

Handler = Callable[[Request], Awaitable[Response]]
Method = Literal["GET", "POST", "PUT", "DELETE"]
T = TypeVar("T")


@dataclass(frozen=True)
class Parameter:
    """Of the query. `repeated`: may be given several times."""

    name: str
    what: str
    kind: Literal["string", "integer", "number", "boolean"] = "string"
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True)
class Route:
    """`answer`: JSON Schema of what a good answer says; None for one that is not JSON."""

    method: Method
    path: str
    """As Starlette has it: `/api/v0/logs/{media_type}`."""
    handler: Handler
    what: str
    """One line, for the description of the API."""
    parameters: tuple[Parameter, ...] = ()
    answer: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    """JSON Schema of what is sent; None for nothing, or for what is not JSON."""
    media_type: str = "application/json"


class BadRequestError(Exception):
    """What was asked makes no sense; said to whoever asked."""


async def in_thread(ask: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """The answer of a function that waits for the cluster. Not more than `AT_ONCE` of them run."""
    return await anyio.to_thread.run_sync(
        functools.partial(ask, *arguments, **named), limiter=_limiter()
    )


@functools.cache
def _limiter() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(AT_ONCE)


def reply(data: Mapping[str, Any] | None, message: str = "", status: int = 200) -> JSONResponse:
    """In the envelope of Ray's dashboard."""
    return JSONResponse(
        {"result": status < 400, "msg": message, "data": dict(data or {})}, status_code=status
    )


def problem(error: Exception) -> JSONResponse:
    """What went wrong, in the same envelope. Raises what is a bug of ours."""
    match error:
        case LocalRayletDiedError():
            return reply(None, "The head's node is gone, and its dashboard ends.", 503)
        case ServerUnavailable() | RayError() | ConnectionError():
            return reply(None, str(error), 503)
        case RayStateApiException() | BadRequestError() | BadMomentError() | ValueError():
            return reply(None, str(error), 400)
        case FileNotFoundError():
            return reply(None, str(error), 404)
        case _:
            raise error


def guarded(handler: Handler) -> Handler:
    """The handler, whose errors are answers."""

    @functools.wraps(handler)
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except (
            BadRequestError,
            BadMomentError,
            RayStateApiException,
            RayError,
            ConnectionError,
            ValueError,
            FileNotFoundError,
        ) as error:
            return problem(error)

    return handle


# --- what a query says ---


def source_of(request: Request) -> Source:
    """What is looked at; of a run that is over, at the moment that `at` says, in seconds."""
    source: Source = request.app.state.source
    at = request.query_params.get("at")
    if at is None:
        return source
    try:
        return source.at(float(at))
    except ValueError:
        raise BadRequestError(f"at={at} is no number of seconds.") from None


def whole(request: Request, name: str, otherwise: int, least: int = 0) -> int:
    """A whole number of the query. Raises BadRequestError."""
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    try:
        number = int(text)
    except ValueError:
        raise BadRequestError(f"{name}={text} is no whole number.") from None
    if number < least:
        raise BadRequestError(f"{name}={text} is less than {least}.")
    return number


def truth(request: Request, name: str, otherwise: bool) -> bool:
    """A yes or no of the query. Raises BadRequestError."""
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise BadRequestError(f"{name}={text} is neither true nor false.")


def one_of(request: Request, name: str, words: tuple[str, ...], otherwise: str) -> str:
    """A word of the query. Raises BadRequestError."""
    word = request.query_params.get(name, otherwise)
    if word not in words:
        raise BadRequestError(f"{name}={word} is none of {', '.join(words)}.")
    return word
