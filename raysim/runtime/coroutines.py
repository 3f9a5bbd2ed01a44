"""The calls of an asynchronous actor as tasks of an event loop that its world runs. Never the loop itself.

To wake a loop, and to take the lock, cost more than a short call: what comes together begins with one wake-up,
and what ends in one turn of the loop is told under one lock.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from raysim.protocol.host import Outcome, RunnableTask, Timer
from raysim.spec.ids import TaskId

if TYPE_CHECKING:
    import asyncio

    from raysim.runtime.core_worker import CoreWorker

TELL_AFTER_NS = 200_000
"""Nanoseconds until somebody else tells what ended, where the next call keeps the loop. Ours."""


class Coroutines:
    """`begin` and `interrupt` are called under the lock; everything else happens on the loop."""

    def __init__(
        self,
        core_worker: "CoreWorker",
        loop: "asyncio.AbstractEventLoop",
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`ended`: told of the end of each call, before the executor is."""
        self._core_worker = core_worker
        self._loop = loop
        self._ended = ended
        self._come: deque[RunnableTask] = deque()
        """Calls that have yet to begin."""
        self._over: deque[tuple[RunnableTask, Outcome]] = deque()
        """Calls whose end the executor has yet to hear of."""
        self._timer: Timer | None = None
        self._tasks: dict[TaskId, asyncio.Task[None]] = {}
        self._inside: dict[TaskId, None] = {}
        """Calls that have got so far that a cancellation reaches user code."""

    def begin(self, task: RunnableTask) -> None:
        self._come.append(task)
        if len(self._come) == 1:
            self._loop.call_soon_threadsafe(self._begin)

    def interrupt(self, task: RunnableTask) -> None:
        """`task.cancelled` is set: one that has not begun sees it then."""
        self._loop.call_soon_threadsafe(self._interrupt, task)

    def _begin(self) -> None:
        come, tasks, create = self._come, self._tasks, self._loop.create_task
        count = len(come)
        while count:
            # The last is taken last: whoever finds none there wakes the loop again.
            task = come[0]
            # The loop keeps weak references only.
            tasks[task.call.task_id] = create(self._run(task))
            come.popleft()
            count = len(come)

    def _interrupt(self, task: RunnableTask) -> None:
        task_id = task.call.task_id
        if task_id in self._inside:
            self._tasks[task_id].cancel()

    async def _run(self, task: RunnableTask) -> None:
        task_id = task.call.task_id
        self._inside[task_id] = None
        try:
            outcome = await self._core_worker.execute_async(task)
        finally:
            del self._inside[task_id], self._tasks[task_id]
            self._ended()
        self._over.append((task, outcome))
        if not (self._tasks or self._come):
            self._tell()
        elif len(self._over) == 1:
            self._loop.call_soon(self._tell)
            host = self._core_worker.host
            with host.lock:
                self._timer = host.call_later(TELL_AFTER_NS, self._tell_all)

    def _tell(self) -> None:
        if self._over:
            with self._core_worker.host.lock:
                self._tell_all()

    def _tell_all(self) -> None:
        """Under the lock, in whichever thread has it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        executor, over = self._core_worker.executor, self._over
        assert executor is not None
        while over:
            task, outcome = over.popleft()
            executor.finished(task, outcome)
