"""Pods of a trace that come one by one to a simulated cluster and never leave. Never says which policy is right.

As the authors of FGD measured it, but through raysim's own protocol: each pod is a task, submitted to a raylet that
knows what every node has free; the policy chooses the node and the GPU. The head is a machine of its own without cores.
Where nothing ends, a shape that found no room finds none later: such pods are counted, and not submitted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NoReturn

import msgspec

from raysim.backend import InitOptions, NodeOptions, RemoteTarget, TaskOptions, load
from raysim.config import MS, Config
from raysim.policies.fragments import Fragments, Shape
from raysim.scenario.traces.openb import Machine
from raysim.scenario.traces.task import TraceTask
from raysim.spec.ids import ObjectId, task_of_object
from raysim.spec.resources import CPU, UNITS, to_units
from raysim.spec.task import Work

FOR_EVER = 10**18
"""Nanoseconds, as the time of a task."""

TICK_S = 0.005
"""Between two pods: five periods of reports, so that every choice is made with a true view."""

QUIET = Config(
    resource_report_period_ns=MS,
    node_watch_keep_ns=FOR_EVER,
    health_check_period_ns=FOR_EVER,
    idle_lease_keep_ns=0,
)
"""True views, and nothing that has to do with faults."""

TUNED = 1.3
"""GPUs that are asked for in all, of those that there are."""


@dataclass
class Filled:
    """A run: shares of the cluster's GPUs, in percent, by the share that has arrived, rounded to a percent."""

    allocated: dict[int, float] = field(default_factory=dict)
    """Mean over the pods at that share."""
    fragmented: dict[int, float] = field(default_factory=dict)
    """Free and of no use to a typical pod of the trace, at the first pod at that share."""
    pods: int = 0
    unplaced: int = 0


class Cluster:
    """A simulated one of these machines, in an order that is drawn."""

    def __init__(self, machines: Sequence[Machine], policy: str, rng: Random, seed: int) -> None:
        order = list(machines)
        rng.shuffle(order)
        nodes = [NodeOptions(num_cpus=0)]
        nodes += [
            NodeOptions(one.cpus, one.gpus, one.memory, labels={"gpu": one.model}, name=one.name)
            for one in order
        ]
        config = msgspec.structs.replace(QUIET, policy=policy)
        self._world: Any = load("sim")(
            InitOptions(nodes=nodes, config=config, seed=seed, world={"network": "free"})
        )
        self._driver: Any = self._world.connect()
        self._target = RemoteTarget(_never_called, "pod")
        self.refs: list[object] = []

    def place(self, pod: TraceTask) -> bool:
        """Whether it found room. One that did not is withdrawn."""
        driver = self._driver
        options = TaskOptions(
            pod.cpus or 0, pod.gpus, pod.memory, max_retries=0, work=Work(FOR_EVER, (0,))
        )
        [ref] = driver.submit_task(self._target, options, (), {})
        driver.sleep(TICK_S)
        if driver.owner.tasks.records[task_of_object(ObjectId(ref.binary()))].running:
            self.refs.append(ref)
            return True
        driver.cancel(ref, False, False)
        driver.sleep(TICK_S)
        return False

    def free(self) -> list[tuple[int, tuple[int, ...]]]:
        """Of each machine the units of cores, and of each of its GPUs: as its own raylet counts them."""
        views = [node.raylet.view.local for node in self._world.nodes[1:]]
        return [(view.available.get(CPU, 0), view.gpus) for view in views]

    def stop(self) -> None:
        self.refs.clear()
        self._world.stop()


def fill(
    machines: Sequence[Machine],
    pods: Sequence[TraceTask],
    policy: str,
    seed: int,
    marks: Sequence[int],
) -> Filled:
    """One run: pods of the trace in random order, drawn again until they ask for `TUNED` times the GPUs."""
    rng = Random(seed)
    capacity = sum(one.gpus for one in machines) * UNITS
    order = tuned(pods, capacity, rng)
    typical = Fragments(_shapes(pods))
    found, full = Filled(pods=len(order)), set[tuple[Shape, int]]()
    samples: dict[int, list[float]] = {mark: [] for mark in marks}
    cluster = Cluster(machines, policy, rng, seed)
    try:
        arrived = taken = 0
        for pod in order:
            shape = _shape(pod)
            arrived += shape[1]
            if (shape, pod.memory) not in full and cluster.place(pod):
                taken += shape[1]
            else:
                full.add((shape, pod.memory))
                found.unplaced += 1
            share = round(100 * arrived / capacity)
            if share in samples:
                if not samples[share]:
                    free = sum(typical.of(*one) for one in cluster.free())
                    found.fragmented[share] = 100 * free / capacity
                samples[share].append(100 * taken / capacity)
        left = sum(sum(gpus) for _, gpus in cluster.free())
        assert taken + left == capacity, f"{taken} units placed, {left} free of {capacity}"
    finally:
        cluster.stop()
    found.allocated = {mark: sum(some) / len(some) for mark, some in samples.items()}
    return found


def tuned(pods: Sequence[TraceTask], capacity: int, rng: Random) -> list[TraceTask]:
    """In random order; some more of them, or some fewer, until they ask for `TUNED` times the capacity."""
    order = list(pods)
    rng.shuffle(order)
    target = TUNED * capacity
    asked = sum(_shape(pod)[1] for pod in order)
    while asked > target:
        asked -= _shape(order.pop(rng.randrange(len(order))))[1]
    while True:
        more = rng.choice(pods)
        units = _shape(more)[1]
        if asked + min(units, UNITS) > target:
            return order
        asked += units
        order.append(more)


def _shape(pod: TraceTask) -> Shape:
    return to_units(pod.cpus or 0), to_units(pod.gpus)


def _shapes(pods: Sequence[TraceTask]) -> dict[Shape, int]:
    seen: dict[Shape, int] = {}
    for pod in pods:
        shape = _shape(pod)
        seen[shape] = seen.get(shape, 0) + 1
    return seen


def _never_called(*_: object) -> NoReturn:
    raise AssertionError("a synthetic task runs no Python")
