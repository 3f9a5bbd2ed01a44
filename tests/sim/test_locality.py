"""Where a task runs whose argument lies on another node."""

import random
import time
from typing import Any

import pytest

import raysim as ray


@pytest.mark.parametrize(("locality", "place"), [(True, "far"), (False, "near")])
def test_a_task_goes_to_its_argument_as_long_as_locality_counts(locality: bool, place: str) -> None:
    ray.init(
        backend="sim",
        nodes=[{"num_cpus": 1}, {"num_cpus": 1, "resources": {"far": 1}}],
        _system_config={"locality_aware_leasing": locality},
    )
    try:

        @ray.remote(num_cpus=0, resources={"far": 0.1})
        def made() -> bytes:
            return bytes(1_000_000)

        @ray.remote
        def used(argument: bytes) -> str:
            return ray.get_runtime_context().get_node_id()

        driver = ray.get_runtime_context().get_node_id()
        argument = made.remote()
        ray.wait([argument])
        found = ray.get(used.remote(argument))
        assert ("near" if found == driver else "far") == place
    finally:
        ray.shutdown()


BLOCKS = 8
TASKS = 96


def spread_blocks() -> tuple[list[Any], list[str]]:
    """Data on all nodes, two blocks of 20 MB on each; and on which each is."""

    @ray.remote(num_cpus=1, scheduling_strategy="SPREAD", num_returns=2)
    def block() -> tuple[bytes, str]:
        time.sleep(0.1)
        return bytes(20_000_000), ray.get_runtime_context().get_node_id()

    blocks, places = zip(*[block.remote() for _ in range(BLOCKS)], strict=True)
    return list(blocks), ray.get(list(places))


def analysed(policy: str, **config: Any) -> tuple[float, float]:
    """The share of tasks that ran where their block was, and seconds until all had, of tasks of two users that read
    blocks of which some are read more than others."""
    ray.init(backend="sim", nodes=4, num_cpus=2, _system_config={"policy": policy, **config})
    try:
        blocks, at = spread_blocks()

        @ray.remote
        def analyse(block: bytes) -> str:
            time.sleep(1)
            return ray.get_runtime_context().get_node_id()

        chance = random.Random(3)
        read = [chance.randrange(BLOCKS) for _ in range(TASKS)]
        began = time.time()
        done = []
        for number, one in enumerate(read):
            user = {"raysim.io/user": f"user-{number % 2}"}
            done.append(analyse.options(_labels=user).remote(blocks[one]))
            time.sleep(0.16)
        where = ray.get(done)
        return sum(at[one] == node for one, node in zip(read, where, strict=True)) / TASKS, (
            time.time() - began
        )
    finally:
        ray.shutdown()


@pytest.mark.parametrize("queue", ["fifo", "fair_share"])
def test_a_short_wait_brings_tasks_to_their_data_at_little_cost(queue: str) -> None:
    """Zaharia et al. 2010: a wait as long as some tasks take makes nearly all of them local."""
    plain, delayed = (analysed(one, queue=queue) for one in ("locality", "delay(wait_s=5)"))
    assert plain[0] < 0.6
    assert delayed[0] > 0.95
    assert delayed[1] < 1.1 * plain[1]
