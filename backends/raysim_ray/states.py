"""The state of Ray's cluster as Ray's own functions tell it, in raysim's listings. Never filters, never limits more."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import ray
from ray.util import state as theirs
from ray.util.state.exception import RayStateApiException, ServerUnavailable

from raysim.exceptions import RaySystemError
from raysim.spec.log import LogPart, start_of
from raysim.spec.state import Inquiry, Listing, Noun

_ID_BYTES = {Noun.ACTORS: ("actor_id", 16), Noun.TASKS: ("task_id", 24)}
"""Nouns whose rows Ray looks up by their id, however many there are."""

_INCOMPLETE = "Failed to retrieve all"
_ADDRESS = "RAY_ADDRESS"

R = TypeVar("R")


def inspect(inquiry: Inquiry) -> Listing:
    """Raises RaySystemError where Ray's dashboard, which knows the state, does not answer."""
    if inquiry.noun is Noun.METRICS:
        raise RaySystemError("Ray's own agents show what programs count: ask them, by Prometheus.")
    list_them: Callable[..., list[Any]] = getattr(theirs, f"list_{inquiry.noun}")
    asked = {
        "filters": _only(inquiry),
        "limit": inquiry.limit,
        "timeout": max(1, round(inquiry.timeout / 0.8)),  # Ray takes a fifth of it off.
        "detail": True,
    }
    silent: list[str] = []
    try:
        rows = _answered(lambda: list_them(**asked))
    except RayStateApiException as error:
        if _INCOMPLETE not in str(error):
            raise RaySystemError(str(error)) from error
        silent.append("a part of the cluster")
        rows = _answered(lambda: list_them(**asked, raise_on_missing_output=False))
    # Jobs are not of the class of the others.
    shown = [
        row.model_dump(mode="json") if inquiry.noun is Noun.JOBS else row.asdict() for row in rows
    ]
    return Listing(shown, len(rows), 1 + len(silent), silent)


def _answered(ask: Callable[[], R]) -> R:
    try:
        with _here():
            return ask()
    except (ConnectionError, ServerUnavailable) as error:
        raise RaySystemError(
            f"Ray's dashboard, which knows the state of the cluster, does not answer: {error} Start the "
            "cluster with it: init(backend='ray', include_dashboard=True), and with ray[default] installed."
        ) from error


@contextmanager
def _here() -> Iterator[None]:
    """Ray's functions ask this cluster, whatever the environment says, which they believe first."""
    before = os.environ.get(_ADDRESS)
    os.environ[_ADDRESS] = ray.get_runtime_context().gcs_address
    try:
        yield
    finally:
        if before is None:
            del os.environ[_ADDRESS]
        else:
            os.environ[_ADDRESS] = before


def _only(inquiry: Inquiry) -> list[tuple[str, str, str]]:
    column, length = _ID_BYTES.get(inquiry.noun, ("", 0))
    whole = column and len(inquiry.only) == 2 * length
    return [(column, "=", inquiry.only)] if whole else []


def _parts(node_id: str, name: str) -> Iterator[bytes]:
    parts: Iterator[bytes] = theirs.get_log(node_id=node_id, filename=name, encoding=None, tail=-1)
    return parts


class RayLogs:
    """The log files of Ray's nodes, as Ray's agents hand them out."""

    def names(self, node_id: str) -> list[str]:
        try:
            found = _answered(lambda: theirs.list_logs(node_id=node_id))
        except OSError as error:  # Of the library for HTTP, which is not named here.
            raise FileNotFoundError(
                f"Ray's agent on node {node_id} does not hand out log files: {error}"
            ) from error
        return [name for names in found.values() for name in names]

    def read(self, node_id: str, name: str, offset: int) -> LogPart:
        try:
            content = _answered(lambda: b"".join(_parts(node_id, name)))
        except RayStateApiException as error:
            raise FileNotFoundError(str(error)) from error
        start = start_of(offset, len(content))
        return LogPart(content[start:], start, len(content))

    def of_worker(self, node_id: str, worker_id: str, pid: int, suffix: str) -> str:
        for name in self.names(node_id):
            if f"worker-{worker_id}" in name and name.endswith(f"-{pid}.{suffix}"):
                return name
        raise FileNotFoundError(f"Worker {worker_id} (pid {pid}) has no log file {suffix!r}.")
