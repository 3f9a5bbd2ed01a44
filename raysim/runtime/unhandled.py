"""Says which errors of user code nobody ever looked at. Never decides that: the owner's table does."""

from functools import partial
from logging import getLogger
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

LOG = getLogger("raysim.unhandled")
"""Disabled where the environment has RAY_IGNORE_UNHANDLED_ERRORS, whatever its value (Ray)."""


def report(worker: "CoreWorker", error: bytes | str) -> None:
    """A reference to this error is gone, and its value was never asked for: a pickled exception, or text."""
    if LOG.disabled:
        return
    if isinstance(error, str):
        _log(error)
    else:
        # What a user's exception does when it is unpickled is no business of the protocol's turn.
        worker.host.outside(partial(_log_pickled, worker, error))


def _log_pickled(worker: "CoreWorker", error: bytes) -> None:
    _log(str(worker.values.load(error)[0]))


def _log(text: str) -> None:
    LOG.error("Unhandled error (suppress with 'RAY_IGNORE_UNHANDLED_ERRORS=1'): %s", text)
