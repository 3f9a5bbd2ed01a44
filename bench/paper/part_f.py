"""Part F: Ray's own behaviour, by its shape (ray#26262; Moritz et al., OSDI 2018, Figure 8a)

ray#26262: 300 tasks of 60 s on 20 nodes of 15 cores, whose workers are cold: starts on one node take turns, 3 s each.
Whoever sends all requests to the one best node waits for its starts while other nodes start nothing.

Figure 8a: tasks whose argument lies on the other one of two nodes, one after another, with and without asking for a
lease where the argument is (`locality_aware_leasing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any, Final, NoReturn

from bench.paper.row import Row, ordered
from raysim.backend import InitOptions, NodeOptions, RemoteTarget, TaskOptions, load
from raysim.config import Config
from raysim.spec.task import Work

SECOND = 1_000_000_000
MB = 1_000_000

TASKS, TASK_S, NODES, CORES = 300, 60, 20, 15
COLD: Final = {"worker_start": "3s", "worker_start_alone": "3s"}
TOP: Final = {
    "top-k = 1": "hybrid(fraction=0, absolute=1)",
    "k = 0.2 n": "hybrid(fraction=0.2, absolute=1)",
}

SIZES_MB = (0.2, 1, 10, 100)
"""From where a value is no longer sent within messages."""
CALLS = 1_000


FLAT = 1.1
"""With locality, of the largest and the smallest argument the ratio of latencies at most."""


def rows(data: Path) -> Iterator[Row]:
    spans = {
        name: mean(_makespan_s(policy, seed) for seed in range(3)) for name, policy in TOP.items()
    }
    single, several = (spans[name] for name in TOP)
    yield _at_least("ray#26262: makespan / ideal, top-k = 1", 2, single / TASK_S)
    lost, less = single - TASK_S, several - TASK_S
    yield ordered("ray#26262: time lost, top-k = 1 / k = 0.2 n", lost, less)
    with_it = {size: _latency_s(size, True) for size in SIZES_MB}
    without = {size: _latency_s(size, False) for size in SIZES_MB}
    flat = with_it[SIZES_MB[-1]] / with_it[SIZES_MB[0]]
    yield Row("Figure 8a: with locality, 100 MB / 0.2 MB", 1, flat, 0, FLAT, "flat")
    for size, least in ((10, 10), (100, 100)):
        ratio = without[size] / with_it[size]
        yield _at_least(f"Figure 8a: latency without / with locality, {size} MB", least, ratio)


def _at_least(figure: str, least: float, measured: float) -> Row:
    return Row(figure, least, measured, least, float("inf"), "a shape: at least")


def _makespan_s(policy: str, seed: int) -> float:
    nodes = [NodeOptions(num_cpus=CORES) for _ in range(NODES)]
    world, driver = _started(nodes, Config(policy=policy), COLD, seed)
    try:
        began = driver.now()
        options = TaskOptions(work=Work(TASK_S * SECOND, (0,)))
        refs = [_call(driver, options) for _ in range(TASKS)]
        driver.wait(refs, len(refs), None, False)
        span: float = driver.now() - began
        return span
    finally:
        refs = []
        world.stop()


def _latency_s(size_mb: float, locality: bool) -> float:
    """Mean, from the call of a task whose argument is on the other node to its result."""
    nodes = [NodeOptions(num_cpus=2), NodeOptions(num_cpus=2, resources={"data": 1})]
    config = Config(locality_aware_leasing=locality, idle_lease_keep_ns=0)
    world, driver = _started(nodes, config, {}, 0)
    made = TaskOptions(num_cpus=0, resources={"data": 1}, work=Work(0, (round(size_mb * MB),)))
    used = TaskOptions(work=Work(0, (0,)))
    try:
        took: list[float] = []
        for number in range(CALLS + 1):
            argument = _call(driver, made)
            driver.wait([argument], 1, None, False)
            driver.sleep(1)  # Until views are true and leases given back.
            began = driver.now()
            result = _call(driver, used, argument)
            driver.wait([result], 1, None, False)
            if number:  # The first one starts a worker.
                took.append(driver.now() - began)
            del argument, result
        return mean(took)
    finally:
        world.stop()


def _started(
    nodes: list[NodeOptions], config: Config, network: dict[str, str], seed: int
) -> tuple[Any, Any]:
    world: Any = load("sim")(
        InitOptions(nodes=nodes, config=config, seed=seed, world={"network": network})
    )
    return world, world.connect()


def _call(driver: Any, options: TaskOptions, *arguments: object) -> Any:
    [ref] = driver.submit_task(_TARGET, options, arguments, {})
    return ref


def _never_called(*_: object) -> NoReturn:
    raise AssertionError("a synthetic task runs no Python")


_TARGET = RemoteTarget(_never_called, "task")
