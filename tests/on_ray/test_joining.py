"""A cluster that exists: raysim joins it, uses it, and leaves it."""

import pytest
import ray.cluster_utils

import raysim


@pytest.fixture(scope="module")
def existing():
    cluster = ray.cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    yield cluster
    cluster.shutdown()


@raysim.remote
def twice(x):
    return 2 * x


def test_program_joins_and_leaves_a_cluster(existing):
    for _ in range(2):
        with raysim.init(backend="ray", address=existing.address, namespace="ours") as context:
            assert context.address_info["address"] == existing.address
            assert raysim.get_runtime_context().namespace == "ours"
            assert raysim.get(twice.remote(4)) == 8
    assert existing.remaining_processes_alive()


def test_address_of_the_environment_is_joined(existing, monkeypatch):
    """As Ray's job submission sets it."""
    monkeypatch.setenv("RAY_ADDRESS", existing.address)
    with raysim.init(backend="ray") as context:
        assert context.address_info["address"] == existing.address


def test_local_is_a_cluster_of_its_own(existing, monkeypatch):
    """Whether the program says so, or the environment: it has the nodes that `init` describes."""
    monkeypatch.setenv("RAY_ADDRESS", existing.address)
    with raysim.init("local", backend="ray", num_cpus=3) as context:
        assert context.address_info["address"] != existing.address
        assert raysim.cluster_resources()["CPU"] == 3
    monkeypatch.setenv("RAY_ADDRESS", "local")
    with raysim.init(backend="ray", num_cpus=3):
        assert raysim.cluster_resources()["CPU"] == 3


def test_nodes_of_a_joined_cluster_are_not_ours(existing):
    with raysim.init(backend="ray", address=existing.address):
        world = raysim.api.session.current_world()
        with pytest.raises(ValueError, match="joined"):
            world.kill_node("00")
        with pytest.raises(ValueError, match="joined"):
            world.add_node(raysim.backend.NodeOptions())
