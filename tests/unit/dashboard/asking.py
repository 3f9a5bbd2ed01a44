"""Requests to an ASGI application in this process, as a browser or a program makes them. No socket, no thread."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: ASGIApp,
    path: str,
    method: str = "GET",
    body: bytes = b"",
    *,
    scheme: str = "http",
    **headers: str,
) -> Answer:
    """Header names with `_` for `-`. `host` is 127.0.0.1 unless it is given."""
    asked = urlsplit(path)
    named = {"host": "127.0.0.1", **{name.replace("_", "-"): v for name, v in headers.items()}}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": asked.path,
        "raw_path": asked.path.encode(),
        "query_string": asked.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8265),
    }
    said: list[Message] = []

    sent: list[bool] = []

    async def receive() -> Message:
        if sent:
            await asyncio.Event().wait()  # The client stays, and says no more.
        sent.append(True)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    asyncio.run(app(scope, receive, send))
    start = said[0]
    return Answer(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in said[1:]),
    )
