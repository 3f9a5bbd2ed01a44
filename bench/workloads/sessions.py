"""What a session costs: its start, its end, its memory, and what it does while nothing is asked of it. Never a rate."""

import time
from collections.abc import Callable
from typing import Any

import psutil

from bench.operation import Operation
from bench.workloads import CPUS, Lines
from bench.workloads.tasks import small_value_of

SETTLING_S = 1.0
"""After a start, until a session counts as idle."""

OBSERVED_S = 5
PENDING = 100_000


def first_result(world: Any) -> None:
    world.start()
    world.first_result()


def start_to_first_result(world: Any) -> Operation:
    return Operation(lambda: first_result(world), before=world.stop, after=world.stop)


def shutdown(world: Any) -> Operation:
    def begin() -> None:
        world.stop()
        first_result(world)

    return Operation(world.stop, before=begin)


def processes() -> list[psutil.Process]:
    """All that the session has started."""
    return psutil.Process().children(recursive=True)


def anew(world: Any, observe: Callable[[], float]) -> Operation:
    """Of a session that nothing was asked of yet."""

    def begin() -> None:
        world.stop()
        world.start()
        time.sleep(SETTLING_S)

    return Operation(observe, before=begin)


def idle_memory(world: Any) -> Operation:
    return anew(world, lambda: sum(p.memory_full_info().pss for p in processes()) / 1e6)


def idle_cpu(world: Any) -> Operation:
    def used() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes())

    def observe() -> float:
        before, start = used(), time.perf_counter()
        time.sleep(world.scaled(OBSERVED_S))
        return 100 * (used() - before) / (time.perf_counter() - start)

    return anew(world, observe)


def own_memory() -> int:
    return int(psutil.Process().memory_full_info().uss)


def memory_of_pending(world: Any, tasks: int) -> Operation:
    """Bytes of the driver for each task that waits for a CPU. All of them end afterwards."""
    ray, small_value = world.ray, small_value_of(world.ray)

    class Gate:
        """Holds every CPU until it is killed."""

        def shut(self) -> bool:
            return True

    gate_class = ray.remote(num_cpus=CPUS)(Gate)

    def observe() -> float:
        ray.get(small_value.remote())
        gate = gate_class.remote()
        assert ray.get(gate.shut.remote())
        before = own_memory()
        refs = [small_value.remote() for _ in range(tasks)]
        held = own_memory() - before
        ray.kill(gate)
        assert all(value == b"ok" for value in ray.get(refs))
        return held / tasks

    return Operation(observe)


LINES: Lines = {
    "start to first result": start_to_first_result,
    "shutdown": shutdown,
    "idle: proportional memory": idle_memory,
    "idle: CPU": idle_cpu,
    "driver memory of a pending task": lambda w: memory_of_pending(w, w.scaled(PENDING)),
}

OF_ANY: Lines = {name: LINES[name] for name in ("start to first result", "shutdown")}
"""What a contender without Ray's API can do as well."""
