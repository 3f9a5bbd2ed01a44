"""Pauses, links and ends of real processes: what a fault does to a small program, which still ends right.

All on one cluster, which each test leaves healed: see test_faults_of_machines for those that need one of their own.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.journal import Journal, NodeLost, WorkerLost
from tests.cluster.inspection import assert_nothing_left, until
from tests.cluster.striking import (
    FOREVER,
    Keeper,
    is_gone,
    on,
    standing_still,
    state,
    strike,
    whose,
    work,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Journal]:
    journal = Journal()
    context = ray.init(
        backend="cluster", nodes=2, num_cpus=2, object_store_memory=64 << 20, journal=journal
    )
    yield journal
    ray.shutdown()
    assert_nothing_left(context.address_info)


@pytest.fixture
def journal(cluster: Journal) -> Iterator[Journal]:
    """Of this test alone."""
    cluster.forget()
    yield cluster
    strike("heal(at=0)")
    assert until(lambda: not standing_still())


# --- processes and nodes ---


def test_an_actor_that_stands_still_answers_when_it_goes_on(journal: Journal) -> None:
    kept = Keeper.options(name="still").remote()
    _, pid = ray.get(kept.call.remote())
    strike(f"pause_actor(at=0, actor=still, {FOREVER})")
    assert until(lambda: state(pid) == "T")
    again = kept.call.remote()
    assert ray.wait([again], timeout=0.2) == ([], [again])
    strike("heal(at=0)")
    assert ray.get(again) == (2, pid)


def test_all_processes_of_a_paused_node_stand_still_and_nothing_is_lost(journal: Journal) -> None:
    _, worker = ray.get(whose.options(scheduling_strategy=on(1)).remote(0))
    node = int(current_world().address_info()["node_pids"].split(",")[1])
    assert strike(f"pause_node(at=0, node=1, {FOREVER})") == "node-1"
    assert until(lambda: [state(pid) for pid in (node, worker)] == ["T", "T"])
    there = whose.options(scheduling_strategy=on(1)).remote(1)
    assert ray.wait([there], timeout=0.3) == ([], [there])
    strike("heal(at=0)")
    assert ray.get(there)[0] == 1
    assert "T" not in [state(pid) for pid in (node, worker)]
    assert journal.notes(NodeLost) == []


def test_calls_go_on_while_their_raylet_stands_still(journal: Journal) -> None:
    keeper = Keeper.options(scheduling_strategy=on(1)).remote()
    assert ray.get(keeper.call.remote())[0] == 1
    assert strike(f"pause_raylet(at=0, node=1, {FOREVER})") == "node-1/raylet"
    assert ray.get(keeper.call.remote())[0] == 2
    strike("heal(at=0)")
    assert journal.notes(NodeLost) == journal.notes(WorkerLost) == []


def test_pauses_that_overlap_end_with_the_last(journal: Journal) -> None:
    node = int(current_world().address_info()["node_pids"].split(",")[1])
    strike(f"pause_raylet(at=0, node=1, {FOREVER})")
    strike("pause_raylet(at=0, node=1, lasting=50ms)")
    assert ray.get(work.options(scheduling_strategy=on(0)).remote(0.2, "a")) == "a"
    assert state(node) == "T"
    strike("heal(at=0)")
    assert until(lambda: state(node) != "T")


# --- links ---


def test_a_node_that_is_cut_off_is_reached_again_when_that_is_healed(journal: Journal) -> None:
    assert ray.get(work.options(scheduling_strategy=on(1)).remote(0, 1)) == 1
    assert strike("isolate(at=0, node=1, lasting=none)") == "node-1 and node-0"
    there = work.options(scheduling_strategy=on(1)).remote(0, 2)
    assert ray.wait([there], timeout=0.3) == ([], [there])
    assert ray.get(work.options(scheduling_strategy=on(0)).remote(0, 3)) == 3
    strike("heal(at=0)")
    assert ray.get(there) == 2
    assert journal.notes(NodeLost) == journal.notes(WorkerLost) == []


def test_what_one_side_says_is_held_and_what_the_other_says_is_not(
    journal: Journal, tmp_path: Path
) -> None:

    @ray.remote
    class Toucher:
        def touch(self, name: str) -> str:
            (tmp_path / name).touch()
            return name

    toucher = Toucher.options(scheduling_strategy=on(1)).remote()
    assert ray.get(toucher.touch.remote("a")) == "a"
    assert strike("isolate(at=0, node=1, one_way=true, lasting=none)") == "node-1 to node-0"
    called = toucher.touch.remote("b")
    assert until(lambda: (tmp_path / "b").exists())
    assert ray.wait([called], timeout=0.2) == ([], [called])
    strike("heal(at=0)")
    assert ray.get(called) == "b"


def test_a_cut_holds_as_soon_as_it_was_struck(journal: Journal) -> None:
    keeper = Keeper.options(scheduling_strategy=on(1)).remote()
    for times in range(1, 21):
        strike("isolate(at=0, node=1, one_way=true, lasting=none)")
        called = keeper.call.remote()
        assert ray.wait([called], timeout=0.02) == ([], [called])
        strike("heal(at=0)")
        assert ray.get(called)[0] == times


def test_what_is_delayed_arrives_later(journal: Journal) -> None:
    there = work.options(scheduling_strategy=on(1))
    ray.get(there.remote(0, 0))
    strike("delay(at=0, nodes=1, latency=150ms, lasting=none)")

    def seconds() -> float:
        begun = time.monotonic()
        assert ray.get(there.remote(0, 1)) == 1
        return time.monotonic() - begun

    # There and back; the worker hears of it from its node, a moment after the strike.
    assert until(lambda: seconds() >= 0.3)


def test_processes_that_start_later_know_of_the_cut(journal: Journal) -> None:
    strike("isolate(at=0, node=1, lasting=none)")
    there = [work.options(scheduling_strategy=on(1)).remote(0.1, n) for n in range(4)]
    assert ray.wait(there, timeout=0.2)[0] == []
    strike("delay(at=0, nodes=1, latency=5ms, jitter=5ms, message=TasksDone)")
    strike("heal(at=0)")
    assert ray.get(there) == list(range(4))


# --- ends ---


def test_a_killed_actor_restarts_if_it_may(journal: Journal) -> None:
    kept = Keeper.options(name="kept", max_restarts=1, max_task_retries=-1).remote()
    lost = Keeper.options(name="lost").remote()
    (first, one), (second, other) = ray.get([kept.call.remote(), lost.call.remote()])
    assert (first, second) == (1, 1)
    for name in ("kept", "lost"):
        assert "worker" in strike(f"kill_actor(at=0, actor={name})")
    assert until(lambda: is_gone(one) and is_gone(other))
    assert ray.get(kept.call.remote())[0] == 1
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(lost.call.remote())
    assert strike("kill_actor(at=0, actor=other)") == "nobody, as no such actor lived"
