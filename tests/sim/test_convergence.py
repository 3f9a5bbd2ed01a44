"""Faults stop, the cluster heals, and what does not come to rest is named."""

import time

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.faults import NotConvergedError, parse_fault

SECOND = 1_000_000_000


@ray.remote(max_retries=-1)
def work(seconds):
    time.sleep(seconds)
    return seconds


@ray.remote
class Slow:
    def wait(self, seconds):
        time.sleep(seconds)


def test_a_run_that_ends_in_time_is_not_disturbed(init):
    init(nodes=2, world={"heal_ns": 5 * SECOND, "converge_ns": 60 * SECOND})
    ray.get([work.remote(3) for _ in range(8)])
    current_world().converge(10)


def test_faults_stop_when_the_cluster_is_healed(init):
    faults = [
        "partition(at=1s, lasting=none)",
        "kill_worker(at=20s)",
        "kill_worker(at=task_ended*3)",
    ]
    world = {"faults": [parse_fault(text) for text in faults], "heal_ns": 10 * SECOND}
    journal = init(nodes=2, world=world)
    begun = time.time()
    ray.get([work.remote(3) for _ in range(8)])
    assert time.time() - begun < 20
    time.sleep(20)
    kinds = [what.kind for _, _, _, what in journal.records if hasattr(what, "kind")]
    assert kinds.count("partition") == 1
    assert kinds.count("kill_worker") <= 1


def test_a_run_that_goes_on_for_too_long_is_told_what_it_waits_for(init):
    init(world={"heal_ns": SECOND, "converge_ns": 10 * SECOND})
    with pytest.raises(NotConvergedError) as raised:
        ray.get(work.remote(100))
    assert raised.value.within_s == 10
    text = str(raised.value)
    assert "the driver waits" in text
    assert "user code waits: node-0/worker-0 in work" in text
    assert "node-0 lends node-0/worker-0 to node-0/driver-0" in text


def test_what_is_still_lent_is_named(init):
    init()
    slow = work.remote(1000)
    time.sleep(1)
    with pytest.raises(
        NotConvergedError, match=r"lends node-0/worker-0 to node-0/driver-0 \(lease 1"
    ):
        current_world().converge(5)
    del slow


def test_what_is_still_stored_is_named(init):
    init()
    kept = ray.put(bytes(1_000_000))
    with pytest.raises(NotConvergedError, match=r"node-0 stores 1 MB: .* of node-0/driver-0"):
        current_world().converge(5)
    current_world().converge(5, stores=False)
    del kept
    current_world().converge(5)


def test_an_actor_that_lives_is_at_rest(init):
    init()
    slow = Slow.remote()
    ray.get(slow.wait.remote(1))
    current_world().converge(5)


def test_a_resource_that_nobody_holds_and_nobody_has_is_named(init):
    """What a leak looks like: planted here."""
    init()
    ray.get(work.remote(1))
    local = current_world().nodes[0].raylet.view.local
    local.available["CPU"] -= 10_000
    with pytest.raises(NotConvergedError, match="node-0 lacks 1 CPU, which nobody holds"):
        current_world().converge(5)


def test_a_fault_can_strike_at_once_and_be_healed(init):
    init(nodes=2, cpus=1)
    world = current_world()
    ray.get([work.remote(1) for _ in range(2)])
    world.strike(parse_fault("pause_node(at=1h, node=1, lasting=none)".replace("none", "1000s")))
    refs = [work.remote(1) for _ in range(4)]
    done, _ = ray.wait(refs, num_returns=4, timeout=20)
    assert len(done) < 4
    world.heal()
    assert ray.get(refs) == [1] * 4
    with pytest.raises(ValueError, match="the GCS is part of the head's raylet"):
        world.strike(parse_fault("restart_gcs(at=0)"))
