"""Tasks that programs have left with the GCS at their end, the latest, with as many exceptions as there is room for."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from raysim.protocol.messages.state import TaskSeen

ERRORS_BYTES: Final = 16 << 20
"""Of their pickled exceptions, the latest. Ours."""


class LeftTasks:
    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: deque[TaskSeen] = deque()
        self._raised: deque[TaskSeen] = deque()
        """Those of them whose exceptions are here, in the same order."""
        self._raised_bytes = 0

    def __iter__(self) -> Iterator[TaskSeen]:
        return iter(self._tasks)

    def add(self, tasks: Iterable[TaskSeen]) -> None:
        for task in tasks:
            self._tasks.append(task)
            if task.payload:
                self._raised.append(task)
                self._raised_bytes += len(task.payload)
        while len(self._tasks) > self._most:
            oldest = self._tasks.popleft()
            if self._raised and self._raised[0] is oldest:
                self._take_oldest()
        while self._raised_bytes > ERRORS_BYTES:
            oldest = self._take_oldest()
            oldest.payload, oldest.text = b"", "Its exception was dropped: many came after it."

    def _take_oldest(self) -> TaskSeen:
        oldest = self._raised.popleft()
        self._raised_bytes -= len(oldest.payload)
        return oldest
