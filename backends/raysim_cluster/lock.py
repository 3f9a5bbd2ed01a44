"""The lock around the state of a process's roles. Never held while user code runs or a socket is waited for."""

from collections.abc import Callable
from threading import RLock
from time import monotonic_ns
from types import TracebackType

from raysim_cluster.timers import Timers


class HostLock:
    """Re-entrant; before its outermost release it settles: what was sent under it leaves. `after` follows when there
    is something to do: to ask each time would be much of what a short turn takes."""

    def __init__(
        self, settle: Callable[[], None], after: Callable[[], None], timers: Timers
    ) -> None:
        lock = RLock()
        self._acquire = lock.acquire
        self._release = lock.release
        self.is_mine: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined]  # Typeshed lacks it.
        """Whether this thread holds it."""
        self._settle = settle
        self._after = after
        self._timers = timers
        self._depth = 0
        self.urgent = False
        """`after` follows each time."""
        self.due_ns = 0
        """It does from then on; and once a timer is due."""

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
        if self.urgent or (now := monotonic_ns()) >= self.due_ns or now >= self._timers.first_ns:
            self._after()
