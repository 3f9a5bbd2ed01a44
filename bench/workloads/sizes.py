"""What a size costs on `cluster`: tasks, bytes, workers, nodes. Never compared with rivals."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.lines import SIZE_LINES
from bench.operation import Operation
from bench.workloads import Lines
from bench.workloads.sessions import memory_of_pending, own_memory
from bench.workloads.tasks import batch_of, small_value_of

TASKS = 10_000
"""Of each look at a number of workers or nodes, and of each wave."""

REMEMBERED = 200_000
"""Tasks after which a driver has forgotten the first ones: twice `config.task_history`."""


def tasks_at_once(world: Any, size: int) -> Operation:
    return batch_of(world.ray, size)


def put_and_get(world: Any, size: int) -> Operation:
    ray, array = world.ray, np.ones(size, dtype=np.uint8)
    return Operation(lambda: ray.get(ray.put(array)))


def workers(world: Any, size: int) -> Operation:
    """Tasks of a session with so many CPUs, and so many workers."""
    world.stop()
    world.start(num_cpus=size)
    return batch_of(world.ray, TASKS)


def nodes(world: Any, size: int) -> Operation:
    """Tasks spread over so many nodes of one CPU."""
    from raysim.cluster_utils import Cluster

    world.stop()
    ray = world.ray
    cluster = Cluster(initialize_head=True, backend="cluster", head_node_args={"num_cpus": 1})
    for _ in range(size - 1):
        cluster.add_node(num_cpus=1)
    cluster.connect()
    task = small_value_of(ray).options(scheduling_strategy="SPREAD")
    world.closing.append(cluster.shutdown)
    return Operation(lambda: ray.get([task.remote() for _ in range(TASKS)]), TASKS)


def growth_in_waves(world: Any, size: int) -> Operation:
    """Megabytes that the driver grows by while so many tasks come and go, ten thousand at a time: after the first
    of them, and after what it remembers of those that have ended is full."""
    ray, small_value = world.ray, small_value_of(world.ray)

    wave = min(size, TASKS)

    def submit(tasks: int) -> None:
        for _ in range(tasks // wave):
            ray.get([small_value.remote() for _ in range(wave)])

    def observe() -> float:
        submit(min(size, REMEMBERED))
        before = own_memory()
        submit(size)
        return (own_memory() - before) / 1e6

    return Operation(observe)


_SERIES: dict[str, Callable[[Any, int], Operation]] = {
    "tasks at once": tasks_at_once,
    "put and get of bytes": put_and_get,
    "workers": workers,
    "nodes": nodes,
    "driver memory of pending tasks": memory_of_pending,
    "driver growth by tasks in waves": growth_in_waves,
}


def _of(series: str, size: int) -> Callable[[Any], Operation]:
    return lambda world: _SERIES[series](world, size)


LINES: Lines = {line.name: _of(line.group, line.size) for line in SIZE_LINES if line.size}
