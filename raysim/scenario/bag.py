"""A bag of tasks as a workflow without edges, so that one way runs both. Never draws anything."""

from __future__ import annotations

from raysim.scenario.model import TasksWorkload
from raysim.scenario.workflow import Workflow, WorkflowFile, WorkflowTask
from raysim.spec.units import NANOSECONDS


def bag_of_tasks(workload: TasksWorkload) -> Workflow:
    """The workflow of this many equal tasks, each of which leaves one file if it has a size."""
    width = len(str(workload.count - 1))
    names = [f"task_{index:0{width}d}" for index in range(workload.count)]
    results = {name: f"{name}.result" for name in names} if workload.result_size else {}
    tasks = (
        WorkflowTask(
            id=name,
            name=name,
            runtime_s=workload.duration / NANOSECONDS["s"],
            cores=workload.cpus,
            outputs=(results[name],) if results else (),
        )
        for name in names
    )
    files = (WorkflowFile(result, workload.result_size) for result in results.values())
    return Workflow("tasks", tasks, files)
