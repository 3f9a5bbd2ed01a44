"""The way of a client's requests by HTTP, to the dashboard of a head, with the cluster's token. Never what is asked."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
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
from raysim.services import load_services
from raysim.spec.runtime_env import PACKAGE_SCHEME
from raysim.spec.submission import Submission

_ANSWER_S: Final = 60.0
_HERE: Final = ("localhost", "127.0.0.1", "::1")


class Web:
    """As `raysim.job_submission.ways.Way`. `verify`: as Ray's: False, or the file of a certificate."""

    def __init__(
        self,
        address: str,
        cookies: Mapping[str, str],
        headers: Mapping[str, str],
        verify: str | bool | None,
    ) -> None:
        self._address = address.rstrip("/")
        token = load_services(DEFAULT_BACKEND).token().decode()
        self._headers = {"Authorization": f"Bearer {token}", **headers}
        if cookies:
            self._headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in cookies.items())
        self._opener = _opener(self._address, verify)

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
            reason = getattr(error, "reason", error)
            raise ConnectionError(
                f"No dashboard answers at {self._address}: {reason}. `raysim start --head` says where it is."
            ) from error


class _NoRedirect(HTTPRedirectHandler):
    """The token is for this address alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(address: str, verify: str | bool | None) -> OpenerDirector:
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    proxies: dict[str, str] | None = {} if urlsplit(address).hostname in _HERE else None
    return build_opener(ProxyHandler(proxies), HTTPSHandler(context=context), _NoRedirect)


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
