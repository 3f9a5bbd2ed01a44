"""The tasks of a trace as a workflow without edges, each of which comes at its time. Never reads a file."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.task import TraceTask
from raysim.scenario.workflow import Workflow, WorkflowTask


class Replay(Workflow):
    """`traced`: in the order of arrival, which is that of the workflow.

    `with_memory`: whether tasks ask for theirs; on nodes that do not say how much they have, they could not run.
    """

    def __init__(
        self, workload: TraceWorkload, traced: Sequence[TraceTask], with_memory: bool
    ) -> None:
        super().__init__(
            workload.format,
            (
                WorkflowTask(
                    id=task.id,
                    name="task",
                    runtime_s=task.duration_s,
                    cores=workload.cpus if task.cpus is None else task.cpus,
                    gpus=task.gpus,
                    memory=task.memory if with_memory else 0,
                    gpu_models=task.gpu_models,
                )
                for task in traced
            ),
        )
        self.workload = workload
        self.traced = traced
        self.arrivals_s = array("d", (task.submit_s for task in traced))
        if any(task.requested_s is not None for task in traced):
            self.requested_s = [task.requested_s for task in traced]
        if any(task.priority for task in traced):
            self.priorities = [task.priority for task in traced]
        users = [task.user for task in traced]
        self.users = users if len(set(users)) > 1 else None
