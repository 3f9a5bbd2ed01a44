"""Who may ask: whoever has the cluster's token. Never where the token stands: see services.

A program says it in the header `Authorization: Bearer TOKEN` (Ray: `X-Ray-Authorization`, too). A browser sends it
once, by the form of `login.html` or as the `#token=` of a link, which no server and no log sees, and has a cookie from
then on: a digest of the token, for this site alone.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "raysim_dashboard"

OPEN: Final = ("/login", "/logout", "/static/")
"""What anybody may have: the form, and what the pages are made of."""

MOST_LOGIN_BYTES: Final = 4096

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # With `no-referrer` a form of ours would come with `Origin: null`.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE: Final = ("GET", "HEAD")


class Guard:
    """Stands before the application: nothing of a request without the token reaches it."""

    def __init__(self, app: ASGIApp, token: bytes, names: tuple[str, ...] | None = ()) -> None:
        """`names`: under which this machine may be asked, besides its addresses and its own; None: under any, as
        browsers ask over TLS only under those of its certificate."""
        self._app = app
        self._token = token
        self._cookie = cookie_of(token)
        self._any_name = names is None
        own = ("localhost", socket.gethostname())
        self._names = {name.lower() for name in (*own, *(names or ()))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # No websockets here.

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, with_headers)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._any_name and not self._is_name_of_ours(headers.get("host", "")):
            return PlainTextResponse(
                "This is no name of this machine. Ask its address, or localhost.", 421
            )
        if _has_token(headers, self._token):
            return None
        path: str = scope["path"]
        ours = _same_site(scope, headers)
        if scope["method"] not in _SAFE and not ours:
            return PlainTextResponse("Another site's page asked for this.", 403)
        if path.startswith(OPEN):
            return None
        if _same(_cookies(headers).get(COOKIE, ""), self._cookie):
            return None
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            return RedirectResponse("/login", 303)
        return JSONResponse(
            {
                "result": False,
                "msg": "The cluster's token is missing or wrong. Send it as `Authorization: Bearer TOKEN`.",
                "data": {},
            },
            401,
            {"WWW-Authenticate": "Bearer"},
        )

    def _is_name_of_ours(self, host: str) -> bool:
        """What a foreign site's name may be made to lead to: not an address, nor these names."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name.lower() in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


async def login(request: Request, token: bytes) -> Response:
    """The cookie, for the token; the form's answer goes back to the pages."""
    said = bytearray()
    async for part in request.stream():
        said += part
        if len(said) > MOST_LOGIN_BYTES:
            return PlainTextResponse("That is no token.", 413)
    given = parse_qs(said.decode(errors="replace")).get("token", [""])[0].strip()
    if not _same(given, token.decode(errors="replace")):
        return RedirectResponse("/login?wrong", 303)
    response = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, cookie_of(token), httponly=True, samesite="strict", secure=secure, path="/"
    )
    return response


def logout() -> Response:
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response


def cookie_of(token: bytes) -> str:
    """What proves the token and does not tell it."""
    return hmac.new(token, b"raysim dashboard cookie", hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _has_token(headers: Headers, token: bytes) -> bool:
    for name in ("authorization", "x-ray-authorization"):
        scheme, _, given = headers.get(name, "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token):
            return True
    return False


def _cookies(headers: Headers) -> dict[str, str]:
    return cookie_parser(headers.get("cookie", ""))


def _same_site(scope: Scope, headers: Headers) -> bool:
    """Whether one of our pages asks, or no page at all. A browser names the page's site."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    return origin == f"{scope['scheme']}://{headers.get('host', '')}"
