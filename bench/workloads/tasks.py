"""Ray's lines on tasks, for whoever speaks Ray's API. Never chooses who."""

from typing import Any

from bench.operation import Operation
from bench.workloads import Lines

BATCH = 1_000
CLIENTS = 4


def small_value_of(ray: Any) -> Any:
    @ray.remote
    def small_value() -> bytes:
        return b"ok"

    return small_value


def batch_of(ray: Any, tasks: int) -> Operation:
    small_value = small_value_of(ray)
    return Operation(lambda: ray.get([small_value.remote() for _ in range(tasks)]), tasks)


def tasks_and_get_batch(world: Any) -> Operation:
    """A thousand count as one, as in Ray's table."""
    batch = batch_of(world.ray, world.scaled(BATCH))
    return batch._replace(per_call=batch.per_call / BATCH)


def tasks_sync(world: Any) -> Operation:
    ray, small_value = world.ray, small_value_of(world.ray)
    return Operation(lambda: ray.get(small_value.remote()))


def tasks_async(world: Any) -> Operation:
    return batch_of(world.ray, world.scaled(BATCH))


def multi_client_tasks_async(world: Any) -> Operation:
    ray, small_value, each = world.ray, small_value_of(world.ray), world.scaled(2_500)

    class Client:
        def small_value_batch(self, count: int) -> None:
            ray.get([small_value.remote() for _ in range(count)])

    client_class = ray.remote(num_cpus=0)(Client)
    clients = [client_class.remote() for _ in range(CLIENTS)]
    return Operation(
        lambda: ray.get([client.small_value_batch.remote(each) for client in clients]),
        each * CLIENTS,
    )


LINES: Lines = {
    "single client tasks and get batch": tasks_and_get_batch,
    "single client tasks sync": tasks_sync,
    "single client tasks async": tasks_async,
    "multi client tasks async": multi_client_tasks_async,
}
