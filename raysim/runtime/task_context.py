"""What runs in a process, and what it is told of itself. Never starts or ends it."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

import msgspec

from raysim.backend import ContextInfo
from raysim.protocol.host import RunnableTask
from raysim.runtime.shown import assigned, task_name
from raysim.spec.ids import IdSource, TaskId, job_of_task
from raysim.spec.runtime_env import shown

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker


class TaskContext(msgspec.Struct, gc=False):
    """What is running in this process, as far as ids and the runtime context need it."""

    task_id: TaskId
    attempt: int = 0
    task: RunnableTask | None = None
    source: IdSource | None = None

    @property
    def ids(self) -> IdSource:
        """Made when it is first needed: most tasks submit and put nothing."""
        if self.source is None:
            self.source = IdSource(self.task_id, self.attempt)
        return self.source


entered: ContextVar[TaskContext | None] = ContextVar("entered", default=None)
"""The task that this thread, greenlet or coroutine runs: an actor may run several at once."""


def context_info(worker: "CoreWorker") -> ContextInfo:
    task = worker.context.task
    actor = task.actor if task is not None else None
    group = worker.groups.current()
    address = worker.host.address
    return ContextInfo(
        job_id=job_of_task(worker.context.task_id).hex(),
        node_id=address.node_id.hex(),
        worker_id=address.worker_id.hex(),
        task_id=worker.context.task_id.hex() if task is not None else None,
        task_name=task_name(task),
        actor_id=actor.actor_id.hex() if actor is not None else None,
        actor_name=actor.name if actor is not None else None,
        namespace=worker.namespace,
        assigned_resources=assigned(task),
        accelerators=worker.accelerators(task),
        attempt=task.call.attempt if task is not None else 0,
        was_reconstructed=task is not None and task.incarnation > 0,
        is_driver=worker.is_driver,
        is_canceled=task is not None and task.cancelled,
        runtime_env=shown(worker.runtime_env),
        is_async=actor is not None and actor.is_async,
        placement_group_id=group.group_id.hex() if group is not None else None,
        captures=group is not None and group.capture,
        function_name=worker.execution.function_name(task) if task is not None else None,
        session_name=worker.session_name,
        session_dir=worker.session_dir,
        gcs_address=worker.gcs.endpoint or worker.session_name,
    )
