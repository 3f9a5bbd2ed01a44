"""A workflow: tasks, the files between them, and its figures. Never reads a file, never runs one.

The figures are those of the scheduling literature: the *work* is the sum of the tasks' runtimes,
the *critical path* the longest chain of runtimes along the edges (transfers not counted), and no
schedule on `c` cores ends before max(critical path, core-seconds / c).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar

import msgspec

from raysim.spec.units import NANOSECONDS


class WorkflowFile(msgspec.Struct, frozen=True):
    """A file that tasks read or write. A file that no task writes is an input of the workflow."""

    id: str
    size_bytes: int


class WorkflowTask(msgspec.Struct, frozen=True):
    """One task: how long it ran on how many cores, after which tasks, on which files."""

    id: str
    name: str
    runtime_s: float
    cores: float = 1
    parents: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    gpus: float = 0
    memory: int = 0
    """Bytes that it asks for, where nodes say how much they have."""
    gpu_models: tuple[str, ...] = ()
    """That it may run on; none: any."""
    runtimes_s: tuple[float, ...] = ()
    """On each node of the cluster, in their order, the least being `runtime_s`; none: it follows the nodes' speeds."""

    def runtime_ns(self, node: int = 0, speed: float = 1.0, scale: float = 1.0) -> int:
        """On that node, which has that speed."""
        runtime_s = self.runtimes_s[node] if self.runtimes_s else self.runtime_s / speed
        return round(runtime_s * scale * NANOSECONDS["s"])


class Need(NamedTuple):
    """What a task asks of a node."""

    cores: float
    gpus: float
    memory: int


class CycleError(ValueError):
    """Tasks that wait for each other, in the order of the waiting; the first is named again."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        self.cycle = cycle
        super().__init__(f"tasks wait for each other: {' -> '.join((*cycle, cycle[0]))}")


_SECOND = NANOSECONDS["s"]
_Item = TypeVar("_Item", WorkflowTask, WorkflowFile)


class Workflow:
    """A directed acyclic graph of tasks. Parents and files must exist; CycleError otherwise."""

    arrivals_s: Sequence[float] | None = None
    """Of tasks that do not depend on each other, when each is submitted, from the start; None: all at once."""
    alike = False
    """Whether one task is like the other."""
    by_node = False
    """Whether its tasks say how long they take on each node."""
    users: Sequence[str] | None = None
    """Whose each task is, in the tasks' order; None: all are of one."""
    deadlines_s: Sequence[float] | None = None
    """By when each task is to have ended, in seconds from its submission; None: none has a deadline."""
    requested_s: Sequence[float | None] | None = None
    """How long each was said to run at most, for the order of the queue; None: as long as it runs."""
    priorities: Sequence[int] | None = None
    """Of each, likewise; None: one is as urgent as the other."""

    def __init__(
        self, name: str, tasks: Iterable[WorkflowTask], files: Iterable[WorkflowFile] = ()
    ) -> None:
        self.name = name
        self.tasks: Mapping[str, WorkflowTask] = _by_id("task", tasks)
        self.files: Mapping[str, WorkflowFile] = _by_id("file", files)
        self._check_names()
        self.by_node = any(task.runtimes_s for task in self.tasks.values())
        self.order: Sequence[WorkflowTask] = _in_order(self.tasks)
        """Every task after its parents; among those that are ready, in the order of the file."""

    def _check_names(self) -> None:
        for task in self.tasks.values():
            for parent in task.parents:
                if parent not in self.tasks:
                    raise ValueError(f"task {task.id!r} waits for the unknown task {parent!r}")
            for file in (*task.inputs, *task.outputs):
                if file not in self.files:
                    raise ValueError(f"task {task.id!r} names the unknown file {file!r}")

    @property
    def ids(self) -> Sequence[str]:
        """Of its tasks, in their order."""
        return [task.id for task in self.order]

    @property
    def names(self) -> Sequence[str]:
        """Of its tasks, in their order."""
        return [task.name for task in self.order]

    @property
    def cores(self) -> Sequence[float]:
        """Of its tasks, in their order."""
        return [task.cores for task in self.order]

    @cached_property
    def edges(self) -> int:
        """How many times a task waits for another."""
        return sum(len(task.parents) for task in self.order)

    @cached_property
    def work_s(self) -> float:
        """The sum of the runtimes, in seconds."""
        return sum(_ns(task) for task in self.order) / _SECOND

    @cached_property
    def core_seconds(self) -> float:
        """The sum of runtimes times cores."""
        return sum(_ns(task) * task.cores for task in self.order) / _SECOND

    @cached_property
    def critical_path_s(self) -> float:
        """The longest chain of runtimes along the edges, in seconds."""
        end: dict[str, int] = {}
        for task in self.order:
            start = max((end[parent] for parent in task.parents), default=0)
            end[task.id] = start + _ns(task)
        return max(end.values(), default=0) / _SECOND

    def size_of(self, file: str) -> int:
        """Of one of its files, in bytes."""
        return self.files[file].size_bytes

    @cached_property
    def file_bytes(self) -> int:
        """The sum of the sizes of all files."""
        return sum(file.size_bytes for file in self.files.values())

    @cached_property
    def bytes_read(self) -> int:
        """Of files that tasks wrote, once for each task that reads one."""
        sizes = {file: self.size_of(file) for task in self.order for file in task.outputs}
        return sum(sizes.get(file, 0) for task in self.order for file in task.inputs)

    @cached_property
    def writers(self) -> Mapping[str, str]:
        """The task that writes each file; a file of the workflow's own input is absent."""
        return {file: task.id for task in self.order for file in task.outputs}

    @property
    def has_gpus(self) -> bool:
        """Whether any task asks for some."""
        return any(need.gpus for need in self.needs)

    @property
    def needs(self) -> Mapping[Need, str]:
        """What tasks ask of a node, each with the first task that does."""
        found: dict[Need, str] = {}
        for task in self.order:
            found.setdefault(Need(task.cores, task.gpus, task.memory), task.id)
        return found

    def lower_bound_s(self, cores: float) -> float:
        """No schedule on this many cores ends before, in seconds; and no task before it came, from the first one on."""
        if cores <= 0:
            raise ValueError(f"a lower bound needs at least one core, not {cores}")
        bound = max(self.critical_path_s, self.core_seconds / cores)
        if self.arrivals_s is None:
            return bound
        ends = (at + task.runtime_s for at, task in zip(self.arrivals_s, self.order, strict=True))
        return max(bound, max(ends) - self.arrivals_s[0])


def _ns(task: WorkflowTask) -> int:
    """The runtime as worlds know it: sums of it are exact, so that no run ends before its bound."""
    return round(task.runtime_s * _SECOND)


def _by_id(noun: str, items: Iterable[_Item]) -> dict[str, _Item]:
    found: dict[str, _Item] = {}
    for item in items:
        if item.id in found:
            raise ValueError(f"two {noun}s are called {item.id!r}")
        found[item.id] = item
    return found


def _in_order(tasks: Mapping[str, WorkflowTask]) -> tuple[WorkflowTask, ...]:
    """Kahn's algorithm (CACM 1962), stable by the tasks' positions."""
    position = {task_id: index for index, task_id in enumerate(tasks)}
    children: dict[str, list[str]] = {task_id: [] for task_id in tasks}
    waiting: dict[str, int] = {}
    for task in tasks.values():
        waiting[task.id] = len(task.parents)
        for parent in task.parents:
            children[parent].append(task.id)
    ids = list(tasks)
    ready = [position[task_id] for task_id, count in waiting.items() if count == 0]
    order: list[WorkflowTask] = []
    while ready:
        task_id = ids[heapq.heappop(ready)]
        order.append(tasks[task_id])
        for child in children[task_id]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, position[child])
    if len(order) < len(tasks):
        raise CycleError(_find_cycle(tasks, {task for task in ids if waiting[task] > 0}))
    return tuple(order)


def _find_cycle(tasks: Mapping[str, WorkflowTask], stuck: set[str]) -> tuple[str, ...]:
    """Follow stuck parents from the first stuck task: each has one, so the walk must close."""
    walk: list[str] = []
    seen: dict[str, int] = {}
    at = next(task for task in tasks if task in stuck)
    while at not in seen:
        seen[at] = len(walk)
        walk.append(at)
        at = next(parent for parent in tasks[at].parents if parent in stuck)
    cycle = walk[seen[at] :][::-1]
    first = min(range(len(cycle)), key=lambda index: list(tasks).index(cycle[index]))
    return tuple(cycle[first:] + cycle[:first])
