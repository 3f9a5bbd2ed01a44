"""Runs what follows from what, one after another. Never one inside the other.

A chain of calls fails as one, a list of references in references is freed as one, lost ancestors are
made again one from the other: each may be longer than Python's stack is deep.
"""

from collections import deque
from collections.abc import Callable


class Cascade:
    __slots__ = ("_due", "_running")

    def __init__(self) -> None:
        self._due: deque[Callable[[], None]] | None = None
        """Made when it is first needed: an empty one takes 600 bytes, and a large cluster has many processes."""
        self._running = False

    def run(self, action: Callable[[], None]) -> None:
        """Now, with all that it sets off; from inside another action, after that one."""
        due = self._due
        if due is None:
            due = self._due = deque()
        due.append(action)
        if self._running:
            return
        self._running = True
        try:
            while due:
                due.popleft()()
        finally:
            self._running = False
