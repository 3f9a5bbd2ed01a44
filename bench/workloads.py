"""What is measured, written once for everything that speaks Ray's API. Never chooses who runs it.

Each measurement returns operations a second over at least `SECONDS`. Run as a program with a
contender's name it prints one JSON object; needs nothing of raysim but for raysim's own contenders,
so that Ray's interpreter can run this very file.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

SECONDS = 1.0
"""Of each measurement, at least. Long enough for ten thousand calls, short enough to alternate."""

CPUS = 2
BATCH = 1000


def rate(operation: Callable[[], int], seconds: float = SECONDS) -> float:
    """Operations a second; `operation` says how many it did. One call before warms up."""
    operation()
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        done += operation()
    return done / passed


def measure_ray_api(ray: Any) -> dict[str, float]:
    """A started session of anything that speaks Ray's API."""
    import numpy as np

    @ray.remote
    def nothing() -> None:
        return None

    @ray.remote(num_cpus=0)
    class Actor:
        def nothing(self) -> None:
            return None

    actor = Actor.remote()
    small = bytes(1024)
    large = np.zeros(100 * 1024 * 1024, dtype=np.uint8)
    held = ray.put(large)

    def one_task() -> int:
        ray.get(nothing.remote())
        return 1

    def many_tasks() -> int:
        ray.get([nothing.remote() for _ in range(BATCH)])
        return BATCH

    def one_call() -> int:
        ray.get(actor.nothing.remote())
        return 1

    def many_calls() -> int:
        ray.get([actor.nothing.remote() for _ in range(BATCH)])
        return BATCH

    def put_small() -> int:
        ray.put(small)
        return 1

    def put_large() -> int:
        ray.put(large)
        return large.nbytes

    def get_large() -> int:
        ray.get(held)
        return 1

    return {
        "tasks_one_at_a_time": rate(one_task),
        "tasks_async": rate(many_tasks),
        "actor_calls_one_at_a_time": rate(one_call),
        "actor_calls_async": rate(many_calls),
        "put_1KiB": rate(put_small),
        "put_100MiB_bytes": rate(put_large),
        "get_100MiB": rate(get_large),
    }


def nothing_at_all() -> None:
    """What a process pool runs; at module level, for it must be importable."""


def measure_process_pool() -> dict[str, float]:
    """`concurrent.futures.ProcessPoolExecutor`: the standard library's answer."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(CPUS) as pool:

        def one_task() -> int:
            pool.submit(nothing_at_all).result()
            return 1

        def many_tasks() -> int:
            for future in [pool.submit(nothing_at_all) for _ in range(BATCH)]:
                future.result()
            return BATCH

        return {"tasks_one_at_a_time": rate(one_task), "tasks_async": rate(many_tasks)}


def measure_cluster() -> dict[str, float]:
    import raysim

    raysim.init(backend="cluster", num_cpus=CPUS)
    try:
        return measure_ray_api(raysim)
    finally:
        raysim.shutdown()


def measure_ray() -> dict[str, float]:
    import ray

    ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        return measure_ray_api(ray)
    finally:
        ray.shutdown()


def measure_sim() -> dict[str, float]:
    """Simulated tasks a second of wall time: synthetic ones, and real Python with a nested get."""
    from bench.simulated import (
        MANY_NODES,
        ON_MANY_NODES,
        nested_python_tasks,
        synthetic_tasks,
    )

    return {
        "synthetic_tasks": synthetic_tasks(),
        "synthetic_tasks_1000_nodes": synthetic_tasks(MANY_NODES, ON_MANY_NODES),
        "python_tasks_nested_get": nested_python_tasks(),
    }


CONTENDERS: dict[str, Callable[[], dict[str, float]]] = {
    "cluster": measure_cluster,
    "ProcessPoolExecutor": measure_process_pool,
    "ray": measure_ray,
    "sim": measure_sim,
}

if __name__ == "__main__":
    print(json.dumps(CONTENDERS[sys.argv[1]]()))
