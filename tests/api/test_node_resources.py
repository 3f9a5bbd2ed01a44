"""Resources that stand for a node itself: `node:<address>`, and that of the head."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

from tests.api.conftest import JUDGE, library

HEAD = "node:__internal_head__"


@pytest.fixture(scope="module")
def lib(backend: str) -> Iterator[ModuleType]:
    """The library under test, connected to the head of a cluster of two nodes."""
    utils = import_module("ray.cluster_utils" if backend == JUDGE else "raysim.cluster_utils")
    own = {} if backend == JUDGE else {"backend": backend}
    cluster = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1}, **own)
    cluster.connect()
    cluster.add_node(num_cpus=8)
    cluster.wait_for_nodes()
    yield library(backend)
    library(backend).shutdown()
    cluster.shutdown()


def addresses(lib):
    """By node id."""
    return {node["NodeID"]: node["NodeManagerAddress"] for node in lib.nodes()}


@pytest.fixture
def where(lib):
    @lib.remote(num_cpus=0)
    def node_id():
        return lib.get_runtime_context().get_node_id()

    return node_id


def test_head_has_one_more(lib):
    total = lib.cluster_resources()
    assert total[HEAD] == lib.available_resources()[HEAD] == 1.0
    head = lib.get_runtime_context().get_node_id()
    resources = {node["NodeID"]: node["Resources"] for node in lib.nodes()}
    assert resources[head][HEAD] == 1.0
    assert [HEAD in found for found in resources.values()].count(True) == 1


def test_every_node_has_its_address(lib):
    found = addresses(lib)
    for node in lib.nodes():
        assert node["Resources"][f"node:{found[node['NodeID']]}"] == 1.0
    shown = {k: v for k, v in lib.cluster_resources().items() if k.startswith("node:")}
    assert sum(shown.values()) == 3.0


def test_task_runs_on_the_head_by_its_resource(lib, where):
    head = lib.get_runtime_context().get_node_id()
    refs = [where.options(resources={HEAD: 0.01}).remote() for _ in range(20)]
    assert set(lib.get(refs, timeout=60)) == {head}


def test_actor_runs_at_an_address(lib):
    found = addresses(lib)

    @lib.remote
    class Who:
        def where(self):
            return lib.get_runtime_context().get_node_id()

    for address in found.values():
        who = Who.options(resources={f"node:{address}": 0.1}).remote()
        assert found[lib.get(who.where.remote(), timeout=60)] == address


def test_address_is_that_of_the_node(lib):
    here = lib.get_runtime_context().get_node_id()
    assert lib.util.get_node_ip_address() == addresses(lib)[here]
