"""Several nodes on one machine: transfers over TCP, placement, loss of a node."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from tests.cluster.inspection import assert_nothing_left, until

np = pytest.importorskip("numpy")

Start = Callable[..., Any]


def on(node_id: str) -> dict[str, Any]:
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node_id, soft=False)}


def node_ids(context: Any) -> list[str]:
    return context.address_info["node_ids"].split(",")


@ray.remote
def where() -> str:
    return str(ray.get_runtime_context().get_node_id())


@ray.remote
def make(n: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 255, n, dtype=np.uint8)


@ray.remote
def total(array: Any) -> int:
    return int(array.sum(dtype=np.int64))


def test_all_nodes_are_there_and_run_tasks(start: Start) -> None:
    context = start(nodes=3, num_cpus=1)
    assert [node["Alive"] for node in ray.nodes()] == [True] * 3
    assert ray.cluster_resources()["CPU"] == 3
    places = ray.get([where.options(**on(node)).remote() for node in node_ids(context)])
    assert places == node_ids(context)


def test_a_large_object_moves_between_nodes(start: Start) -> None:
    context = start(nodes=2, num_cpus=1)
    head, other = node_ids(context)
    there = make.options(**on(other)).remote(20_000_000)
    expected = int(
        np.random.default_rng(0).integers(0, 255, 20_000_000, dtype=np.uint8).sum(dtype=np.int64)
    )
    assert ray.get(total.options(**on(head)).remote(there)) == expected
    assert int(ray.get(there).sum(dtype=np.int64)) == expected
    here = ray.put(np.ones(10_000_000, dtype=np.uint8))
    assert ray.get(total.options(**on(other)).remote(here)) == 10_000_000


def test_actors_on_different_nodes_talk(start: Start) -> None:
    context = start(nodes=2, num_cpus=1)
    head, other = node_ids(context)

    @ray.remote
    class Ping:
        def __init__(self, peer: Any = None) -> None:
            self.peer = peer

        def ping(self, depth: int) -> list[str]:
            mine = [str(ray.get_runtime_context().get_node_id())]
            return mine + (ray.get(self.peer.ping.remote(depth - 1)) if depth else [])

    last = Ping.options(**on(other)).remote()
    first = Ping.options(**on(head)).remote(last)
    assert ray.get(first.ping.remote(1), timeout=60) == [head, other]


def test_more_tasks_than_one_node_can_hold_spill_over(start: Start, tmp_path: Path) -> None:
    start(nodes=2, num_cpus=2)

    @ray.remote
    def stay(number: int) -> str:
        """Until all of them run."""
        (tmp_path / str(number)).touch()
        assert until(lambda: len(list(tmp_path.iterdir())) == 4)
        return str(ray.get_runtime_context().get_node_id())

    places = ray.get([stay.remote(number) for number in range(4)], timeout=60)
    assert len(set(places)) == 2


def test_a_node_can_be_added_and_killed(start: Start) -> None:
    start(num_cpus=1)
    world = current_world()
    assert world is not None
    added = world.add_node(
        ray.backend.NodeOptions(num_cpus=1, resources={"special": 1}, object_store_memory=32 << 20)
    )
    assert ray.get(where.options(resources={"special": 1}).remote(), timeout=60) == added
    world.kill_node(added)
    assert until(lambda: [node["Alive"] for node in ray.nodes()] == [True, False])
    with pytest.raises(ValueError, match="There is no node"):
        world.kill_node("nonsense")


def test_the_loss_of_a_node_in_the_middle_of_a_run_is_recovered(
    start: Start, tmp_path: Any
) -> None:
    """Running tasks run again elsewhere, and results that only the lost node had are made again."""
    context = start(nodes=3, num_cpus=2)
    world = current_world()
    assert world is not None

    @ray.remote
    def step(value: Any, seconds: float) -> Any:
        time.sleep(seconds)
        return np.concatenate([value[:1] + 1, value[1:]])

    chains = [
        make.options(scheduling_strategy="SPREAD").remote(300_000, seed) for seed in range(12)
    ]
    first = ray.get(chains)
    for _ in range(4):
        chains = [step.options(scheduling_strategy="SPREAD").remote(chain, 0.1) for chain in chains]
    time.sleep(0.25)
    world.kill_node(node_ids(context)[1])
    results = ray.get(chains, timeout=120)
    for result, begin in zip(results, first, strict=True):
        assert result[0] == (int(begin[0]) + 4) % 256
        np.testing.assert_array_equal(result[1:], begin[1:])


def test_cluster_utils_starts_and_kills_nodes() -> None:
    from raysim.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1}, backend="cluster")
    second = cluster.add_node(num_cpus=1, resources={"second": 1})
    context = ray.init(address=cluster.address)
    try:
        assert ray.get(where.options(resources={"second": 1}).remote(), timeout=60)
        cluster.remove_node(second)
        assert until(lambda: sum(node["Alive"] for node in ray.nodes()) == 1)
        assert ray.get(where.remote(), timeout=60)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert_nothing_left(context.address_info)


def test_each_node_has_its_own_processes(start: Start) -> None:
    context = start(nodes=2, num_cpus=1)
    pids = [int(pid) for pid in context.address_info["node_pids"].split(",")]
    assert len(set(pids)) == 2
    for pid in pids:
        os.kill(pid, 0)
