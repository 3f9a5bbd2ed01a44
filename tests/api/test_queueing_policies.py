"""Programs do the same where the policy says at which node each task waits."""

from collections import Counter

import pytest


@pytest.fixture(autouse=True)
def not_on_ray(backend):
    if backend not in ("sim", "cluster"):
        pytest.skip("Ray has no such policies")


@pytest.mark.parametrize(
    "policy",
    ["power_of_d(d=2)", "late_binding", "omniscient", "hawk(cutoff_s=0.001)", "work_stealing"],
)
def test_tasks_and_the_tasks_in_them_end_on_all_nodes(fresh, policy):
    """Tasks that wait for others lend their CPUs on, to those that queue at their node."""
    ray = fresh(nodes=3, num_cpus=1, _system_config={"policy": policy})

    @ray.remote
    def where():
        return ray.get_runtime_context().get_node_id()

    @ray.remote
    def two():
        return ray.get([where.remote(), where.remote()])

    seen = Counter(node for pair in ray.get([two.remote() for _ in range(20)]) for node in pair)
    assert sum(seen.values()) == 40
    assert len(seen) == 3


def test_tasks_wait_for_room_where_their_argument_is(fresh):
    ray = fresh(nodes=3, num_cpus=1, _system_config={"policy": "delay(wait_s=60)"})

    @ray.remote(num_returns=2, scheduling_strategy="SPREAD")
    def block():
        return bytes(300_000), ray.get_runtime_context().get_node_id()

    @ray.remote
    def where(block):
        return ray.get_runtime_context().get_node_id()

    made = [block.remote() for _ in range(3)]
    places = ray.get([place for _, place in made])
    found = ray.get([where.remote(block) for block, _ in made for _ in range(4)])
    assert found == [place for place in places for _ in range(4)]
