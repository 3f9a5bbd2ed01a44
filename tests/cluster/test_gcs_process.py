"""A GCS that is a process of its own ends under load and comes back on its tables: nothing acknowledged is lost."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.journal import Journal, NodeLost, WorkerLost
from raysim.util import placement_group, remove_placement_group
from raysim.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from tests.cluster.inspection import assert_nothing_left, called, children_of, until
from tests.cluster.striking import Keeper, on, state, strike, work

Kill = Callable[[], None]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Journal]:
    journal = Journal()
    context = ray.init(
        backend="cluster",
        nodes=2,
        num_cpus=2,
        object_store_memory=64 << 20,
        journal=journal,
        world={"gcs_process": True},
    )
    yield journal
    ray.shutdown()
    assert_nothing_left(context.address_info)


@pytest.fixture
def journal(cluster: Journal) -> Iterator[Journal]:
    """Of this test alone, in which no node and no worker is lost."""
    cluster.forget()
    yield cluster
    strike("heal(at=0)")
    assert cluster.notes(NodeLost) == cluster.notes(WorkerLost) == []


def gcs_pids() -> list[int]:
    head = int(current_world().address_info()["node_pids"].split(",")[0])
    return [pid for pid in children_of(head) if called(pid) == "raysim-gcs"]


def gcs_pid() -> int:
    (pid,) = gcs_pids()
    return pid


def kill_gcs() -> None:
    """Returns once another one is there."""
    before = gcs_pid()
    os.kill(before, signal.SIGKILL)
    assert until(lambda: bool(gcs_pids()) and gcs_pids() != [before])


def alive_nodes() -> int:
    return sum(node["Alive"] for node in ray.nodes())


def test_it_is_a_process_of_its_own_with_the_address_of_the_cluster(journal: Journal) -> None:
    info = current_world().address_info()
    assert str(gcs_pid()) not in info["node_pids"].split(",")
    port = int(info["gcs_address"].rpartition(":")[2])
    kill_gcs()
    assert alive_nodes() == 2
    assert int(current_world().address_info()["gcs_address"].rpartition(":")[2]) == port


def test_tasks_that_run_and_wait_end_right_while_it_is_away(journal: Journal) -> None:
    refs = [
        work.options(scheduling_strategy=on(n % 2), num_cpus=1).remote(0.1, n) for n in range(12)
    ]
    kill_gcs()
    assert ray.get(refs, timeout=60) == list(range(12))


def test_actors_and_groups_go_on_and_are_found_by_name(journal: Journal) -> None:
    group = placement_group([{"CPU": 0.1}] * 2, name="kept", strategy="STRICT_SPREAD")
    assert group.wait(30)
    there = PlacementGroupSchedulingStrategy(group)
    named = Keeper.options(name="named", num_cpus=0.1, scheduling_strategy=there).remote()
    free = Keeper.options(name="free", lifetime="detached", num_cpus=0).remote()
    before = [ray.get(actor.call.remote())[1] for actor in (named, free)]
    kill_gcs()
    found = [ray.get_actor(name) for name in ("named", "free")]
    assert [ray.get(actor.call.remote(), timeout=60) for actor in found] == [
        (2, pid) for pid in before
    ]
    again = Keeper.options(num_cpus=0.1, scheduling_strategy=there).remote()
    assert ray.get(again.call.remote(), timeout=60)[0] == 1
    remove_placement_group(group)
    ray.kill(free)


def test_what_is_asked_while_it_is_away_is_answered_when_it_is_back(journal: Journal) -> None:
    assert strike("restart_gcs(at=0, lasting=300ms)") == "node-0/gcs"
    assert until(lambda: not gcs_pids())
    actors = [Keeper.options(num_cpus=0.1).remote() for _ in range(3)]
    calls = [actor.call.remote() for actor in actors]
    assert ray.get(work.remote(0, "meanwhile"), timeout=60) == "meanwhile"
    assert [count for count, _ in ray.get(calls, timeout=60)] == [1, 1, 1]


def test_an_actor_whose_creation_was_not_committed_is_created_once(journal: Journal) -> None:
    before = gcs_pid()
    assert strike("lose_gcs_commit(at=0, lasting=50ms)") == "node-0/gcs"
    actor = Keeper.options(name="once", num_cpus=0.1).remote()
    assert ray.get(actor.call.remote(), timeout=60)[0] == 1
    assert gcs_pid() != before
    assert ray.get(ray.get_actor("once").call.remote())[0] == 2


def test_one_that_stands_still_is_waited_for(journal: Journal) -> None:
    assert strike("pause_gcs(at=0, lasting=1h)") == "node-0/gcs"
    assert until(lambda: state(gcs_pid()) == "T")
    actor = Keeper.options(num_cpus=0.1).remote()
    call = actor.call.remote()
    assert ray.get(work.remote(0, "meanwhile"), timeout=60) == "meanwhile"
    assert ray.wait([call], timeout=0.2) == ([], [call])
    strike("heal(at=0)")
    assert ray.get(call, timeout=60)[0] == 1


def test_one_that_ends_again_and_again_comes_back(journal: Journal) -> None:
    kept = Keeper.options(num_cpus=0.1).remote()
    ray.get(kept.call.remote())
    for _ in range(3):
        kill_gcs()
    assert alive_nodes() == 2
    assert ray.get(kept.call.remote(), timeout=60)[0] == 2
    more: Any = Keeper.options(num_cpus=0.1).remote()
    assert ray.get(more.call.remote(), timeout=60)[0] == 1


def test_a_node_that_ends_while_it_is_away_is_found_out(cluster: Journal) -> None:
    """The last test of this cluster."""
    lost = Keeper.options(num_cpus=0.1, scheduling_strategy=on(1)).remote()
    ray.get(lost.call.remote())
    strike("restart_gcs(at=0, lasting=300ms)")
    strike("kill_node(at=0, node=1)")
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(lost.call.remote(), timeout=60)
    assert until(lambda: alive_nodes() == 1)
