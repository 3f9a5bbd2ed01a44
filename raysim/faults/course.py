"""Which faults wait for an event, and which are in force: the same in every world. Never performs one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from raysim.faults.model import Fault
from raysim.faults.plan import PlannedFault


class Awaited:
    """Faults that strike once an event has happened so often."""

    def __init__(self) -> None:
        self._left: list[tuple[PlannedFault, int]] = []
        """Each, and how often it has to happen still."""

    def __bool__(self) -> bool:
        return bool(self._left)

    def add(self, planned: PlannedFault) -> None:
        self._left.append((planned, planned.fault.at.count))

    def happened(self, event: str | None) -> list[PlannedFault]:
        """Those that strike now, `at_ns` after it."""
        due: list[PlannedFault] = []
        left: list[tuple[PlannedFault, int]] = []
        for planned, count in self._left:
            if planned.fault.at.event != event:
                left.append((planned, count))
            elif count > 1:
                left.append((planned, count - 1))
            else:
                due.append(planned)
        self._left = left
        return due

    def clear(self) -> None:
        self._left.clear()


class InForce:
    """What faults have done that lasts. Each ends once: after its time, or when all are ended."""

    def __init__(self, later: Callable[[int, Callable[[], None]], None]) -> None:
        """`later`: run an action after so many nanoseconds."""
        self._later = later
        self._undo: list[Callable[[], None]] = []

    def add(self, fault: Fault, undo: Callable[[], None]) -> None:
        self._undo.append(undo)
        lasting_ns: int | None = getattr(fault, "lasting", None)
        if lasting_ns is not None:
            self._later(lasting_ns, partial(self._over, undo))

    def _over(self, undo: Callable[[], None]) -> None:
        if undo in self._undo:  # Else it was ended before its time.
            self._undo.remove(undo)
            undo()

    def end_all(self) -> None:
        ended, self._undo = self._undo, []
        for undo in ended:
            undo()
