"""A bag of tasks as a workflow without edges, so that one way runs both. Never draws anything, never lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from raysim.scenario.model import TasksWorkload
from raysim.scenario.workflow import Workflow, WorkflowFile, WorkflowTask
from raysim.spec.units import NANOSECONDS

_Item = TypeVar("_Item", bound=object)


class Made(Sequence[_Item], Generic[_Item]):
    """So many items, each of which is made when it is looked at."""

    def __init__(self, count: int, make: Callable[[int], _Item]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._make(at) for at in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"{index} of {self._count} items")
        return self._make(index % self._count)


class Bag(Workflow):
    """So many equal tasks, each of which leaves one file if it has a size."""

    def __init__(self, workload: TasksWorkload) -> None:
        self.name = "tasks"
        self.workload = workload
        self.count = workload.count
        self._width = len(str(workload.count - 1))
        self.order = Made(self.count, self._task)

    def _name(self, index: int) -> str:
        return f"task_{index:0{self._width}d}"

    def _task(self, index: int) -> WorkflowTask:
        name = self._name(index)
        return WorkflowTask(
            id=name,
            name=name,
            runtime_s=self.workload.duration / NANOSECONDS["s"],
            cores=self.workload.cpus,
            outputs=(f"{name}.result",) if self.workload.result_size else (),
        )

    @cached_property  # Made when somebody wants it: few do.
    def tasks(self) -> Mapping[str, WorkflowTask]:  # type: ignore[override]
        return {task.id: task for task in self.order}

    @cached_property  # The same.
    def files(self) -> Mapping[str, WorkflowFile]:  # type: ignore[override]
        size = self.workload.result_size
        return {file: WorkflowFile(file, size) for task in self.order for file in task.outputs}

    @property
    def ids(self) -> Sequence[str]:
        return Made(self.count, self._name)

    @property
    def names(self) -> Sequence[str]:
        return self.ids

    @property
    def cores(self) -> Sequence[float]:
        return [self.workload.cpus] * self.count

    @cached_property
    def edges(self) -> int:
        return 0

    @cached_property
    def work_s(self) -> float:
        return self.count * self.workload.duration / NANOSECONDS["s"]

    @cached_property
    def core_seconds(self) -> float:
        return self.count * self.workload.duration * self.workload.cpus / NANOSECONDS["s"]

    @cached_property
    def critical_path_s(self) -> float:
        return self.workload.duration / NANOSECONDS["s"]

    def size_of(self, file: str) -> int:
        return self.workload.result_size

    @cached_property
    def file_bytes(self) -> int:
        return self.count * self.workload.result_size

    @property
    def max_cores(self) -> float:
        return self.workload.cpus
