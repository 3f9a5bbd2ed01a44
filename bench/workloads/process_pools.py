"""Contenders of the standard library, and loky: functions in processes, no objects and no actors. Never raysim."""

import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.pool import Pool
from typing import Any, ClassVar

from bench.operation import Operation
from bench.workloads import CPUS, Contender, Lines, sessions

BATCH = 1_000


def small_value(_: int = 0) -> bytes:
    """At the level of a module: pools import what they run."""
    return b"ok"


def one(world: Any) -> Operation:
    return Operation(world.first_result)


def batch(world: Any, counted_as: int) -> Operation:
    tasks = world.scaled(BATCH)
    return Operation(lambda: world.run(tasks), counted_as * tasks / BATCH)


class _Pool(Contender):
    """A pool of processes, started and stopped; `run` is the fastest way that its interface has."""

    lines: ClassVar[Lines] = sessions.OF_ANY | {
        "single client tasks sync": one,
        "single client tasks async": lambda w: batch(w, counted_as=BATCH),
        "single client tasks and get batch": lambda w: batch(w, counted_as=1),
    }

    def run(self, tasks: int) -> None:
        raise NotImplementedError


class _ExecutorPool(_Pool):
    executor: Executor | None = None

    def make(self) -> Executor:
        raise NotImplementedError

    def start(self) -> None:
        self.executor = self.make()

    def stop(self) -> None:
        if self.executor is not None:
            self.executor.shutdown()
            self.executor = None

    def first_result(self) -> None:
        assert self.executor is not None
        self.executor.submit(small_value).result()

    def run(self, tasks: int) -> None:
        assert self.executor is not None
        submit = self.executor.submit
        for future in [submit(small_value) for _ in range(tasks)]:
            future.result()


class StandardExecutor(_ExecutorPool):
    def make(self) -> Executor:
        return ProcessPoolExecutor(CPUS)


class Loky(_ExecutorPool):
    def make(self) -> Executor:
        from loky import ProcessPoolExecutor as LokyExecutor

        executor: Executor = LokyExecutor(CPUS)
        return executor


class StandardPool(_Pool):
    """`map` with a chunk of one: tasks of their own, as everywhere else."""

    pool: Pool | None = None

    def start(self) -> None:
        self.pool = multiprocessing.Pool(CPUS)

    def stop(self) -> None:
        if self.pool is not None:
            self.pool.close()
            self.pool.join()
            self.pool = None

    def first_result(self) -> None:
        assert self.pool is not None
        self.pool.apply(small_value)

    def run(self, tasks: int) -> None:
        assert self.pool is not None
        self.pool.map(small_value, range(tasks), chunksize=1)
