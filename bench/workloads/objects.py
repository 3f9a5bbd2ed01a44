"""Ray's lines on objects, references and placement groups, for whoever speaks Ray's API. Never chooses who."""

from typing import Any

import numpy as np

from bench.operation import Operation
from bench.workloads import Lines
from bench.workloads.tasks import small_value_of

LARGE = 100 * 1024 * 1024
"""Numbers of eight bytes: 0.8 GB."""

REFS = 10_000
WAITED = 1_000
GROUPS = 100
CUSTOM = "custom"
"""The resource that placement groups ask for."""


def get_calls(world: Any) -> Operation:
    ray, value = world.ray, world.ray.put(0)
    return Operation(lambda: ray.get(value))


def put_calls(world: Any) -> Operation:
    ray = world.ray
    return Operation(lambda: ray.put(0))


def multi_put_calls(world: Any) -> Operation:
    ray, each = world.ray, world.scaled(100)

    @ray.remote
    def do_put_small() -> None:
        for _ in range(each):
            ray.put(0)

    return Operation(lambda: ray.get([do_put_small.remote() for _ in range(10)]), 10 * each)


def put_gigabytes(world: Any) -> Operation:
    """Of pages that were never written to, as Ray's: the machine reads them all from one page of zeros."""
    return put_again(world.ray, np.zeros(world.scaled(LARGE), dtype=np.int64))


def put_touched(world: Any) -> Operation:
    return put_again(world.ray, touched(world.scaled(LARGE)))


def put_again(ray: Any, array: Any) -> Operation:
    def put() -> None:
        # Whoever times the call would keep a reference that it returned, and so this object beside the next.
        ray.put(array)

    return Operation(put, array.nbytes / 1e9)


def touched(numbers: int) -> Any:
    return np.ones(numbers, dtype=np.int64)


def multi_put_gigabytes(world: Any) -> Operation:
    ray, numbers = world.ray, world.scaled(LARGE // 10)

    @ray.remote
    def do_put() -> None:
        for _ in range(10):
            ray.put(np.zeros(numbers, dtype=np.int64))

    return Operation(lambda: ray.get([do_put.remote() for _ in range(10)]), 100 * numbers * 8 / 1e9)


def get_object_containing_refs(world: Any) -> Operation:
    ray, count = world.ray, world.scaled(REFS)

    @ray.remote
    def create_object_containing_ref() -> list[Any]:
        return [ray.put(1) for _ in range(count)]

    holder = create_object_containing_ref.remote()
    return Operation(lambda: ray.get(holder), count / REFS)


def wait_refs(world: Any) -> Operation:
    ray, small_value, count = world.ray, small_value_of(world.ray), world.scaled(WAITED)

    def wait() -> None:
        left = [small_value.remote() for _ in range(count)]
        for number in range(count):
            # As Ray's: to ask for them to be brought here once is enough.
            _, left = ray.wait(left, fetch_local=number == 0)

    return Operation(wait, count / WAITED)


def placement_groups(world: Any) -> Operation:
    ray, count = world.ray, world.scaled(GROUPS)

    def create_and_remove() -> None:
        groups = [ray.util.placement_group([{CUSTOM: 0.001}]) for _ in range(count)]
        for group in groups:
            assert group.wait(timeout_seconds=30)
        for group in groups:
            ray.util.remove_placement_group(group)

    return Operation(create_and_remove, count)


LINES: Lines = {
    "single client get calls (Plasma Store)": get_calls,
    "single client put calls (Plasma Store)": put_calls,
    "multi client put calls (Plasma Store)": multi_put_calls,
    "single client put gigabytes": put_gigabytes,
    "put gigabytes, touched": put_touched,
    "multi client put gigabytes": multi_put_gigabytes,
    "single client get object containing 10k refs": get_object_containing_refs,
    "single client wait 1k refs": wait_refs,
    "placement group create/removal": placement_groups,
}
