"""Calls of threaded and asynchronous actors, beside a worker's main thread. Never how many run at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from raysim.protocol.executor.actor_queue import CONSTRUCTOR
from raysim.protocol.host import RunnableTask
from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.coroutines import Coroutines
from raysim.spec.actor import ActorSpec


class Beside:
    """An actor's threads, or its event loop. Called under the lock."""

    def __init__(self, core_worker: CoreWorker) -> None:
        self._core_worker = core_worker
        self._coroutines: Coroutines | None = None
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def runs(self, task: RunnableTask, actor: ActorSpec) -> bool:
        """Begin the call, unless it belongs into the main thread."""
        if actor.is_async:
            self._on_loop().begin(task)
            return True
        threaded = actor.max_concurrency > 1 or bool(actor.concurrency_groups)
        if not threaded or task.call.method == CONSTRUCTOR:
            return False
        self._pool(actor, task.call.group).submit(self._run, task)
        return True

    def interrupt(self, task: RunnableTask) -> None:
        if self._coroutines is not None:
            self._coroutines.interrupt(task)

    def _on_loop(self) -> Coroutines:
        if self._coroutines is None:
            import asyncio  # Most workers never need it; the fork-server has it ready.

            loop = asyncio.new_event_loop()
            self._coroutines = Coroutines(self._core_worker, loop)
            threading.Thread(target=loop.run_forever, name="raysim-async", daemon=True).start()
        return self._coroutines

    def _pool(self, actor: ActorSpec, group: str) -> ThreadPoolExecutor:
        """Each group has threads of its own, as in Ray: what they keep stays within the group."""
        limits = {"": actor.max_concurrency, **actor.concurrency_groups}
        name = group if group in limits else ""
        pool = self._pools.get(name)
        if pool is None:
            pool = ThreadPoolExecutor(limits[name], f"raysim-{name or 'default'}")
            self._pools[name] = pool
        return pool

    def _run(self, task: RunnableTask) -> None:
        core_worker = self._core_worker
        executor = core_worker.executor
        assert executor is not None
        outcome = core_worker.execute(task)
        with core_worker.host.lock:
            executor.finished(task, outcome)
