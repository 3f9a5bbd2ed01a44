"""The calls of an asynchronous actor as tasks of an event loop that its world runs. Never the loop itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from raysim.protocol.host import RunnableTask
from raysim.spec.ids import TaskId

if TYPE_CHECKING:
    import asyncio

    from raysim.runtime.core_worker import CoreWorker


class Coroutines:
    """`begin` and `interrupt` are called from any thread; everything else happens on the loop."""

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
        self._tasks: dict[TaskId, asyncio.Task[None]] = {}
        self._inside: dict[TaskId, None] = {}
        """Calls that have got so far that a cancellation reaches user code."""

    def begin(self, task: RunnableTask) -> None:
        self._loop.call_soon_threadsafe(self._begin, task)

    def interrupt(self, task: RunnableTask) -> None:
        """`task.cancelled` is set: one that has not begun sees it then."""
        self._loop.call_soon_threadsafe(self._interrupt, task)

    def _begin(self, task: RunnableTask) -> None:
        # The loop keeps weak references only.
        self._tasks[task.call.task_id] = self._loop.create_task(self._run(task))

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
        executor = self._core_worker.executor
        assert executor is not None
        with self._core_worker.host.lock:
            executor.finished(task, outcome)
