"""Faults of nodes, stores, disks, memory and runs, on real processes; each with a cluster of its own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.cluster_utils import Cluster
from raysim.faults import parse_fault
from raysim.journal import Journal, NodeLost, TaskEnded, WorkerLost
from tests.cluster.inspection import until
from tests.cluster.striking import (
    FOREVER,
    GO_ON,
    Keeper,
    hold,
    is_gone,
    on,
    retried,
    strike,
    struck,
    whose,
    work,
)

Start = Callable[..., Any]

MB = 1_000_000
SMALL = {"min_spilling_size": 4 * MB, "store_full_timeout_ms": 200, "spill_retry_ms": 20}


@ray.remote(max_retries=-1)
def make(number: int) -> Any:
    return np.full(2 * MB, number, np.uint8)


def put_many(count: int) -> list[Any]:
    return [ray.put(np.full(2 * MB, number, np.uint8)) for number in range(count)]


def begin(start: Start, *faults: str, **options: Any) -> Journal:
    journal = Journal()
    world = {"faults": [parse_fault(text) for text in faults]} if faults else None
    start(**{"nodes": 2, "num_cpus": 2, **options}, journal=journal, world=world)
    return journal


def test_a_task_whose_worker_is_killed_runs_again(start: Start, tmp_path: Path) -> None:
    journal = begin(start, "kill_worker(at=task_ended, node=0)", nodes=1, num_cpus=1)
    _, pid = ray.get(whose.remote(0))
    held = hold.remote(str(tmp_path), "held")
    assert until(lambda: is_gone(pid))
    (tmp_path / GO_ON).touch()
    assert ray.get(held) == "held"
    assert until(lambda: struck(journal) == [("kill_worker", "node-0/worker-1")])


def test_an_event_is_heard_of_without_a_journal_of_the_user(start: Start) -> None:
    start(num_cpus=1, world={"faults": [parse_fault("kill_actor(at=task_ended*2, actor=kept)")]})
    kept = Keeper.options(name="kept", max_restarts=1, max_task_retries=-1).remote()
    first = ray.get(kept.call.remote())[1]
    assert until(lambda: ray.get(kept.call.remote())[1] != first)


def test_a_worker_that_stands_still_ends_its_task_later(start: Start) -> None:
    journal = begin(
        start, "pause_worker(at=task_ended, node=0, lasting=300ms)", nodes=1, num_cpus=1
    )
    results = ray.get([whose.remote(n) for n in range(4)])
    assert [number for number, _ in results] == list(range(4))
    assert len({pid for _, pid in results}) == 1
    assert journal.notes(WorkerLost) == []


def test_a_node_that_stands_still_for_too_long_is_dead_when_it_goes_on(start: Start) -> None:
    config = {"health_check_period_ms": 300, "health_check_timeout_ms": 500}
    journal = begin(start, _system_config={**config, "health_check_failure_threshold": 3})
    there = work.options(scheduling_strategy=on(1), max_retries=0).remote(60, 1)
    node = current_world().address_info()["node_ids"].split(",")[1]
    strike(f"pause_node(at=0, node=1, {FOREVER})")
    assert until(lambda: bool(journal.notes(NodeLost)))
    with pytest.raises(ray.exceptions.RayError):
        ray.get(there)
    strike("heal(at=0)")
    assert until(lambda: not current_world().is_alive(node))


def test_a_node_that_is_restarted_comes_back_as_another(start: Start) -> None:
    journal = begin(start)
    assert strike("restart_node(at=0, node=1, lasting=100ms)") == "node-1"
    assert until(lambda: current_world().node_names()[1] == "node-1@1")
    assert sorted(row["Alive"] for row in ray.nodes()) == [False, True, True]
    assert [note.name for note in journal.notes(NodeLost)] == ["node-1"]
    assert ray.get(work.options(scheduling_strategy=on(1)).remote(0, "back")) == "back"
    assert strike("kill_raylet(at=0, node=1)") == "node-1"
    assert strike("kill_node(at=0, node=1)") == "node-1, which was dead already"
    assert strike("pause_node(at=0, node=1)") == "node-1, which was dead already"


def test_nodes_that_were_added_are_struck_too(start: Start) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1}, backend="cluster")
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address)
        assert strike("pause_node(at=0, node=1, lasting=50ms)") == "node-1"
        assert ray.get([work.remote(0.1, n) for n in range(4)]) == list(range(4))
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_a_full_disk_is_a_typed_error_until_it_has_room_again(start: Start) -> None:
    begin(start, nodes=1, object_store_memory=20 * MB, _system_config=SMALL)
    strike("fill_disk(at=0, node=0, lasting=none)")
    refs = put_many(6)
    with pytest.raises(ray.exceptions.OutOfDiskError):
        refs += put_many(20)
    strike("heal(at=0)")
    strike("slow_disk(at=0, node=0, factor=2)")
    more = put_many(20)
    assert [int(ray.get(ref)[-1]) for ref in [*refs, *more]] == [*range(6), *range(20)]


@pytest.mark.parametrize("kind", ["lose_spilled", "corrupt_spilled"])
def test_what_is_spoiled_on_disk_is_made_again(start: Start, kind: str) -> None:
    begin(start, nodes=1, object_store_memory=20 * MB, _system_config=SMALL)
    assert strike(f"{kind}(at=0, node=0)") == "node-0, which had no file"
    made = [make.remote(number) for number in range(20)]
    ray.wait(made, num_returns=20, fetch_local=False)
    spoiled = [strike(f"{kind}(at=0, node=0)") for _ in range(6)]
    assert all(" file " in f" {target} " and "node-0" in target for target in spoiled)
    assert [int(ray.get(ref)[-1]) for ref in made] == list(range(20))


def test_a_full_store_is_waited_for(start: Start) -> None:
    begin(start, nodes=1, object_store_memory=20 * MB)
    ray.get(whose.remote(0))  # A worker is there, and has asked for no room yet.
    strike(f"fill_store(at=0, node=0, size=1MB, {FOREVER})")
    made = make.remote(1)
    assert ray.wait([made], timeout=0.3) == ([], [made])
    strike("heal(at=0)")
    assert int(ray.get(made)[-1]) == 1


def test_under_pressure_a_node_ends_workers_whose_work_runs_again(
    start: Start, tmp_path: Path
) -> None:
    config = {"memory_monitor_refresh_ms": 50, "task_oom_retry_delay_ms": 10}
    journal = begin(start, nodes=1, _system_config=config)
    results = [hold.remote(str(tmp_path), name) for name in ("a", "b")]
    assert until(lambda: len(os.listdir(tmp_path)) == 2)
    strike(f"memory_pressure(at=0, node=0, {FOREVER})")
    assert until(lambda: bool(retried(journal)))
    assert "out of memory" in retried(journal)[0]
    strike("heal(at=0)")
    (tmp_path / GO_ON).touch()
    assert ray.get(results) == ["a", "b"]


def test_a_worker_that_the_system_ends_is_the_one_that_began_last(
    start: Start, tmp_path: Path
) -> None:
    journal = begin(start, nodes=1)
    assert strike("worker_out_of_memory(at=0, node=0)") == "node-0, which had no busy worker"
    results = []
    for count, name in enumerate(("first", "last"), start=1):
        results.append(hold.options(name=name).remote(str(tmp_path), name))
        assert until(lambda count=count: len(os.listdir(tmp_path)) == count)
    assert strike("worker_out_of_memory(at=0, node=0)").startswith("node-0/worker-")
    assert until(lambda: bool(retried(journal)))
    (tmp_path / GO_ON).touch()
    assert ray.get(results) == ["first", "last"]
    ended = [note.name for note in journal.notes(TaskEnded) if note.status == "retried"]
    assert ended == ["last"]


def test_a_run_that_ends_while_all_stand_still_leaves_nothing(start: Start) -> None:
    begin(start, f"pause_node(at=0, node=1, {FOREVER})", f"pause_worker(at=0, node=0, {FOREVER})")
    ray.get(work.options(scheduling_strategy=on(0)).remote(0, 1))
    strike(f"pause_node(at=0, node=0, {FOREVER})")
    ray.shutdown()


def test_what_cannot_be_performed_is_refused_before_anything_starts(start: Start) -> None:
    faults = [parse_fault("clock_skew(at=1s)"), parse_fault("loss(at=1s)")]
    with pytest.raises(ValueError, match=r"clock_skew\(at=1s\) cannot.*\n.*loss\(at=1s\) cannot"):
        ray.init(backend="cluster", world={"faults": faults})
    with pytest.raises(ValueError, match="has no node 7"):
        ray.init(backend="cluster", world={"faults": [parse_fault("kill_node(at=1s, node=7)")]})
    start(num_cpus=1)
    with pytest.raises(ValueError, match=r"restart_gcs\(at=0\): here the GCS is part of"):
        strike("restart_gcs(at=0)")
