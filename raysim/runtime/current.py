"""Which process of the program the running code belongs to. Never decides it: worlds do."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

_current: "CoreWorker | None" = None


def current() -> "CoreWorker | None":
    """The process that this code runs in, or None outside of any session."""
    return _current


def set_current(core_worker: "CoreWorker | None") -> None:
    """By a world: once in a real process, at every switch into user code in a simulated one."""
    global _current
    _current = core_worker
