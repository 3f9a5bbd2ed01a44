"""How a client's requests get to the cluster: through a node on this machine. Never what is asked: see client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import raysim
from raysim.api.init_options import DEFAULT_BACKEND
from raysim.runtime.current import current
from raysim.spec.submission import Submission

Row = dict[str, Any]


class Way(Protocol):
    """All raise ConnectionError where no cluster answers, RuntimeError for what it refuses."""

    def submit(self, asked: Submission, packages: Mapping[str, bytes]) -> str: ...
    def jobs(self) -> list[Row]: ...
    def job(self, identity: str) -> Row: ...
    def stop(self, submission_id: str) -> bool: ...
    def delete(self, submission_id: str) -> bool: ...
    def log(self, submission_id: str, offset: int) -> tuple[bytes, int]: ...


class Door:
    """Through this process's own connection, or through one that is made for each request, as no job."""

    def __init__(self, address: str) -> None:
        self._address = address

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        from raysim.jobs import manager  # Here: it takes what only this way needs.

        if current() is not None:
            yield manager
            return
        raysim.init(self._address, backend=DEFAULT_BACKEND, log_to_driver=False, _observer=True)
        try:
            yield manager
        finally:
            raysim.shutdown()

    def _ask(self, what: str, *arguments: Any) -> Any:
        from raysim.jobs.manager import UnknownJobError

        with self._connected() as manager:
            try:
                return getattr(manager, what)(*arguments)
            except UnknownJobError as error:
                raise RuntimeError(str(error)) from error

    def submit(self, asked: Submission, packages: Mapping[str, bytes]) -> str:
        return str(self._ask("submit", asked, packages))

    def jobs(self) -> list[Row]:
        found: list[Row] = self._ask("jobs")
        return found

    def job(self, identity: str) -> Row:
        found: Row = self._ask("job", identity)
        return found

    def stop(self, submission_id: str) -> bool:
        return bool(self._ask("stop", submission_id))

    def delete(self, submission_id: str) -> bool:
        return bool(self._ask("delete", submission_id))

    def log(self, submission_id: str, offset: int) -> tuple[bytes, int]:
        read: tuple[bytes, int] = self._ask("log", submission_id, offset)
        return read
