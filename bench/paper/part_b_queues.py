"""Queues with closed forms: M/M/c, M/G/1, and M/M/1 under three orders (mean service time 1)

Each is one simulated node with as many cores as servers, on a free network: a driver submits synthetic tasks as they
come, its owner asks for leases, the raylet grants them. M/M/c and M/G/1 are Ray's own order. The analytic value has
to be in the interval measured, and the half-width of the 95 % interval at most 2 % of it. The intervals hold together
(Bonferroni): of 23 that each hold by themselves, one would be missed by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.paper.controls import Column, Estimate, Input, estimate, work_found, work_of_one_server
from bench.paper.row import Row
from raysim.scenario.bag import Bag
from raysim.scenario.loading import parse_scenario
from raysim.scenario.running import RunOptions, run_workflow

ROWS = 23
TOGETHER = 1 - 0.05 / ROWS

SCENARIO = """
cluster: {{nodes: 1, cpus: {servers}, network: free}}
queue: {queue}
seed: {seed}
workload:
  kind: tasks
  count: {count}
  duration: {service}
  arrivals: poisson(rate={rate}/s)
"""

M_M_C = [
    # servers, load, P(wait), mean wait, tasks
    (1, 0.8, 0.8, 4.0, 60_000),
    (2, 0.8, 0.7111, 1.7778, 60_000),
    (4, 0.8, 0.5964, 0.7455, 80_000),
    (8, 0.8, 0.4576, 0.2860, 120_000),
    (32, 0.9, 0.4582, 0.1432, 500_000),
]
"""Erlang C."""

M_G_1 = [
    # service, C^2, mean wait, tasks
    ("constant(value=1s)", 0.0, 2.0, 60_000),
    ("exponential(mean=1s)", 1.0, 4.0, 60_000),
    ("hyperexponential(mean=1s, cv2=4)", 4.0, 10.0, 60_000),
    ("hyperexponential(mean=1s, cv2=16)", 16.0, 34.0, 180_000),
]
"""Pollaczek and Khinchine, load 0.8: 2 (1 + C^2)."""

M_M_1 = {
    "fifo": {0.5: 2.0, 0.8: 5.0, 0.9: 10.0},
    "sjf": {0.5: 1.713, 0.8: 2.882, 0.9: 4.197},
    "srpt": {0.5: 1.426, 0.8: 2.353, 0.9: 3.553},
}
"""Mean time in system by order and load: Phipps 1956, Schrage and Miller 1966."""


@dataclass(frozen=True)
class Measured:
    """Of each task, in its order of arrival."""

    given: Input
    found: Column
    wait: Column
    in_system: Column


def measured(
    queue: str,
    load: float,
    count: int,
    servers: int = 1,
    service: str = M_G_1[1][0],
    scv: float = 1,
) -> Measured:
    """One run of the simulator."""
    rate = load * servers
    text = SCENARIO.format(
        servers=servers, queue=queue, seed=1, count=count, service=service, rate=f"{rate:g}"
    )
    experiment = parse_scenario(text, Path("queue.yaml"))
    records = run_workflow(experiment, RunOptions()).records
    assert records.failed == 0, f"{records.failed} of {count} tasks failed"
    bag = experiment.workflow
    assert isinstance(bag, Bag)
    came, ended = np.asarray(records.submitted_s), np.asarray(records.end_s)
    services = np.array([task.runtime_s for task in bag.order])
    gaps = np.diff(came, prepend=0.0)
    given = Input(gaps, services, 1 / rate, scv, servers)
    one = servers == 1
    found = work_of_one_server(gaps, services) if one else work_found(came, ended, services)
    return Measured(given, found, ended - came - services, ended - came)


def rows(data: Path) -> Iterator[Row]:
    """In about three minutes. Reads nothing."""
    for servers, load, waits, wait, count in M_M_C:
        run = measured("fifo", load, count, servers)
        what = f"M/M/{servers}, load {load}"
        some = (run.wait > 1e-6).astype(float)
        yield _row(f"{what}: P(wait)", waits, estimate(some, run.given, run.found))
        yield _row(f"{what}: mean wait", wait, estimate(run.wait, run.given, run.found))
    for service, scv, wait, count in M_G_1:
        run = measured("fifo", 0.8, count, service=service, scv=scv)
        name = f"M/G/1, load 0.8, C^2 = {scv:g}: mean wait"
        yield _row(name, wait, estimate(run.wait, run.given, run.found))
    for queue, by_load in M_M_1.items():
        for load, in_system in by_load.items():
            run = measured(queue, load, 80_000)
            name = f"M/M/1 under {queue}, load {load}: mean time in system"
            yield _row(name, in_system, estimate(run.in_system, run.given, run.found))


def _row(figure: str, published: float, found: Estimate) -> Row:
    """Where the interval is too wide to say anything, it has no bounds to be within."""
    half = found.half_width(0.95)
    together = found.half_width(TOGETHER) + 5e-5 * max(1.0, published)
    note = f"95 %: +- {half / published:.2%}"
    if half > 0.02 * published:
        return Row(figure, published, found.mean, published, published, f"{note}, too wide")
    return Row(figure, published, found.mean, published - together, published + together, note)
