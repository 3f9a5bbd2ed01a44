"""Placement groups over several nodes: strategies, and nodes that die. Each test builds its own cluster."""

import pytest

from tests.api.patience import until


def nodes_of(pgs, group):
    return list(pgs.table(group)["bundles_to_node_id"].values())


@pytest.mark.parametrize(
    ("strategy", "nodes"), [("PACK", 1), ("STRICT_PACK", 1), ("SPREAD", 2), ("STRICT_SPREAD", 2)]
)
def test_strategies_choose_how_many_nodes(cluster, lib, pgs, strategy, nodes):
    cluster.add_node(num_cpus=4)
    cluster.add_node(num_cpus=4)
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 2}, {"CPU": 2}], strategy=strategy)
    assert group.wait(60)
    assert len(set(nodes_of(pgs, group))) == nodes


@pytest.mark.parametrize("strategy", ["STRICT_PACK", "STRICT_SPREAD"])
def test_strict_strategies_wait_for_nodes_that_obey(cluster, lib, pgs, strategy):
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 1}] * 3, strategy=strategy)
    assert group.wait(0.5) is False
    cluster.add_node(num_cpus=3)
    assert group.wait(60)


def test_tasks_and_actors_run_where_their_bundle_is(cluster, lib, pgs):
    cluster.add_node(num_cpus=2)
    cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 2}, {"CPU": 2}], strategy="STRICT_SPREAD")
    assert group.wait(60)

    @lib.remote
    def where():
        return lib.get_runtime_context().get_node_id()

    @lib.remote
    class Where:
        def look(self):
            return lib.get_runtime_context().get_node_id()

    for index, node in enumerate(nodes_of(pgs, group)):
        strategy = pgs.In(group, placement_group_bundle_index=index)
        assert lib.get(where.options(scheduling_strategy=strategy).remote(), timeout=60) == node
        actor = Where.options(scheduling_strategy=strategy).remote()
        assert lib.get(actor.look.remote(), timeout=60) == node


def test_task_of_any_bundle_goes_where_one_is_free(cluster, lib, pgs):
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_SPREAD")
    assert group.wait(60)

    @lib.remote
    class Holder:
        def where(self):
            return lib.get_runtime_context().get_node_id()

    in_group = Holder.options(num_cpus=1, scheduling_strategy=pgs.In(group))
    both = [in_group.remote(), in_group.remote()]
    found = lib.get([holder.where.remote() for holder in both], timeout=60)
    assert set(found) == set(nodes_of(pgs, group))


def test_bundles_of_a_node_that_dies_move_to_another(cluster, lib, pgs):
    kept = cluster.add_node(num_cpus=2)
    doomed = cluster.add_node(num_cpus=2, resources={"spot": 1})
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 2}, {"CPU": 2}], strategy="STRICT_SPREAD")
    assert group.wait(60)
    before = nodes_of(pgs, group)
    lost = before.index(doomed.node_id)
    cluster.remove_node(doomed)
    until(lambda: pgs.table(group)["state"] == "RESCHEDULING")
    other = cluster.add_node(num_cpus=2)
    until(lambda: pgs.table(group)["state"] == "CREATED")
    after = nodes_of(pgs, group)
    assert after[lost] == other.node_id
    assert after[1 - lost] == kept.node_id

    @lib.remote
    def where():
        return lib.get_runtime_context().get_node_id()

    strategy = pgs.In(group, placement_group_bundle_index=lost)
    ref = where.options(scheduling_strategy=strategy).remote()
    assert lib.get(ref, timeout=60) == other.node_id


def test_actor_follows_its_bundle_to_another_node(cluster, lib, pgs):
    doomed = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 2}])
    assert group.wait(60)

    @lib.remote(max_restarts=1, max_task_retries=-1)
    class Wanderer:
        def where(self):
            return lib.get_runtime_context().get_node_id()

    wanderer = Wanderer.options(scheduling_strategy=pgs.In(group)).remote()
    assert lib.get(wanderer.where.remote(), timeout=60) == doomed.node_id
    cluster.remove_node(doomed)
    other = cluster.add_node(num_cpus=2)
    assert lib.get(wanderer.where.remote(), timeout=120) == other.node_id


def test_bundles_go_to_nodes_with_their_labels(cluster, lib, pgs):
    cluster.add_node(num_cpus=4, labels={"zone": "a"})
    chosen = cluster.add_node(num_cpus=4, labels={"zone": "b"})
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 1}, {"CPU": 1}], bundle_label_selector=[{"zone": "b"}] * 2)
    assert group.wait(60)
    assert nodes_of(pgs, group) == [chosen.node_id] * 2


def test_strict_pack_prefers_the_node_that_is_named(cluster, lib, pgs):
    cluster.add_node(num_cpus=8)
    named = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    group = pgs.make([{"CPU": 1}] * 2, "STRICT_PACK", _soft_target_node_id=named.node_id)
    assert group.wait(60)
    assert nodes_of(pgs, group) == [named.node_id] * 2
