"""A thread that waits for its turn at the pump, and what ends all such waits. Never what they wait for: see pump."""

import threading

from raysim_cluster.poller import LONGEST_NS


class Parked:
    """A thread that waits for its turn: woken by its waiter, or to take over the pump."""

    __slots__ = ("_gate",)

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def wake(self) -> None:
        try:
            self._gate.release()
        except RuntimeError:  # Woken already.
            return

    def sleep(self, timeout_ns: int | None) -> bool:
        """Whether it was woken."""
        return self._gate.acquire(
            timeout=-1 if timeout_ns is None else min(timeout_ns, LONGEST_NS) / 1e9
        )


class Stop:
    """Why all blocking of a process ends early: an interrupt, or the process's own end."""

    __slots__ = ("requested",)

    def __init__(self) -> None:
        self.requested = False
