"""A cluster whose nodes come and go by hand, with and without a driver. Each test builds its own."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from tests.api.conftest import JUDGE, start
from tests.api.patience import until


@pytest.fixture
def standing(backend: str, lib: ModuleType) -> Iterator[Any]:
    """A head with 1 CPU, to which nobody is connected."""
    utils = import_module("ray.cluster_utils" if backend == JUDGE else "raysim.cluster_utils")
    own = {} if backend == JUDGE else {"backend": backend}
    cluster = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1}, **own)
    yield cluster
    lib.shutdown()
    cluster.shutdown()


def alive(ray: ModuleType) -> int:
    return [node["Alive"] for node in ray.nodes()].count(True)


def test_nodes_join_and_leave_between_jobs(standing, backend):
    added = standing.add_node(num_cpus=1, resources={"disk": 1})
    standing.wait_for_nodes()
    ray = start(backend, address=standing.address)
    assert ray.cluster_resources()["disk"] == 1.0
    ray.shutdown()
    standing.remove_node(added, allow_graceful=False)
    start(backend, address=standing.address)
    until(lambda: alive(ray) == 1)
    assert "disk" not in ray.cluster_resources()


def test_node_is_removed_in_good_order(standing, backend):
    added = standing.add_node(num_cpus=1)
    ray = start(backend, address=standing.address)
    until(lambda: alive(ray) == 2)
    assert standing.remaining_processes_alive()
    standing.remove_node(added, allow_graceful=True)
    assert standing.list_all_nodes() == [standing.head_node]
    until(lambda: alive(ray) == 1)
    assert standing.remaining_processes_alive()


def test_cluster_without_a_head_has_no_address(backend):
    utils = import_module("ray.cluster_utils" if backend == JUDGE else "raysim.cluster_utils")
    empty = utils.Cluster()
    assert empty.address is None
    assert empty.gcs_address is None
    assert empty.list_all_nodes() == []


def test_cluster_is_connected_to_in_a_namespace(standing, lib):
    assert standing.address
    assert standing.gcs_address == standing.address
    standing.connect(namespace="space")
    assert lib.get_runtime_context().namespace == "space"
