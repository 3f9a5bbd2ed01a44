"""Dask distributed as a contender: a scheduler and workers in processes of this machine. Never its collections."""

from typing import Any, ClassVar

from distributed import Client

from bench.operation import Operation
from bench.workloads import CPUS, Contender, Lines, sessions

BATCH = 1_000


def small_value() -> bytes:
    return b"ok"


class Actor:
    def small_value(self) -> bytes:
        return b"ok"


def batch(world: Any, counted_as: int) -> Operation:
    tasks = world.scaled(BATCH)

    def run() -> None:
        submit = world.client.submit
        world.client.gather([submit(small_value, pure=False) for _ in range(tasks)])

    return Operation(run, counted_as * tasks / BATCH)


def actor(world: Any) -> Any:
    return world.client.submit(Actor, actor=True).result()


def actor_sync(world: Any) -> Operation:
    server = actor(world)
    return Operation(lambda: server.small_value().result())


def actor_async(world: Any) -> Operation:
    server, calls = actor(world), world.scaled(BATCH)

    def run() -> None:
        for answer in [server.small_value() for _ in range(calls)]:
            answer.result()

    return Operation(run, calls)


def put_calls(world: Any) -> Operation:
    return Operation(lambda: world.client.scatter(0, hash=False))


def get_calls(world: Any) -> Operation:
    held = world.client.scatter(0, hash=False)
    return Operation(held.result)


class Dask(Contender):
    lines: ClassVar[Lines] = sessions.OF_ANY | {
        "single client tasks sync": lambda w: Operation(w.first_result),
        "single client tasks async": lambda w: batch(w, counted_as=BATCH),
        "single client tasks and get batch": lambda w: batch(w, counted_as=1),
        "1:1 actor calls sync": actor_sync,
        "1:1 actor calls async": actor_async,
        "single client get calls (Plasma Store)": get_calls,
        "single client put calls (Plasma Store)": put_calls,
    }

    def __init__(self, scale: float) -> None:
        super().__init__(scale)
        self.client: Any = None

    def start(self) -> None:
        self.client = Client(
            n_workers=CPUS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs="ERROR",
        )

    def stop(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client.cluster.close()
            self.client = None

    def first_result(self) -> None:
        assert self.client.submit(small_value, pure=False).result() == b"ok"
