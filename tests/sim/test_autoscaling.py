"""Clusters that grow and shrink, in virtual time, through `AutoscalingCluster`."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import raysim as ray
from raysim.cluster_utils import AutoscalingCluster
from raysim.util.placement_group import placement_group

SMALL = {"resources": {"CPU": 4}, "max_workers": 5}
STARTUP_S = 30


@pytest.fixture
def start() -> Iterator[Callable[..., AutoscalingCluster]]:
    """A head with 1 CPU, connected."""
    made: list[AutoscalingCluster] = []

    def make(types: dict[str, Any], **options: Any) -> AutoscalingCluster:
        system = options.pop("_system_config", None)
        options = {"idle_timeout_minutes": 1.0, "startup_delay_s": STARTUP_S, **options}
        cluster = AutoscalingCluster({"CPU": 1}, types, **options)
        made.append(cluster)
        cluster.start(_system_config=system)
        ray.init("auto")
        return cluster

    yield make
    ray.shutdown()
    for cluster in made:
        cluster.shutdown()


@ray.remote
def work(seconds: float) -> str:
    time.sleep(seconds)
    labels = ray.get_runtime_context().get_node_labels()
    return labels.get("ray.io/node-group", "head")


def alive() -> list[str]:
    """Types of the nodes besides the head."""
    groups = [node["Labels"].get("ray.io/node-group") for node in ray.nodes() if node["Alive"]]
    return sorted(group for group in groups if group)


def test_the_cluster_grows_by_what_waits_and_shrinks_when_it_is_idle(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": SMALL})
    began = time.time()
    assert alive() == []
    done = ray.get([work.remote(20) for _ in range(13)])
    assert sorted(done) == ["head"] * done.count("head") + ["small"] * done.count("small")
    assert done.count("small") >= 8
    assert STARTUP_S + 20 < time.time() - began < STARTUP_S + 80
    grown = len(alive())
    assert 2 <= grown <= 5
    time.sleep(30)
    assert len(alive()) == grown  # Idle, but not for long enough.
    time.sleep(60)
    assert alive() == []


def test_nodes_that_are_not_needed_are_not_started(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": SMALL})
    for _ in range(5):
        assert ray.get(work.remote(1)) == "head"
    assert alive() == []


def test_the_least_number_runs_from_the_beginning_and_stays(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": {**SMALL, "min_workers": 2}})
    time.sleep(STARTUP_S + 5)
    assert alive() == ["small", "small"]
    time.sleep(300)
    assert alive() == ["small", "small"]


def test_what_only_one_type_can_run_starts_that_type(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": SMALL, "gpu": {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 2}})
    assert ray.get(work.options(num_gpus=1).remote(1)) == "gpu"
    assert alive() == ["gpu"]


def test_labels_choose_the_type(start: Callable[..., AutoscalingCluster]) -> None:
    near = {**SMALL, "labels": {"zone": "near"}}
    start({"small": SMALL, "near": near})
    assert ray.get(work.options(label_selector={"zone": "near"}).remote(1)) == "near"


def test_an_actor_that_no_node_can_hold_starts_one(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": SMALL})

    @ray.remote(num_cpus=4)
    class Shed:
        def where(self) -> str:
            return str(ray.get_runtime_context().get_node_labels()["ray.io/node-group"])

    shed = Shed.remote()
    assert ray.get(shed.where.remote()) == "small"
    time.sleep(300)
    assert alive() == ["small"]  # It is not idle: the actor lives there.
    del shed
    time.sleep(120)
    assert alive() == []


def test_an_actor_without_resources_keeps_its_node(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": {**SMALL, "labels": {"zone": "near"}}})

    @ray.remote(num_cpus=0, label_selector={"zone": "near"})
    class Shed:
        def ready(self) -> bool:
            return True

    shed = Shed.remote()
    assert ray.get(shed.ready.remote())
    time.sleep(300)
    assert ray.get(shed.ready.remote())
    assert alive() == ["small"]


def test_a_node_that_holds_an_object_is_not_idle(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": SMALL})

    @ray.remote(num_cpus=4, max_retries=0)
    def make() -> bytes:
        return b"x" * 1_000_000

    ref = make.remote()
    ray.wait([ref], fetch_local=False)
    time.sleep(300)
    assert len(ray.get(ref)) == 1_000_000
    del ref
    time.sleep(120)
    assert alive() == []


def test_a_placement_group_starts_the_nodes_for_its_bundles(
    start: Callable[..., AutoscalingCluster],
) -> None:
    start({"small": SMALL})
    group = placement_group([{"CPU": 2}] * 3, strategy="STRICT_SPREAD")
    assert group.wait(2 * STARTUP_S)
    assert alive() == ["small"] * 3
    time.sleep(300)
    assert alive() == ["small"] * 3  # Reserved is not idle.


def test_no_more_nodes_than_allowed(start: Callable[..., AutoscalingCluster]) -> None:
    start({"small": SMALL, "other": SMALL}, max_workers=3)
    ray.get([work.remote(100) for _ in range(50)])
    assert len(alive()) == 3


def test_another_type_is_taken_when_the_provider_is_out_of_the_best(
    start: Callable[..., AutoscalingCluster],
) -> None:
    large = {"resources": {"CPU": 16}, "max_workers": 5}
    start({"small": SMALL, "large": large}, capacity={"small": 0})
    assert ray.get(work.options(num_cpus=4).remote(1)) == "large"


def test_a_provider_that_has_machines_again_is_asked_again(
    start: Callable[..., AutoscalingCluster],
) -> None:
    cluster = start({"small": SMALL}, capacity={"small": 0})
    waiting = work.options(num_cpus=4).remote(1)
    time.sleep(30)
    assert alive() == []
    cluster.set_capacity("small", None)
    assert ray.get(waiting) == "small"


def test_no_call_is_lost_to_a_node_that_leaves(start: Callable[..., AutoscalingCluster]) -> None:
    """Calls that may not be retried come just when the nodes are about to be taken for idle."""
    start({"small": SMALL}, idle_timeout_minutes=0.05)
    once = work.options(max_retries=0, num_cpus=4)
    for tenths in range(40):
        assert ray.get(once.remote(0.1)) == "small"
        time.sleep(2.5 + tenths / 10)


def test_the_same_program_grows_the_same_way_every_time() -> None:
    def run() -> list[tuple[str, float]]:
        cluster = AutoscalingCluster({"CPU": 1}, {"small": SMALL}, idle_timeout_minutes=1.0)
        cluster.start()
        ray.init("auto")
        try:
            began = time.time()
            ray.get([work.remote(7) for _ in range(30)])
            names = [node["NodeName"] for node in ray.nodes()]
            return [(name, time.time() - began) for name in names]
        finally:
            ray.shutdown()
            cluster.shutdown()

    assert run() == run()


def test_mistakes_in_node_types_are_named() -> None:
    with pytest.raises(ValueError, match="has no 'resource'"):
        AutoscalingCluster({"CPU": 1}, {"small": {"resource": {"CPU": 1}}})
    with pytest.raises(ValueError, match="min_workers=3 and max_workers=2"):
        AutoscalingCluster({"CPU": 1}, {"small": {"min_workers": 3, "max_workers": 2}})
