"""The lock of a process that is no more: whatever calls into its roles ends. Never opens again."""

from contextlib import AbstractContextManager

from greenlet import GreenletExit

from raysim.exceptions import LocalRayletDiedError


class Closed(AbstractContextManager[object]):
    """User code of a worker ends with it. `reason`: of a driver, whose program goes on, and is told."""

    def __init__(self, reason: str | None = None) -> None:
        self._reason = reason

    def __enter__(self) -> object:
        if self._reason is None:
            raise GreenletExit
        raise LocalRayletDiedError(
            f"The cluster of this program is gone: {self._reason}. Start another one with init()."
        )

    def __exit__(self, *error: object) -> None:
        pass
