"""Nodes that join and die under a program. Each test builds its own cluster."""

from importlib import import_module

import pytest

from tests.api.patience import until


@pytest.fixture
def affinity(lib):
    strategies = import_module(f"{lib.__name__}.util.scheduling_strategies")
    return strategies.NodeAffinitySchedulingStrategy


@pytest.fixture
def where(lib):
    """A task that says on which node it ran."""

    @lib.remote(max_retries=0)
    def node_id():
        return lib.get_runtime_context().get_node_id()

    return node_id


def test_nodes_are_listed_with_what_they_have(cluster, lib):
    added = cluster.add_node(num_cpus=2, resources={"disk": 1})
    cluster.wait_for_nodes()
    nodes = {node["NodeID"]: node for node in lib.nodes()}
    assert len(nodes) == 2
    assert nodes[added.node_id]["Resources"]["disk"] == 1.0
    assert lib.cluster_resources()["CPU"] == 3.0


def test_task_runs_where_its_resources_are(cluster, lib, where):
    added = cluster.add_node(num_cpus=1, resources={"disk": 1})
    ref = where.options(resources={"disk": 1}).remote()
    assert lib.get(ref, timeout=60) == added.node_id


def test_task_waits_for_a_node_that_can_run_it(cluster, lib, where):
    ref = where.options(num_cpus=2).remote()
    with pytest.raises(lib.exceptions.GetTimeoutError):
        lib.get(ref, timeout=0.3)
    added = cluster.add_node(num_cpus=2)
    assert lib.get(ref, timeout=60) == added.node_id


def test_affinity_to_a_node(cluster, lib, where, affinity):
    added = cluster.add_node(num_cpus=1)
    head = lib.get_runtime_context().get_node_id()
    for node_id in (head, added.node_id):
        strategy = affinity(node_id, soft=False)
        ref = where.options(scheduling_strategy=strategy).remote()
        assert lib.get(ref, timeout=60) == node_id


def test_hard_affinity_to_an_unknown_node_fails(cluster, lib, where, affinity):
    ref = where.options(scheduling_strategy=affinity("00" * 28, soft=False)).remote()
    with pytest.raises(lib.exceptions.TaskUnschedulableError):
        lib.get(ref, timeout=60)


def test_soft_affinity_to_an_unknown_node_runs_elsewhere(cluster, lib, where, affinity):
    ref = where.options(scheduling_strategy=affinity("00" * 28, soft=True)).remote()
    assert lib.get(ref, timeout=60) == lib.get_runtime_context().get_node_id()


@pytest.mark.parametrize("wrong", ["", "xyz", "00", "ff" * 28])
def test_affinity_to_no_node_id_is_a_value_error(affinity, wrong):
    with pytest.raises(ValueError, match="node"):
        affinity(wrong, soft=True)


def test_large_objects_go_between_nodes(cluster, lib, affinity):
    added = cluster.add_node(num_cpus=1)
    head = lib.get_runtime_context().get_node_id()

    @lib.remote
    def make():
        return b"y" * 20_000_000

    @lib.remote
    def measure(block):
        return len(block), block[:1]

    there = affinity(added.node_id, soft=False)
    here = affinity(head, soft=False)
    made = make.options(scheduling_strategy=there).remote()
    assert lib.get(measure.options(scheduling_strategy=here).remote(made), timeout=60) == (
        20_000_000,
        b"y",
    )
    assert len(lib.get(made)) == 20_000_000


def test_tasks_of_a_node_that_dies_run_again_elsewhere(cluster, lib, tmp_path):
    doomed = cluster.add_node(num_cpus=1, resources={"spot": 1})
    doomed_id = doomed.node_id
    trace = tmp_path / "nodes"

    @lib.remote(resources={"spot": 1}, max_retries=3)
    def where_twice():
        node = lib.get_runtime_context().get_node_id()
        with trace.open("a") as file:
            file.write(node + "\n")
        if node == doomed_id:
            lib.get(never.remote())
        return node

    @lib.remote(resources={"nowhere": 1})
    def never():
        return 1

    ref = where_twice.remote()
    until(lambda: trace.exists() and trace.read_text() == doomed_id + "\n")
    cluster.remove_node(doomed)
    other = cluster.add_node(num_cpus=1, resources={"spot": 1})
    assert lib.get(ref, timeout=120) == other.node_id


def test_lost_object_is_made_again(cluster, lib):
    doomed = cluster.add_node(num_cpus=1, resources={"spot": 1})

    @lib.remote(resources={"spot": 1})
    def make():
        return b"z" * 1_000_000

    ref = make.remote()
    assert lib.wait([ref], timeout=60, fetch_local=False) == ([ref], [])
    cluster.remove_node(doomed)
    cluster.add_node(num_cpus=1, resources={"spot": 1})
    assert len(lib.get(ref, timeout=120)) == 1_000_000


def test_lost_object_that_was_put_is_an_error(cluster, lib):
    doomed = cluster.add_node(num_cpus=1, resources={"spot": 1})

    @lib.remote(resources={"spot": 1}, max_retries=0)
    def make():
        return b"z" * 1_000_000

    ref = make.remote()
    assert lib.wait([ref], timeout=60, fetch_local=False) == ([ref], [])
    cluster.remove_node(doomed)
    with pytest.raises(lib.exceptions.ObjectLostError):
        lib.get(ref, timeout=120)


def test_actor_of_a_node_that_dies_restarts_elsewhere(cluster, lib):
    doomed = cluster.add_node(num_cpus=1, resources={"spot": 1})

    @lib.remote(resources={"spot": 1}, max_restarts=1, max_task_retries=-1)
    class Wanderer:
        def where(self):
            return lib.get_runtime_context().get_node_id()

    wanderer = Wanderer.remote()
    assert lib.get(wanderer.where.remote(), timeout=60) == doomed.node_id
    cluster.remove_node(doomed)
    other = cluster.add_node(num_cpus=1, resources={"spot": 1})
    assert lib.get(wanderer.where.remote(), timeout=120) == other.node_id


def test_dead_node_stays_listed(cluster, lib):
    doomed = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    cluster.remove_node(doomed)
    cluster.wait_for_nodes(timeout=120)
    listed = {node["NodeID"]: node["Alive"] for node in lib.nodes()}
    assert listed[doomed.node_id] is False
    assert list(listed.values()).count(True) == 1
