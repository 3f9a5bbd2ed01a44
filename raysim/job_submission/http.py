"""The way of a client's requests by HTTP, to the dashboard of a head, with the cluster's token. Never what is asked."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http.client import RemoteDisconnected
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

import msgspec

from raysim.api.init_options import DEFAULT_BACKEND
from raysim.job_submission.asked import NEXT, asked_for
from raysim.job_submission.ways import Row
from raysim.services import Services, load_services
from raysim.spec.runtime_env import PACKAGE_SCHEME
from raysim.spec.submission import Submission

_ANSWER_S: Final = 60.0
_HERE: Final = ("localhost", "127.0.0.1", "::1")


class Web:
    """As `raysim.job_submission.ways.Way`. `verify`: as Ray's: False, or the file or folder of the authorities that are
    trusted; True: the system's, and the one that RAYSIM_TLS_CA_CERT names."""

    def __init__(
        self,
        address: str,
        cookies: Mapping[str, str],
        headers: Mapping[str, str],
        verify: str | bool | None,
    ) -> None:
        self._address = address.rstrip("/")
        services = load_services(DEFAULT_BACKEND)
        token = services.token().decode()
        self._headers = {"Authorization": f"Bearer {token}", **headers}
        if cookies:
            self._headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in cookies.items())
        self._opener = _opener(self._address, services, verify)

    def submit(self, asked: Submission, packages: Mapping[str, bytes]) -> str:
        for uri, data in packages.items():
            name = quote(uri.removeprefix(PACKAGE_SCHEME), safe="")
            self._ask("PUT", f"packages/gcs/{name}", data, "application/octet-stream")
        body = msgspec.json.encode(asked_for(asked))
        return str(self._json("POST", "jobs/", body)["submission_id"])

    def jobs(self) -> list[Row]:
        found: list[Row] = self._json("GET", "jobs/")
        return found

    def job(self, identity: str) -> Row:
        found: Row = self._json("GET", f"jobs/{quote(identity, safe='')}")
        return found

    def stop(self, submission_id: str) -> bool:
        return bool(self._json("POST", f"jobs/{quote(submission_id, safe='')}/stop")["stopped"])

    def delete(self, submission_id: str) -> bool:
        return bool(self._json("DELETE", f"jobs/{quote(submission_id, safe='')}")["deleted"])

    def log(self, submission_id: str, offset: int) -> tuple[bytes, int]:
        path = f"jobs/{quote(submission_id, safe='')}/logs/after?offset={offset}"
        data, headers = self._ask("GET", path)
        return data, int(headers[NEXT.lower()])

    def _json(self, method: str, path: str, body: bytes | None = None) -> Any:
        return json.loads(self._ask(method, path, body)[0])

    def _ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> tuple[bytes, dict[str, str]]:
        """Raises ConnectionError, RuntimeError for what is refused."""
        headers = {**self._headers, **({"Content-Type": kind} if body is not None else {})}
        request = Request(f"{self._address}/api/{path}", body, headers, method=method)  # noqa: S310  (http or https: see client)
        try:
            with self._opener.open(request, timeout=_ANSWER_S) as answer:
                return answer.read(), {k.lower(): v for k, v in answer.headers.items()}
        except HTTPError as error:
            with error:
                raise _refusal(self._address, error.code, error.read()) from None
        except (URLError, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise ConnectionError(_no_answer(self._address, reason)) from error


class _NoRedirect(HTTPRedirectHandler):
    """The token is for this address alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(address: str, services: Services, verify: str | bool | None) -> OpenerDirector:
    asked = urlsplit(address)
    proxies: dict[str, str] | None = {} if asked.hostname in _HERE else None
    secure = [HTTPSHandler(context=services.web_client(verify))] if asked.scheme == "https" else []
    return build_opener(ProxyHandler(proxies), _NoRedirect, *secure)


def _no_answer(address: str, reason: object) -> str:
    """In words, with what to do."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"{address} has a certificate that is refused here: {reason.verify_message}. Name its authority's by "
            "RAYSIM_TLS_CA_CERT, --verify FILE or verify=, and ask under a name or address that it is for."
        )
    if isinstance(reason, ssl.SSLError) and reason.reason in (
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
    ):
        return f"{address} does not speak TLS: ask it under http:// instead of https://."
    closed = isinstance(reason, RemoteDisconnected | ConnectionResetError | ssl.SSLError)
    if closed and address.startswith("https://"):
        return (
            f"{address} has hung up: {reason}. One that was started with --dashboard-client-certs wants a certificate: "
            "name it by RAYSIM_TLS_SERVER_CERT, RAYSIM_TLS_SERVER_KEY and RAYSIM_TLS_CA_CERT."
        )
    return f"No dashboard answers at {address}: {reason}. `raysim start --head` says where it is."


def _refusal(address: str, code: int, body: bytes) -> Exception:
    try:
        said = str(json.loads(body)["msg"])
    except (ValueError, KeyError, TypeError):
        said = body.decode(errors="replace").strip()[:1000]
    if code == 503:
        return ConnectionError(said)
    if code == 400:
        return ValueError(said)
    return RuntimeError(said or f"{address} refuses this with status code {code}.")
