"""Ray's lines on calls of actors, for whoever speaks Ray's API. Never chooses who."""

import multiprocessing
from typing import Any

from bench.operation import Operation
from bench.workloads import Lines

BATCH = 1_000
CALLERS = 4
SERVERS = max(1, multiprocessing.cpu_count() // 2)


def actor_of(ray: Any) -> Any:
    @ray.remote(num_cpus=0)
    class Actor:
        def small_value(self) -> bytes:
            return b"ok"

        def small_value_arg(self, argument: Any) -> bytes:
            return b"ok"

    return Actor


def async_actor_of(ray: Any) -> Any:
    @ray.remote(num_cpus=0)
    class AsyncActor:
        async def small_value(self) -> bytes:
            return b"ok"

        async def small_value_arg(self, argument: Any) -> bytes:
            return b"ok"

    return AsyncActor


def client_of(ray: Any) -> Any:
    @ray.remote(num_cpus=0)
    class Client:
        def __init__(self, servers: list[Any]) -> None:
            self.servers = servers

        def small_value_batch(self, count: int) -> None:
            ray.get([server.small_value.remote() for server in self.servers for _ in range(count)])

        def small_value_batch_arg(self, count: int) -> None:
            given = ray.put(0)
            servers = self.servers
            ray.get(
                [server.small_value_arg.remote(given) for server in servers for _ in range(count)]
            )

    return Client


def sync(ray: Any, actor: Any) -> Operation:
    return Operation(lambda: ray.get(actor.small_value.remote()))


def batch(ray: Any, actor: Any, calls: int) -> Operation:
    return Operation(lambda: ray.get([actor.small_value.remote() for _ in range(calls)]), calls)


def one_to_many(ray: Any, servers: list[Any], calls: int) -> Operation:
    client = client_of(ray).remote(servers)
    return Operation(lambda: ray.get(client.small_value_batch.remote(calls)), calls * len(servers))


def many_to_many(ray: Any, servers: list[Any], calls: int) -> Operation:
    @ray.remote
    def work(servers: list[Any]) -> None:
        ray.get([servers[i % len(servers)].small_value.remote() for i in range(calls)])

    return Operation(
        lambda: ray.get([work.remote(servers) for _ in range(CALLERS)]), calls * CALLERS
    )


def many_to_many_with_argument(world: Any) -> Operation:
    ray, calls = world.ray, world.scaled(BATCH)
    client = client_of(ray)
    clients = [client.remote([server]) for server in several(actor_of(ray))]
    return Operation(
        lambda: ray.get([client.small_value_batch_arg.remote(calls) for client in clients]),
        calls * len(clients),
    )


def async_with_argument(world: Any) -> Operation:
    ray, calls = world.ray, world.scaled(BATCH)
    actor = async_actor_of(ray).remote()
    return Operation(
        lambda: ray.get([actor.small_value_arg.remote(i) for i in range(calls)]), calls
    )


def several(actor: Any) -> list[Any]:
    return [actor.remote() for _ in range(SERVERS)]


def concurrent(world: Any) -> Operation:
    actor = actor_of(world.ray).options(max_concurrency=16).remote()
    return batch(world.ray, actor, world.scaled(BATCH))


LINES: Lines = {
    "1:1 actor calls sync": lambda w: sync(w.ray, actor_of(w.ray).remote()),
    "1:1 actor calls async": lambda w: batch(w.ray, actor_of(w.ray).remote(), w.scaled(BATCH)),
    "1:1 actor calls concurrent": concurrent,
    "1:n actor calls async": lambda w: one_to_many(
        w.ray, several(actor_of(w.ray)), w.scaled(5_000)
    ),
    "n:n actor calls async": lambda w: many_to_many(
        w.ray, several(actor_of(w.ray)), w.scaled(5_000)
    ),
    "n:n actor calls with arg async": many_to_many_with_argument,
    "1:1 async-actor calls sync": lambda w: sync(w.ray, async_actor_of(w.ray).remote()),
    "1:1 async-actor calls async": lambda w: batch(
        w.ray, async_actor_of(w.ray).remote(), w.scaled(BATCH)
    ),
    "1:1 async-actor calls with args async": async_with_argument,
    "1:n async-actor calls async": lambda w: one_to_many(
        w.ray, several(async_actor_of(w.ray)), w.scaled(5_000)
    ),
    "n:n async-actor calls async": lambda w: many_to_many(
        w.ray, several(async_actor_of(w.ray)), w.scaled(5_000)
    ),
}
