"""One suite over every backend: `ray` too, where Ray is installed.

RAYSIM_TEST_RAY=1 adds Ray itself, the judge of what is right. RAYSIM_TEST_BACKENDS chooses, by name.
RAYSIM_TEST_DISORDER=N has each module's simulated worlds run in an order, with delays and with rare
branches that are drawn from N: what a program may rely on, it may rely on there as well.
"""

import gc
import logging
import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from raysim.api.defaults import Defaults, set_defaults
from tests.api.patience import Gate, until

BACKENDS = ["sim", "cluster"]
ON_RAY = "ray"
"""raysim's API on a Ray cluster."""
JUDGE = "judge"
"""Ray's own API."""
CPUS = 4
NODE = {"num_cpus": CPUS, "resources": {"shelf": 2}}
"""The one node that the tests of a module share."""

os.environ["RAY_AUTH_MODE"] = "disabled"
"""Ray 2.60 ends actors too early in a process that has been in another cluster of Ray, with another token."""

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


ORDERS = [
    "random",
    "random(bound=50us)",
    "random(bound=500us)",
    "random(bound=2ms)",
    "pct(depth=3)",
]


def disordered(draws: Random) -> dict[str, Any]:
    """Options of a simulated world."""
    world: dict[str, Any] = {"order": draws.choice(ORDERS)}
    if draws.random() < 0.7:
        world["buggify"] = True
    if draws.random() < 0.6:
        latency = draws.choice(["100us", "1ms", "5ms"])
        world["network"] = {
            "latency": latency,
            "local_latency": draws.choice(["5us", "20us", "500us", "3ms"]),
        }
    if draws.random() < 0.3:
        world["wire"] = True
    return world


OWN_SESSION = {"cluster", "fresh", "standing"}
"""Fixtures of tests that start what they run on."""


def pytest_configure(config: pytest.Config) -> None:
    said = "starts a cluster of Ray for itself, which takes five to ten seconds"
    config.addinivalue_line("markers", f"own_ray: {said}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        params = getattr(item, "callspec", None)
        if params is None or params.params.get("backend") not in (ON_RAY, JUDGE):
            continue
        # Ray leaves sockets to the garbage collector.
        item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
        if OWN_SESSION.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.own_ray)


@pytest.fixture(scope="module", params=backends())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    yield str(request.param)
    if request.param in (ON_RAY, JUDGE):
        gc.collect()  # What Ray left goes here, not in the tests of others.


@pytest.fixture(scope="module", autouse=True)
def disorder(request: pytest.FixtureRequest) -> Iterator[None]:
    seed = os.environ.get("RAYSIM_TEST_DISORDER")
    if seed is None:
        yield
        return
    draws = Random(f"{seed}: {request.module.__name__}")
    set_defaults(Defaults(seed=draws.randrange(1 << 20), world=disordered(draws)))
    yield
    set_defaults(Defaults())


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[Callable[[], str]]:
    """The address of one cluster of Ray, started when it is first asked for: to start one takes five seconds."""
    started: list[Any] = []

    def address() -> str:
        if started and not started[-1].remaining_processes_alive():
            started.pop().shutdown()  # A test has brought down more than its own.
        if not started:
            head = {**NODE, "include_dashboard": False, "object_store_memory": 1 << 30}
            # Any free port: a cluster that a test starts beside this one wants Ray's usual one for its agent.
            head["dashboard_agent_listen_port"] = None
            cluster = import_module("ray.cluster_utils").Cluster
            started.append(cluster(initialize_head=True, head_node_args=head))
        return str(started[0].address)

    yield address
    for cluster in started:
        cluster.shutdown()
    gc.collect()


@pytest.fixture(scope="module")
def ray(backend: str, shared_ray: Callable[[], str]) -> Iterator[ModuleType]:
    """The library under test, connected to one node that all tests of the module share.

    On Ray each module is a job of its own, on the same node.
    """
    if backend in (ON_RAY, JUDGE):
        ray = start(backend, address=shared_ray())
        # The actors of the module before end with its job, a little later.
        until(lambda: ray.available_resources().get("CPU") == CPUS)
    else:
        ray = start(backend, **NODE)
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
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Shut; it opens with the end of the test, so that nobody stands at it for long."""
    made = Gate(tmp_path / "open")
    yield made
    made.open()


@pytest.fixture
def said(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Callable[..., bool]:
    """Whether something is said of unhandled errors, or was since the last question."""

    def said(within: float = 60) -> bool:
        printed, deadline = "", time.monotonic() + within
        while True:
            printed += capfd.readouterr().err
            if "Unhandled error (suppress with" in caplog.text + printed:
                break
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        caplog.clear()
        return True

    caplog.set_level(logging.ERROR)
    return said


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
def group(backend: str, ray: ModuleType, pgs: SimpleNamespace) -> Iterator[Callable[..., Any]]:
    """Makes placement groups, which end with the test."""
    made: list[Any] = []

    def make(*bundles: dict[str, float], **options: Any) -> Any:
        made.append(pgs.make(list(bundles), **options))
        return made[-1]

    yield make
    for one in made:
        if backend in (ON_RAY, JUDGE) and pgs.table(one).get("state") in ("PENDING", "PREPARED"):
            # Ray 2.60 loses the room of a group that is removed while its bundles are reserved.
            one.wait(1)
        pgs.remove(one)
    # Their room is there again for the next test.
    until(lambda: ray.available_resources().get("CPU") == CPUS)
