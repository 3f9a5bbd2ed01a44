"""The lock around the state of a process's roles. Never held while user code runs or a socket is waited for."""

import threading
from collections.abc import Callable
from types import TracebackType


class HostLock:
    """Re-entrant; before its outermost release it settles: what was sent under it leaves."""

    def __init__(self, settle: Callable[[], None], after: Callable[[], None]) -> None:
        self._lock = threading.RLock()
        self._settle = settle
        self._after = after
        self._depth = 0
        self.holder = 0
        """The thread that holds it, 0 when nobody does."""

    def __enter__(self) -> "HostLock":
        self._lock.acquire()
        self._depth += 1
        if self._depth == 1:
            self.holder = threading.get_ident()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._depth > 1:
            self._depth -= 1
            self._lock.release()
            return
        try:
            self._settle()
        finally:
            self.holder = 0
            self._depth = 0
            self._lock.release()
        self._after()
