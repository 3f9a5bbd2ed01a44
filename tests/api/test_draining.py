"""A node that is to go leaves in good order. Each test builds its own cluster; Ray has this as a command only."""

from importlib import import_module

import numpy
import pytest

from raysim.util import drain_node
from raysim.util.state import api as state
from tests.api.conftest import JUDGE, ON_RAY
from tests.api.patience import until

SECONDS = 60


@pytest.fixture(autouse=True)
def not_on_ray(backend):
    if backend in (ON_RAY, JUDGE):
        pytest.skip("ray drain-node is a command there")


@pytest.fixture
def on(lib):
    """A strategy: on this node."""
    strategies = import_module("raysim.util.scheduling_strategies")
    return lambda node: strategies.NodeAffinitySchedulingStrategy(node.node_id, soft=True)


def seen(node):
    return state.get_node(node.node_id)


def gone(node):
    until(lambda: seen(node).state == "DEAD", SECONDS)


def test_nothing_is_lost_with_a_node_that_drains(cluster, lib, on, gate):
    """What runs there ends there, what waits runs elsewhere, and what was made there is elsewhere afterwards."""
    node = cluster.add_node(num_cpus=1)

    @lib.remote(max_retries=0)
    def make(number):
        return numpy.full(50_000, number)

    @lib.remote(max_retries=0)
    def stand(gate):
        gate.go_through()
        return lib.get_runtime_context().get_node_id()

    made = [make.options(scheduling_strategy=on(node)).remote(number) for number in range(3)]
    lib.wait(made, num_returns=3, timeout=SECONDS)
    runs = stand.options(scheduling_strategy=on(node)).remote(gate)
    until(lambda: [t for t in state.list_tasks() if t.name == "stand" and t.state == "RUNNING"])
    waits = [stand.options(scheduling_strategy=on(node)).remote(gate) for _ in range(2)]
    drain_node(node.node_id, "a new disk")
    until(lambda: seen(node).state == "DRAINING")
    assert seen(node).state_message == "a new disk"
    gate.open()
    assert lib.get(runs, timeout=SECONDS) == node.node_id
    assert lib.get(waits, timeout=SECONDS) == [cluster.head_node.node_id] * 2
    gone(node)
    assert seen(node).state_message == "it was drained: a new disk"
    assert [int(lib.get(one, timeout=SECONDS)[0]) for one in made] == [0, 1, 2]


def test_an_actor_with_restarts_left_moves_without_losing_a_call(cluster, lib, on):
    """And spends none of its restarts on that."""
    node, other = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)

    @lib.remote(max_restarts=1, max_task_retries=0, num_cpus=1)
    class Counter:
        def __init__(self):
            self.count = 0

        def add(self):
            self.count += 1
            return self.count, lib.get_runtime_context().get_node_id()

        def crash(self):
            import os

            os._exit(1)

    counter = Counter.options(scheduling_strategy=on(node)).remote()
    assert lib.get(counter.add.remote(), timeout=SECONDS) == (1, node.node_id)
    drain_node(node.node_id)
    answers = []
    while not answers or answers[-1][1] == node.node_id:
        answers += lib.get([counter.add.remote() for _ in range(3)], timeout=SECONDS)
    there = [count for count, at in answers if at == node.node_id]
    assert there == list(range(2, 2 + len(there)))
    elsewhere = [(count, at) for count, at in answers if at != node.node_id]
    assert [count for count, _ in elsewhere] == list(range(1, 1 + len(elsewhere)))
    assert {at for _, at in elsewhere} <= {other.node_id, cluster.head_node.node_id}
    gone(node)
    with pytest.raises(lib.exceptions.RayActorError):
        lib.get(counter.crash.remote(), timeout=SECONDS)
    until(lambda: state.list_actors()[0].state == "ALIVE", SECONDS)


def test_an_actor_without_restarts_goes_with_its_node_at_the_deadline(cluster, lib, on):
    node = cluster.add_node(num_cpus=1)

    @lib.remote(num_cpus=1)
    class Rock:
        def here(self):
            return lib.get_runtime_context().get_node_id()

    rock = Rock.options(scheduling_strategy=on(node)).remote()
    assert lib.get(rock.here.remote(), timeout=SECONDS) == node.node_id
    drain_node(node.node_id, "time is up", deadline_s=1)
    assert lib.get(rock.here.remote(), timeout=SECONDS) == node.node_id
    gone(node)
    assert "what was left after 1 s went with it" in seen(node).state_message
    with pytest.raises(lib.exceptions.RayActorError):
        lib.get(rock.here.remote(), timeout=SECONDS)


def test_a_placement_group_moves_and_what_comes_runs_where_it_is(cluster, lib):
    groups = import_module("raysim.util.placement_group")
    strategies = import_module("raysim.util.scheduling_strategies")
    node = cluster.add_node(num_cpus=2)
    group = groups.placement_group([{"CPU": 2}])
    assert group.wait(SECONDS)
    other = cluster.add_node(num_cpus=2)

    @lib.remote(num_cpus=2)
    def where():
        return lib.get_runtime_context().get_node_id()

    inside = where.options(scheduling_strategy=strategies.PlacementGroupSchedulingStrategy(group))
    assert lib.get(inside.remote(), timeout=SECONDS) == node.node_id
    drain_node(node.node_id)
    gone(node)
    assert lib.get(inside.remote(), timeout=SECONDS) == other.node_id


def test_whoever_insists_on_a_node_that_is_gone_fails(cluster, lib):
    strategies = import_module("raysim.util.scheduling_strategies")
    node = cluster.add_node(num_cpus=1)
    drain_node(node.node_id)

    @lib.remote
    def work():
        return 1

    hard = strategies.NodeAffinitySchedulingStrategy(node.node_id, soft=False)
    with pytest.raises(lib.exceptions.TaskUnschedulableError, match=r"which (is dead|drains)"):
        lib.get(work.options(scheduling_strategy=hard).remote(), timeout=SECONDS)


@pytest.mark.parametrize("wrong", ["", "xyz", "00" * 28])
def test_there_has_to_be_such_a_node(cluster, wrong):
    with pytest.raises(ValueError, match="node"):
        drain_node(wrong)


def test_the_head_stays(cluster):
    with pytest.raises(ValueError, match="head"):
        drain_node(cluster.head_node.node_id)


def test_a_deadline_lies_ahead(cluster):
    with pytest.raises(ValueError, match="deadline_s is 0"):
        drain_node(cluster.head_node.node_id, deadline_s=0)
