"""One suite over every backend: `ray` too, where Ray is installed.

RAYSIM_TEST_RAY=1 adds Ray itself, the judge of what is right. RAYSIM_TEST_BACKENDS chooses, by name.
"""

import gc
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.api.patience import until

BACKENDS = ["sim", "cluster"]
ON_RAY = "ray"
"""raysim's API on a Ray cluster."""
JUDGE = "judge"
"""Ray's own API."""
CPUS = 4
"""Of the one node that the tests of a module share."""

QUIET = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
"""For Ray; raysim takes these arguments and has nothing to be quiet about."""


def backends() -> list[str]:
    chosen = os.environ.get("RAYSIM_TEST_BACKENDS")
    if chosen:
        return chosen.split(",")
    on_ray = [ON_RAY] if find_spec("ray") is not None else []
    judge = [JUDGE] if os.environ.get("RAYSIM_TEST_RAY") == "1" else []
    return [*BACKENDS, *on_ray, *judge]


def library(backend: str) -> ModuleType:
    return import_module("ray" if backend == JUDGE else "raysim")


def start(backend: str, **options: Any) -> ModuleType:
    ray = library(backend)
    # Never a cluster that somebody else has started on this machine.
    own = {"address": "local"} if backend == JUDGE else {"backend": backend}
    ray.init(**{**own, **QUIET, **options})
    return ray


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ray leaves sockets to the garbage collector."""
    for item in items:
        params = getattr(item, "callspec", None)
        if params is not None and params.params.get("backend") in (ON_RAY, JUDGE):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(scope="module", params=backends())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    yield str(request.param)
    if request.param in (ON_RAY, JUDGE):
        gc.collect()  # What Ray left goes here, not in the tests of others.


@pytest.fixture(scope="module")
def ray(backend: str) -> Iterator[ModuleType]:
    """The library under test, connected to one node that all tests of the module share."""
    ray = start(backend, num_cpus=CPUS, resources={"shelf": 2})
    yield ray
    ray.shutdown()


@pytest.fixture
def fresh(backend: str) -> Iterator[Callable[..., ModuleType]]:
    """Starts sessions of a test's own; `fresh(num_cpus=2)`. Not together with `ray`."""
    yield lambda **options: start(backend, **{"num_cpus": 2, **options})
    library(backend).shutdown()


@pytest.fixture
def cluster(backend: str) -> Iterator[Any]:
    """A head with 1 CPU, connected; the test adds nodes to it. Not together with `ray`."""
    utils = import_module("ray.cluster_utils" if backend == JUDGE else "raysim.cluster_utils")
    own = {} if backend == JUDGE else {"backend": backend}
    made = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1}, **own)
    made.connect()
    yield made
    library(backend).shutdown()
    made.shutdown()


@pytest.fixture
def lib(backend: str) -> ModuleType:
    """The library under test, not connected."""
    return library(backend)


@pytest.fixture
def pgs(lib: ModuleType) -> SimpleNamespace:
    """The functions of `util.placement_group`, and `In`, its scheduling strategy."""
    module = import_module(f"{lib.__name__}.util.placement_group")
    strategies = import_module(f"{lib.__name__}.util.scheduling_strategies")
    return SimpleNamespace(
        make=module.placement_group,
        remove=module.remove_placement_group,
        table=module.placement_group_table,
        named=module.get_placement_group,
        current=module.get_current_placement_group,
        Group=module.PlacementGroup,
        In=strategies.PlacementGroupSchedulingStrategy,
    )


@pytest.fixture
def group(ray: ModuleType, pgs: SimpleNamespace) -> Iterator[Callable[..., Any]]:
    """Makes placement groups, which end with the test."""
    made: list[Any] = []

    def make(*bundles: dict[str, float], **options: Any) -> Any:
        made.append(pgs.make(list(bundles), **options))
        return made[-1]

    yield make
    for one in made:
        pgs.remove(one)
    # Their room is there again for the next test.
    until(lambda: ray.available_resources().get("CPU") == CPUS)
