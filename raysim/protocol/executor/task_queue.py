"""The tasks that were pushed to this worker: one at a time, in the order of their arrival. Never an actor's calls."""

from collections import deque
from collections.abc import Callable, Iterable

from raysim.protocol.executor.arguments import Arguments, QueuedCall
from raysim.protocol.executor.results import Results
from raysim.protocol.host import RunnableTask
from raysim.protocol.messages import PushTasks
from raysim.spec.address import Address
from raysim.spec.ids import FunctionId, TaskId, WorkerId
from raysim.spec.resources import Accelerators
from raysim.spec.task import TaskTemplate


class TaskQueue:
    """Hands back what it cannot run now: user code that waits may wait for just that."""

    def __init__(
        self,
        arguments: Arguments,
        results: Results,
        run: Callable[[QueuedCall, RunnableTask], None],
        idle: Callable[[], bool],
    ) -> None:
        self._arguments = arguments
        self._results = results
        self._run = run
        self._idle = idle
        self._queue: deque[QueuedCall] = deque()
        self._known: dict[tuple[TaskId, int], None] = {}
        """Queued or running: a second copy is dropped."""
        self._functions: dict[tuple[WorkerId, FunctionId], bytes] = {}
        self._runs: dict[FunctionId, int] = {}
        """Of functions with `max_calls`."""
        self._accelerators: Accelerators = {}

    def __len__(self) -> int:
        return len(self._queue)

    def callers(self) -> list[Address]:
        return [queued.caller for queued in self._queue]

    def queued(self) -> Iterable[QueuedCall]:
        """Those that have not started."""
        return self._queue

    def push(self, sender: Address, push: PushTasks, accept: bool) -> None:
        if push.function is not None:
            self._functions[sender.worker_id, push.template.function_id] = push.function
        self._accelerators = push.accelerators
        for call in push.calls:
            key = (call.task_id, call.attempt)
            if key in self._known:
                continue
            if not accept:
                self._results.hand_back(sender, call)
                continue
            self._known[key] = None
            queued = QueuedCall(call, sender, push.template)
            self._queue.append(queued)
            if not self._arguments.came(queued):
                self._arguments.bring(queued, self._arrived, may_give_up=True)
        self.run_next()

    def _arrived(self, queued: QueuedCall) -> None:
        if queued.lost:
            self._queue.remove(queued)
            self._drop(queued)
            self._results.hand_back(queued.caller, queued.call, queued.lost)
            self._results.flush()
        else:
            self.run_next()

    def run_next(self) -> None:
        """The first whose arguments are here; the others do not hold it up."""
        if not self._queue or not self._idle():
            return
        queued = self._queue[0]
        if queued.ready:
            self._queue.popleft()
        else:
            found = next((one for one in self._queue if one.ready), None)
            if found is None:
                return
            queued = found
            self._queue.remove(queued)
        template = queued.template
        assert template is not None
        function = self._functions.get((queued.caller.worker_id, template.function_id))
        task = RunnableTask(queued.call, queued.caller, queued.args, template, function)
        task.accelerators = self._accelerators
        self._run(queued, task)

    def finished(self, queued: QueuedCall) -> None:
        self._known.pop((queued.call.task_id, queued.call.attempt), None)

    def count_run(self, template: TaskTemplate) -> None:
        """After `max_calls` runs of one function the process is to end (Ray): it may leak, or hold a GPU."""
        runs = self._runs[template.function_id] = self._runs.get(template.function_id, 0) + 1
        if template.max_calls and runs >= template.max_calls:
            # It stays until its lease was returned: what is on its way here must not be lost with it.
            self._results.retires = True
            self.hand_back()

    def cancel(self, task_id: TaskId) -> None:
        for queued in [q for q in self._queue if q.call.task_id == task_id]:
            self._queue.remove(queued)
            self._drop(queued)
            self._results.hand_back(queued.caller, queued.call)

    def hand_back(self) -> None:
        """Everything that has not started."""
        queue, self._queue = self._queue, deque()
        for queued in queue:
            self._drop(queued)
            self._results.hand_back(queued.caller, queued.call)

    def caller_lost(self, peer: Address) -> None:
        for key in [key for key in self._functions if key[0] == peer.worker_id]:
            del self._functions[key]
        for queued in [q for q in self._queue if q.caller.worker_id == peer.worker_id]:
            self._queue.remove(queued)
            self._drop(queued)

    def _drop(self, queued: QueuedCall) -> None:
        """It will not run here."""
        self._known.pop((queued.call.task_id, queued.call.attempt), None)
        queued.dropped = True
        self._arguments.release(queued)
