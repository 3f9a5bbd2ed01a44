"""The lock around the state of a process's roles. Never held while user code runs or a socket is waited for."""

from collections.abc import Callable
from threading import RLock
from types import TracebackType


class HostLock:
    """Re-entrant; before its outermost release it settles: what was sent under it leaves."""

    def __init__(self, settle: Callable[[], None], after: Callable[[], None]) -> None:
        lock = RLock()
        self._acquire = lock.acquire
        self._release = lock.release
        self.is_mine: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined]
        """Whether this thread holds it."""
        self._settle = settle
        self._after = after
        self._depth = 0

    def __enter__(self) -> "HostLock":
        self._acquire()
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._depth > 1:
            self._depth -= 1
            self._release()
            return
        try:
            self._settle()
        finally:
            self._depth = 0
            self._release()
        self._after()
