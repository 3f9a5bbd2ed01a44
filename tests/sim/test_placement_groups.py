"""Placement groups in virtual time: nodes that lose power without a word."""

import time

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.backend import NodeOptions
from raysim.faults import parse_fault
from raysim.journal import Journal, Level, NodeLost, PlacementGroupNoted
from raysim.util import placement_group, placement_group_table, remove_placement_group
from raysim.util.scheduling_strategies import PlacementGroupSchedulingStrategy


@ray.remote
def work(seconds):
    time.sleep(seconds)
    return ray.get_runtime_context().get_node_id()


def in_bundle(group, index=-1):
    return PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index)


def states(journal):
    return [note.state for note in journal.notes(PlacementGroupNoted)]


def test_a_group_has_the_room_beside_an_actor_that_took_long_to_start(init):
    """Its node has reported meanwhile what the actor was about to take."""
    init(world={"network": {"worker_start": "300ms"}})

    @ray.remote(num_cpus=1)
    class Slow:
        def there(self):
            return True

    slow = Slow.remote()
    assert ray.get(slow.there.remote())
    assert placement_group([{"CPU": 1}]).wait(5)


def test_bundles_of_a_node_without_power_move_and_their_tasks_with_them(init):
    journal = init(nodes=4, cpus=2)
    group = placement_group([{"CPU": 2}] * 3, strategy="STRICT_SPREAD")
    assert group.wait(10)
    refs = [work.options(scheduling_strategy=in_bundle(group, i)).remote(60) for i in range(3)]
    time.sleep(5)
    before = placement_group_table(group)["bundles_to_node_id"]
    head = ray.get_runtime_context().get_node_id()
    lost = next(index for index, node in before.items() if node != head)
    current_world().kill_node(before[lost])
    nodes = ray.get(refs)
    after = placement_group_table(group)["bundles_to_node_id"]
    assert nodes == list(after.values())
    assert after[lost] != before[lost]
    assert {i: n for i, n in after.items() if i != lost} == {
        i: n for i, n in before.items() if i != lost
    }
    assert states(journal)[-3:] == ["RESCHEDULING", "PREPARED", "CREATED"]
    assert len(journal.notes(NodeLost)) == 1


def test_group_that_is_removed_while_a_silent_node_is_asked_leaks_nothing(init):
    """Ray #64693: that node will never answer, and nobody knows yet that it is dead."""
    init(nodes=3, cpus=2)
    world = current_world()
    world.kill_node(world.nodes[2].node_id.hex())
    group = placement_group([{"CPU": 2}] * 3, strategy="STRICT_SPREAD")
    assert not group.wait(1)
    remove_placement_group(group)
    time.sleep(1)
    # The two that live have everything back, long before the dead one is found out.
    alive = [node.node_id.hex() for node in world.nodes[:2]]
    assert set(ray.get([work.options(num_cpus=2).remote(3) for _ in range(2)])) == set(alive)
    time.sleep(120)
    assert ray.available_resources()["CPU"] == 4
    assert not [name for name in ray.cluster_resources() if "_group_" in name]


def test_group_is_created_when_the_silent_node_is_found_dead(init):
    init(nodes=4, cpus=2)
    world = current_world()
    world.kill_node(world.nodes[1].node_id.hex())
    group = placement_group([{"CPU": 2}] * 3, strategy="STRICT_SPREAD")
    begin = time.time()
    assert group.wait(300)
    assert time.time() - begin > 5, "health checks take their time"
    dead = world.nodes[1].node_id.hex()
    assert dead not in placement_group_table(group)["bundles_to_node_id"].values()


def test_group_waits_for_a_node_that_joins_after_a_loss(init):
    init(nodes=2, cpus=2)
    group = placement_group([{"CPU": 2}] * 2, strategy="STRICT_SPREAD")
    assert group.wait(10)
    world = current_world()
    world.kill_node(world.nodes[1].node_id.hex())
    time.sleep(120)
    assert placement_group_table(group)["state"] == "RESCHEDULING"
    ref = work.options(scheduling_strategy=in_bundle(group, 1)).remote(1)
    world.add_node(NodeOptions(num_cpus=2))
    assert ray.get(ref) == placement_group_table(group)["bundles_to_node_id"][1]


@pytest.mark.parametrize("seed", range(5))
def test_faults_at_any_moment_end_in_the_same_groups_for_the_same_seed(seed):
    """Every draw is from the seed's streams, and no set decides an order."""

    def run():
        journal = Journal(Level.ALL)
        faults = [parse_fault("kill_node(at=3s)"), parse_fault("kill_worker(at=2s)")]
        world = {"faults": faults}
        ray.init(backend="sim", nodes=5, num_cpus=2, seed=seed, journal=journal, world=world)
        groups = [placement_group([{"CPU": 1}] * 2, strategy="SPREAD") for _ in range(3)]
        refs = [work.options(scheduling_strategy=in_bundle(g)).remote(4) for g in groups * 3]
        found = ray.get(refs)
        remove_placement_group(groups[0])
        ray.shutdown()
        return found, states(journal), journal.digest()

    assert run() == run()
