from collections.abc import Mapping

import pytest

from raysim.policies.bundles import is_feasible, place_bundles
from raysim.spec.address import NOWHERE
from raysim.spec.ids import NIL_NODE, NodeId, PlacementGroupId, named_node_id
from raysim.spec.labels import parse_selector
from raysim.spec.node import NodeView
from raysim.spec.placement_group import GroupSpec, GroupStrategy
from raysim.spec.resources import fixed

GROUP = PlacementGroupId(b"g" * 18)
A, B, C = (named_node_id(name) for name in "abc")
PACK, SPREAD = GroupStrategy.PACK, GroupStrategy.SPREAD
STRICT_PACK, STRICT_SPREAD = GroupStrategy.STRICT_PACK, GroupStrategy.STRICT_SPREAD


def view(
    total: Mapping[str, float], free: Mapping[str, float] | None = None, **labels: str
) -> NodeView:
    available = fixed(total if free is None else free)
    return NodeView(NOWHERE, fixed(total), available, labels=labels)


def cpus(**nodes: float) -> dict[NodeId, NodeView]:
    """Nodes by name with so many free CPUs."""
    return {named_node_id(name): view({"CPU": count}) for name, count in nodes.items()}


def spec(
    strategy: GroupStrategy,
    *bundles: Mapping[str, float],
    selectors: list[dict[str, str]] | None = None,
    target: NodeId = NIL_NODE,
) -> GroupSpec:
    return GroupSpec(
        GROUP,
        [fixed(bundle) for bundle in bundles],
        strategy,
        NOWHERE,
        selectors=[parse_selector(one) for one in selectors or []],
        target=target,
    )


ONE = {"CPU": 1}


def test_pack_uses_one_node_where_all_fit() -> None:
    assert place_bundles(spec(PACK, ONE, ONE), cpus(a=4, b=4), {}) == {0: A, 1: A}


def test_pack_goes_to_another_node_with_what_does_not_fit() -> None:
    assert place_bundles(spec(PACK, ONE, ONE, ONE), cpus(a=2, b=2), {}) == {0: A, 1: A, 2: B}


def test_pack_begins_where_the_largest_share_stays_free() -> None:
    assert place_bundles(spec(PACK, ONE), cpus(a=2, b=8, c=4), {}) == {0: B}


def test_scarce_bundles_choose_first() -> None:
    """The bundle without GPU must not take the CPUs that the one with GPU needs beside it."""
    nodes = {A: view({"CPU": 1, "GPU": 1}), B: view({"CPU": 1})}
    wanted = spec(SPREAD, ONE, {"CPU": 1, "GPU": 1})
    assert place_bundles(wanted, nodes, {}) == {0: B, 1: A}


def test_large_bundles_choose_before_small_ones() -> None:
    wanted = spec(PACK, ONE, {"CPU": 3})
    assert place_bundles(wanted, cpus(a=3, b=1), {}) == {0: B, 1: A}


def test_spread_uses_every_node_before_one_twice() -> None:
    placed = place_bundles(spec(SPREAD, ONE, ONE, ONE), cpus(a=4, b=4), {})
    assert placed is not None
    assert sorted(placed.values()).count(A) in (1, 2)
    assert set(placed.values()) == {A, B}


def test_strict_spread_waits_for_nodes_rather_than_use_one_twice() -> None:
    wanted = spec(STRICT_SPREAD, ONE, ONE, ONE)
    assert place_bundles(wanted, cpus(a=4, b=4), {}) is None
    placed = place_bundles(wanted, cpus(a=4, b=4, c=1), {})
    assert placed is not None
    assert set(placed.values()) == {A, B, C}


def test_strict_pack_waits_for_one_node_with_room_for_all() -> None:
    wanted = spec(STRICT_PACK, ONE, {"CPU": 2})
    assert place_bundles(wanted, cpus(a=2, b=2), {}) is None
    assert place_bundles(wanted, cpus(a=2, b=3), {}) == {0: B, 1: B}


def test_strict_pack_prefers_its_target_and_does_without_it() -> None:
    wanted = spec(STRICT_PACK, ONE, ONE, target=B)
    assert place_bundles(wanted, cpus(a=8, b=2), {}) == {0: B, 1: B}
    assert place_bundles(wanted, cpus(a=8, b=1), {}) == {0: A, 1: A}
    assert place_bundles(wanted, cpus(a=8), {}) == {0: A, 1: A}


@pytest.mark.parametrize("strategy", [PACK, SPREAD, STRICT_PACK, STRICT_SPREAD])
def test_all_bundles_or_none(strategy: GroupStrategy) -> None:
    wanted = spec(strategy, ONE, {"CPU": 9})
    assert place_bundles(wanted, cpus(a=8, b=8), {}) is None


def test_what_is_used_now_is_no_room_but_could_be() -> None:
    nodes = {A: view({"CPU": 2}, {"CPU": 0})}
    assert place_bundles(spec(PACK, ONE), nodes, {}) is None
    assert is_feasible(spec(PACK, ONE), nodes, {})
    assert not is_feasible(spec(PACK, {"CPU": 3}), nodes, {})


def test_bundles_that_have_places_keep_them() -> None:
    """One node of the group died; the others are in use."""
    wanted = spec(PACK, ONE, ONE, ONE)
    assert place_bundles(wanted, cpus(a=8, b=8), {0: B, 2: B}) == {1: B}
    assert place_bundles(spec(SPREAD, ONE, ONE), cpus(a=8, b=8), {0: B}) == {1: A}


def test_strict_spread_keeps_off_the_nodes_of_bundles_in_use() -> None:
    wanted = spec(STRICT_SPREAD, ONE, ONE)
    assert place_bundles(wanted, cpus(a=8), {0: A}) is None
    assert place_bundles(wanted, cpus(a=8, c=1), {0: A}) == {1: C}


def test_strict_pack_never_leaves_the_node_of_bundles_in_use() -> None:
    wanted = spec(STRICT_PACK, ONE, ONE)
    assert place_bundles(wanted, cpus(a=8, b=2), {0: B}) == {1: B}


@pytest.mark.parametrize("strategy", [PACK, SPREAD, STRICT_PACK, STRICT_SPREAD])
def test_bundles_go_to_nodes_with_their_labels(strategy: GroupStrategy) -> None:
    nodes = {A: view(ONE, zone="x"), B: view(ONE, zone="y")}
    chosen = spec(strategy, ONE, selectors=[{"zone": "y"}])
    assert place_bundles(chosen, nodes, {}) == {0: B}
    assert not is_feasible(spec(strategy, ONE, selectors=[{"zone": "z"}]), nodes, {})


def test_no_nodes_is_no_place() -> None:
    assert place_bundles(spec(PACK, ONE), {}, {}) is None
