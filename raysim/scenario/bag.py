"""A bag of tasks as a workflow without edges, so that one way runs both. Never lists its tasks."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from random import Random
from typing import Any, Generic, TypeVar

from raysim.scenario.distributions import Distribution
from raysim.scenario.model import TasksWorkload
from raysim.scenario.workflow import Need, Workflow, WorkflowFile, WorkflowTask
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
    """So many tasks, each of which leaves one file if it has a size. What is random of them follows the seed.

    Each column is drawn from a stream of its own: other durations leave the arrivals as they are.
    """

    def __init__(self, workload: TasksWorkload, seed: int = 0) -> None:
        self.name = "tasks"
        self.workload = workload
        self.count = workload.count
        self._width = len(str(workload.count - 1))
        self._durations_ns = _drawn(workload.duration, self.count, _stream(seed, "durations"))
        self._cores = _drawn(workload.cpus, self.count, _stream(seed, "cpus"))
        self._gpus = _drawn(workload.gpus, self.count, _stream(seed, "gpus"))
        self.order = Made(self.count, self._task)
        self.arrivals_s = _arrivals(workload, _stream(seed, "arrivals"))
        drawn = self._durations_ns, self._cores, self._gpus
        self.alike = all(column is None for column in drawn)
        self.users = _users(workload, _stream(seed, "users"))
        self.deadlines_s = _deadlines(workload, _stream(seed, "deadlines"))

    def _name(self, index: int) -> str:
        return f"task_{index:0{self._width}d}"

    def _duration_ns(self, index: int) -> float:
        same = self.workload.duration
        return same if isinstance(same, int) else _column(self._durations_ns)[index]

    def _cores_of(self, index: int) -> float:
        same = self.workload.cpus
        return same if isinstance(same, (int, float)) else _column(self._cores)[index]

    def _gpus_of(self, index: int) -> float:
        same = self.workload.gpus
        return same if isinstance(same, (int, float)) else _column(self._gpus)[index]

    def _task(self, index: int) -> WorkflowTask:
        name = self._name(index)
        return WorkflowTask(
            id=name,
            name=name,
            runtime_s=self._duration_ns(index) / NANOSECONDS["s"],
            cores=self._cores_of(index),
            gpus=self._gpus_of(index),
            outputs=(f"{name}.result",) if self.workload.result_size else (),
        )

    @cached_property  # Made when somebody wants it: few do.
    def tasks(self) -> Mapping[str, WorkflowTask]:  # type: ignore[override]  # A plain attribute there.
        return {task.id: task for task in self.order}

    @cached_property  # The same.
    def files(self) -> Mapping[str, WorkflowFile]:  # type: ignore[override]  # The same.
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
        return Made(self.count, self._cores_of)

    @cached_property
    def edges(self) -> int:
        return 0

    @cached_property
    def bytes_read(self) -> int:
        return 0

    @cached_property
    def work_s(self) -> float:
        return self._sum(self._duration_ns) / NANOSECONDS["s"]

    @cached_property
    def core_seconds(self) -> float:
        both = self._sum(lambda index: self._duration_ns(index) * self._cores_of(index))
        return both / NANOSECONDS["s"]

    @cached_property
    def critical_path_s(self) -> float:
        return self._max(self._duration_ns) / NANOSECONDS["s"]

    def size_of(self, file: str) -> int:
        return self.workload.result_size

    @cached_property
    def file_bytes(self) -> int:
        return self.count * self.workload.result_size

    @cached_property  # Many look at the cores of all.
    def needs(self) -> Mapping[Need, str]:
        found: dict[tuple[float, float], int] = {}
        for index in range(1 if self.alike else self.count):
            found.setdefault((self._cores_of(index), self._gpus_of(index)), index)
        return {Need(*both, 0): self._name(index) for both, index in found.items()}

    def _sum(self, of: Callable[[int], float]) -> float:
        return of(0) * self.count if self.alike else sum(map(of, range(self.count)))

    def _max(self, of: Callable[[int], float]) -> float:
        return of(0) if self.alike else max(map(of, range(self.count)))


def _users(workload: TasksWorkload, rng: Random) -> Sequence[str] | None:
    if workload.users == 1:
        return None
    names = [f"user_{number}" for number in range(workload.users)]
    return rng.choices(names, k=workload.count)


def _deadlines(workload: TasksWorkload, rng: Random) -> Sequence[float] | None:
    within, second_ns = workload.deadline, NANOSECONDS["s"]
    if within is None:
        return None
    if isinstance(within, int):
        return array("d", [within / second_ns]) * workload.count
    return array("d", (within.sample(rng) / second_ns for _ in range(workload.count)))


def _stream(seed: int, of: str) -> Random:
    return Random(f"{seed}/workload/{of}")


def _drawn(what: float | Distribution, count: int, rng: Random) -> array[float] | None:
    """None where it is the same for all."""
    if isinstance(what, (int, float)):
        return None
    return array("d", (what.sample(rng) for _ in range(count)))


def _column(drawn: array[float] | None) -> array[float]:
    assert drawn is not None, "what is not the same for all was drawn"
    return drawn


def _arrivals(workload: TasksWorkload, rng: Random) -> array[float] | None:
    if workload.arrivals is None:
        return None
    moments: Iterable[float] = workload.arrivals.moments(rng)
    return array("d", islice(moments, workload.count))
