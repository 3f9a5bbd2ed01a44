"""Autoscaling towards a share in use, beside Ray's packing of what waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.policies.scaling import Scaling, Situation, create_scaling, new_supply
from raysim.spec.autoscaling import AutoscalingSpec, Demand, NodeType, Supply
from raysim.spec.placement_group import GroupStrategy
from raysim.spec.resources import fixed
from tests.unit.policies.test_autoscaling import GPU, LARGE, demand, group, spec

FOUR = NodeType("four", fixed({"CPU": 4}), max_workers=50)
PACKING = create_scaling("bin_packing")


def target(share: float) -> Scaling:
    return create_scaling(f"target_utilization(target={share})")


def used(cpus: float, kind: NodeType = FOUR) -> Supply:
    """A node of which so many cores are in use."""
    made = new_supply(kind)
    made.available["CPU"] -= round(cpus * 10_000)
    return made


def situation(
    running: list[Supply],
    *demands: Demand,
    launching: int = 0,
    limits: AutoscalingSpec | None = None,
) -> Situation:
    on_their_way = [new_supply(FOUR) for _ in range(launching)]
    return Situation(demands, (), running, on_their_way, limits or spec(FOUR))


def test_a_long_queue_of_short_tasks_is_no_reason_for_as_many_nodes() -> None:
    full = situation([used(4) for _ in range(10)], demand(100, CPU=1))
    assert PACKING.launch(full) == {"four": 25}
    assert target(0.8).launch(full) == {"four": 3}  # 40 cores are 80 % of 50: 10 more.


def test_nodes_are_started_before_anything_waits() -> None:
    busy = situation([used(3.5) for _ in range(10)])
    assert PACKING.launch(busy) == {}
    assert target(0.7).launch(busy) == {"four": 3}  # 35 cores are 70 % of 50.


def test_nodes_on_their_way_count() -> None:
    assert target(0.7).launch(situation([used(3.5) for _ in range(10)], launching=3)) == {}


@pytest.mark.parametrize(("cpus", "started"), [(3.0, {}), (3.2, {"four": 2})])
def test_near_the_target_nothing_changes(cpus: float, started: dict[str, int]) -> None:
    """Or every task that begins or ends would start and end machines."""
    assert target(0.7).launch(situation([used(cpus) for _ in range(10)])) == started


def test_what_no_node_could_ever_run_has_one_started() -> None:
    idle = situation([used(0)], demand(CPU=12), limits=spec(FOUR, LARGE, GPU))
    assert target(0.7).launch(idle) == {"large": 1}


def test_a_group_has_its_room_at_once() -> None:
    waiting = situation([used(0)])
    waiting.groups = [group(GroupStrategy.STRICT_SPREAD, *[{"CPU": 4}] * 4)]
    assert target(0.7).launch(waiting) == {"four": 3}


def test_what_has_room_nowhere_in_one_piece_has_a_node_started_at_a_time() -> None:
    """Three quarters of each node are in use, for ever: nobody would come to start what takes three cores."""
    in_pieces = [used(3) for _ in range(4)]
    assert target(0.8).launch(situation(in_pieces, demand(5, CPU=3))) == {"four": 1}
    assert target(0.8).launch(situation(in_pieces, demand(5, CPU=3), launching=1)) == {}


def test_an_idle_node_stays_where_the_others_would_be_too_full() -> None:
    idle, busy = used(0), [used(3), used(3)]
    assert PACKING.may_leave(idle, [*busy, idle])
    assert not target(0.7).may_leave(idle, [*busy, idle])
    assert target(0.7).may_leave(idle, [*busy, idle, used(0)])


@given(
    st.lists(st.floats(0, 4), max_size=12),
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(0, 4)), max_size=6),
    st.integers(0, 30),
    st.floats(0.1, 1),
)
def test_no_limit_is_ever_exceeded(
    cpus: list[float], wanted: list[tuple[int, int, int]], most: int, share: float
) -> None:
    demands = [demand(count, CPU=each, GPU=gpus) for count, each, gpus in wanted]
    limits = spec(FOUR, LARGE, GPU, most=most)
    found = target(share).launch(situation([used(one) for one in cpus], *demands, limits=limits))
    assert not found or sum(found.values()) + len(cpus) <= most
    assert all(count <= limits.type_of(name).max_workers for name, count in found.items())


@pytest.mark.parametrize("text", ["target_utilization(target=0)", "target_utilization(target=1.1)"])
def test_a_target_that_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="target is a share, more than 0 and at most 1"):
        create_scaling(text)
