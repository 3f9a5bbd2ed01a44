"""Speed of the simulator: simulated tasks a second of wall time, the whole protocol on. Never the cluster."""

import os

import raysim
from raysim.backend import RemoteTarget, TaskOptions
from raysim.runtime.current import current
from raysim.spec.task import Work


def real_seconds() -> float:
    """While a simulated world runs, the clocks of `time` are virtual for its driver."""
    return os.times().elapsed


SYNTHETIC = 20_000
MANY_NODES = 1_000
ON_MANY_NODES = 200_000
PYTHON = 4_000
NESTED = 4


def synthetic_tasks(nodes: int = 16, tasks: int = SYNTHETIC) -> float:
    """1-CPU tasks of 10 s without Python on nodes of 16 CPUs, submitted at once."""
    raysim.init(backend="sim", nodes=nodes, num_cpus=16)
    try:
        backend = current()
        assert backend is not None
        target = RemoteTarget(synthetic_tasks, "synthetic")
        options = TaskOptions(work=Work(10_000_000_000, (0,)))
        start = real_seconds()
        refs = [backend.submit_task(target, options, (), {})[0] for _ in range(tasks)]
        backend.get(refs, None)
    finally:
        raysim.shutdown()
    return tasks / (real_seconds() - start)


def nested_python_tasks() -> float:
    """Real functions, each of which submits `NESTED` more and waits for them."""
    raysim.init(backend="sim", nodes=4, num_cpus=16)

    @raysim.remote
    def leaf(number: int) -> int:
        return number

    @raysim.remote
    def parent(number: int) -> int:
        return sum(raysim.get([leaf.remote(number + i) for i in range(NESTED)]))

    parents = PYTHON // (NESTED + 1)
    try:
        start = real_seconds()
        raysim.get([parent.remote(number) for number in range(parents)])
    finally:
        raysim.shutdown()
    return parents * (NESTED + 1) / (real_seconds() - start)
