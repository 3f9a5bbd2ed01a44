"""Which nodes a cluster lacks. The expectations are those of Ray's `resource_demand_scheduler`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.policies.autoscaling import nodes_to_launch
from raysim.spec.autoscaling import AutoscalingSpec, Demand, NodeType, Supply
from raysim.spec.ids import PlacementGroupId
from raysim.spec.labels import parse_selector
from raysim.spec.placement_group import GroupSpec, GroupStrategy
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import address

SMALL = NodeType("small", fixed({"CPU": 2}), max_workers=10)
LARGE = NodeType("large", fixed({"CPU": 16}), max_workers=10)
GPU = NodeType("gpu", fixed({"CPU": 16, "GPU": 4}), max_workers=3)


def spec(*types: NodeType, most: int = 100, speed: float = 100.0) -> AutoscalingSpec:
    return AutoscalingSpec(node_types=types, max_workers=most, upscaling_speed=speed)


def demand(count: int = 1, **resources: float) -> Demand:
    return Demand(fixed(resources), (), count)


def node(kind: NodeType, **available: float) -> Supply:
    return Supply(fixed(available) if available else dict(kind.resources), kind.labels, kind.name)


def group(strategy: GroupStrategy, *bundles: dict[str, float]) -> tuple[GroupSpec, list[int]]:
    made = GroupSpec(
        PlacementGroupId(b"g" * 18),
        [fixed(one) for one in bundles],
        strategy,
        address("driver", "a"),
    )
    return made, list(range(len(bundles)))


def test_nothing_is_started_for_what_fits_on_what_runs() -> None:
    assert nodes_to_launch([demand(2, CPU=1)], [], [node(SMALL)], [], spec(SMALL)) == {}


def test_what_does_not_fit_is_packed_into_as_few_nodes_as_it_takes() -> None:
    assert nodes_to_launch([demand(7, CPU=1)], [], [node(SMALL)], [], spec(SMALL)) == {"small": 3}


def test_nodes_on_their_way_count() -> None:
    asked = [demand(7, CPU=1)]
    launching = [node(SMALL), node(SMALL)]
    assert nodes_to_launch(asked, [], [node(SMALL)], launching, spec(SMALL)) == {"small": 1}


def test_what_no_type_can_run_starts_nothing() -> None:
    assert nodes_to_launch([demand(CPU=3), demand(TPU=1)], [], [], [], spec(SMALL)) == {}


def test_the_type_that_is_used_best_is_taken() -> None:
    assert nodes_to_launch([demand(CPU=2)], [], [], [], spec(LARGE, SMALL)) == {"small": 1}
    assert nodes_to_launch([demand(16, CPU=1)], [], [], [], spec(SMALL, LARGE)) == {"large": 1}


def test_gpu_nodes_are_kept_from_what_needs_none() -> None:
    asked = [demand(16, CPU=1)]
    assert nodes_to_launch(asked, [], [], [], spec(GPU, SMALL)) == {"small": 8}
    assert nodes_to_launch(asked, [], [], [], spec(GPU)) == {"gpu": 1}
    assert nodes_to_launch([demand(CPU=1, GPU=1)], [], [], [], spec(SMALL, GPU)) == {"gpu": 1}


def test_heavy_demands_come_first() -> None:
    """Or the small ones would take what the large one needs."""
    asked = [demand(2, CPU=1), demand(CPU=2)]
    assert nodes_to_launch(asked, [], [node(SMALL)], [], spec(SMALL)) == {"small": 1}


def test_no_type_and_no_cluster_grows_above_its_limit() -> None:
    few = NodeType("few", fixed({"CPU": 1}), max_workers=3)
    assert nodes_to_launch([demand(9, CPU=1)], [], [node(few, CPU=0)], [], spec(few)) == {"few": 2}
    assert nodes_to_launch([demand(9, CPU=2)], [], [], [], spec(SMALL, most=4)) == {"small": 4}


def test_each_type_has_its_least_number() -> None:
    three = NodeType("three", fixed({"CPU": 1}), min_workers=3, max_workers=5)
    assert nodes_to_launch([], [], [node(three)], [], spec(three)) == {"three": 2}


def test_another_type_does_where_one_cannot_be_had() -> None:
    found = nodes_to_launch([demand(2, CPU=2)], [], [], [], spec(SMALL, LARGE), ["small"])
    assert found == {"large": 1}


@pytest.mark.parametrize(("running", "at_once"), [(0, 5), (4, 5), (9, 9)])
def test_a_cluster_grows_no_faster_than_its_speed(running: int, at_once: int) -> None:
    asked = [demand(1000, CPU=2)]
    many = NodeType("many", fixed({"CPU": 2}), max_workers=1000)
    there = [node(many, CPU=0) for _ in range(running)]
    found = nodes_to_launch(asked, [], there, [], spec(many, most=1000, speed=1.0))
    assert found == {"many": at_once}


def test_labels_are_asked_of_the_type() -> None:
    near = NodeType("near", fixed({"CPU": 2}), {"zone": "near"}, max_workers=5)
    wish = Demand(fixed({"CPU": 1}), (parse_selector({"zone": "near"}),))
    assert nodes_to_launch([wish], [], [node(SMALL)], [], spec(SMALL, near)) == {"near": 1}
    assert nodes_to_launch([wish], [], [node(SMALL)], [], spec(SMALL)) == {}


def test_bundles_of_a_packed_group_may_share_nodes() -> None:
    groups = [group(GroupStrategy.PACK, {"CPU": 1}, {"CPU": 1}, {"CPU": 1})]
    assert nodes_to_launch([], groups, [], [], spec(SMALL)) == {"small": 2}


def test_a_strictly_packed_group_is_one_demand() -> None:
    groups = [group(GroupStrategy.STRICT_PACK, {"CPU": 2}, {"CPU": 1})]
    assert nodes_to_launch([], groups, [node(SMALL)] * 2, [], spec(SMALL, LARGE)) == {"large": 1}


def test_a_strictly_spread_group_has_a_node_for_each_bundle() -> None:
    groups = [group(GroupStrategy.STRICT_SPREAD, {"CPU": 1}, {"CPU": 1}, {"CPU": 1})]
    assert nodes_to_launch([], groups, [node(LARGE)], [], spec(SMALL)) == {"small": 2}


def test_bundles_that_have_places_need_none() -> None:
    made, _ = group(GroupStrategy.SPREAD, {"CPU": 2}, {"CPU": 2})
    assert nodes_to_launch([], [(made, [1])], [], [], spec(SMALL)) == {"small": 1}


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(0, 4)), max_size=6),
    st.integers(0, 30),
)
def test_no_limit_is_ever_exceeded_and_nothing_is_started_for_nothing(
    wanted: list[tuple[int, int, int]], most: int
) -> None:
    demands = [demand(count, CPU=cpus, GPU=gpus) for count, cpus, gpus in wanted]
    types = (SMALL, LARGE, GPU)
    found = nodes_to_launch(demands, [], [], [], spec(*types, most=most))
    assert sum(found.values()) <= most
    for kind in types:
        assert found.get(kind.name, 0) <= kind.max_workers
    cpus = sum(count * cpus for count, cpus, _ in wanted)
    assert sum(found.values()) <= cpus
