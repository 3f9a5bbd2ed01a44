"""Policies for nodes with GPUs: which node and which GPU of a few they take."""

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raysim.config import Config
from raysim.policies import create, has_room
from raysim.policies.base import Nodes, Policy
from raysim.policies.devices import PicksDevices, pieces, without
from raysim.policies.fragments import Fragments
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, named_node_id, named_worker_id
from raysim.spec.node import NodeView, gpus_fit
from raysim.spec.resources import fixed, to_units

HERE = named_node_id("here")


def view(name: str, gpus: list[float], cpus: float = 64, free: float | None = None) -> NodeView:
    total = fixed({"CPU": cpus, "GPU": len(gpus)})
    available = fixed({"CPU": cpus if free is None else free, "GPU": sum(gpus)})
    at = Address(named_node_id(name), named_worker_id(name))
    return NodeView(at, total, available, gpus=tuple(to_units(one) for one in gpus))


def picked(policy: Policy | str, need: dict[str, float], *views: NodeView) -> str:
    made = create(policy, Config()) if isinstance(policy, str) else policy
    nodes = {one.address.node_id: one for one in views}
    found = made.pick(fixed(need), nodes, HERE, Random(1))
    return next(name for name in NAMES if named_node_id(name) == found)


NAMES = (
    "free",
    "used",
    "large",
    "small",
    "whole",
    "halves",
    "alone",
    "mixed",
    "lean",
    "rich",
    "cores",
)


# Room


@pytest.mark.parametrize(
    ("units", "free", "room"),
    [
        (1, [0.5, 0.5], False),
        (0.5, [0.3, 0.3], False),
        (0.5, [0.3, 0.5], True),
        (2, [1, 0.5, 1], True),
        (2, [1, 0.5, 0.5], False),
        (1.5, [1, 0.5], True),
        (1.5, [1, 0.4], False),
        (1.5, [1, 1], True),
        (0, [0], True),
    ],
)
def test_room_of_gpus_is_in_one_piece(units: float, free: list[float], room: bool) -> None:
    assert gpus_fit(to_units(units), [to_units(one) for one in free]) is room


@given(
    st.lists(st.sampled_from([0, 2500, 5000, 10_000]), min_size=1, max_size=4), st.integers(1, 8)
)
def test_there_is_room_exactly_where_there_are_pieces(free: list[int], quarters: int) -> None:
    found = pieces(2500 * quarters, dict(enumerate(free)))
    assert (found is not None) is gpus_fit(2500 * quarters, free)
    if found is not None:
        assert sum(found.values()) == 2500 * quarters
        assert all(units <= free[index] for index, units in found.items())


def test_gpus_that_are_wanted_are_taken_if_they_have_room() -> None:
    pool = {0: 5_000, 1: 10_000, 2: 10_000}
    assert pieces(5_000, pool, (2,)) == {2: 5_000}
    assert pieces(10_000, pool, (2,)) == {2: 10_000}
    assert pieces(10_000, pool, (0,)) == {1: 10_000}
    assert pieces(20_000, pool, (2,)) == {1: 10_000, 2: 10_000}
    assert without(fixed({"GPU": 0.5}), view("free", [1, 1]), (1,)) == (10_000, 5_000)


# Where a request goes


def test_best_fit_takes_what_has_least_left_of_cores_and_gpus() -> None:
    views = view("large", [1] * 8), view("small", [1] * 2), view("rich", [1] * 2, cpus=128)
    assert picked("gpu_best_fit", {"CPU": 4, "GPU": 1}, *views) == "small"


def test_dot_product_takes_the_smallest() -> None:
    views = view("large", [1] * 8), view("small", [1] * 2)
    assert picked("gpu_dot_product", {"CPU": 4, "GPU": 2}, *views) == "small"


def test_packing_shares_gpus_before_it_begins_free_ones() -> None:
    views = view("free", [1]), view("used", [1, 0]), view("halves", [0.5, 1, 1])
    assert picked("gpu_packing", {"GPU": 0.5}, *views) == "halves"
    assert picked("gpu_packing", {"GPU": 0.6}, *views[:2]) == "used"
    assert (
        picked("gpu_packing", {"GPU": 1}, view("large", [1] * 8), view("free", [1] * 2)) == "free"
    )


def test_clustering_keeps_requests_for_as_many_gpus_together() -> None:
    policy = create("gpu_clustering", Config())
    free = view("free", [1] * 4)
    assert picked(policy, {"GPU": 2}, view("alone", [1] * 4)) == "alone"
    assert picked(policy, {"GPU": 1}, view("mixed", [1] * 4)) == "mixed"
    assert picked(policy, {"GPU": 2}, view("mixed", [0, 1, 1, 1])) == "mixed"
    alone, mixed = view("alone", [0, 0, 1, 1]), view("mixed", [0, 0, 0, 1])
    assert picked(policy, {"GPU": 1}, free, alone, mixed) == "mixed"
    assert picked(policy, {"GPU": 0.5}, free, alone, mixed) == "free"
    alone = view("alone", [0, 0, 1, 1])
    assert picked(policy, {"GPU": 2}, free, mixed, alone) == "alone"


# Fragmentation


def test_what_no_typical_request_could_take_is_of_no_use() -> None:
    """Weng et al., section 3: a node counts as a whole where a request does not fit, else GPUs with too little."""
    seen = {(to_units(8), to_units(1)): 3, (to_units(4), to_units(0.5)): 1}
    fragments = Fragments(seen)
    gpus = tuple(to_units(one) for one in (0.4, 0.5, 1))
    assert fragments.of(to_units(64), gpus) == pytest.approx(to_units(0.75 * 0.9 + 0.25 * 0.4))
    assert fragments.of(to_units(4), gpus) == pytest.approx(to_units(0.75 * 1.9 + 0.25 * 0.4))
    assert fragments.of(to_units(1), gpus) == pytest.approx(to_units(1.9))
    assert fragments.of(to_units(64), ()) == 0


def test_requests_for_cores_alone_make_all_that_is_free_of_no_use() -> None:
    assert Fragments({(to_units(1), 0): 1}).of(to_units(64), (10_000,)) == 10_000


def test_rare_requests_are_not_typical() -> None:
    seen = {(0, to_units(1)): 99, (0, to_units(8)): 1}
    assert Fragments(seen).of(0, (10_000,)) == 0


def test_fgd_keeps_whole_gpus_for_those_that_ask_for_whole_ones() -> None:
    policy = create("fgd", Config())
    views = view("whole", [1, 1]), view("halves", [0.5, 0.5])
    for _ in range(8):
        picked(policy, {"CPU": 1, "GPU": 1}, *views)
    assert picked(policy, {"CPU": 1, "GPU": 0.5}, *views) == "halves"


def test_fgd_keeps_cores_beside_gpus_that_are_free() -> None:
    policy = create("fgd", Config())
    lean, rich = view("lean", [1, 1], cpus=8), view("rich", [0, 0], cpus=8)
    for _ in range(8):
        picked(policy, {"CPU": 4, "GPU": 1}, lean)
    assert picked(policy, {"CPU": 6}, lean, rich) == "rich"


def test_fgd_picks_the_gpu_too() -> None:
    policy = create("fgd", Config())
    assert isinstance(policy, PicksDevices)
    there = view("mixed", [0.6, 1, 0.4])
    for units in (0.4, 1, 0.4, 1):
        picked(policy, {"CPU": 1, "GPU": units}, there)
    assert policy.pick_gpus(fixed({"CPU": 1, "GPU": 0.4}), there, Random(1)) == (2,)
    assert policy.pick_gpus(fixed({"CPU": 1, "GPU": 1}), there, Random(1)) == (1,)


def test_random_picks_any_gpu_with_room() -> None:
    policy = create("random", Config())
    assert isinstance(policy, PicksDevices)
    there = view("mixed", [0.6, 1, 0.4])
    drawn = {tuple(policy.pick_gpus(fixed({"GPU": 0.5}), there, Random(n))) for n in range(20)}
    assert drawn == {(0,), (1,)}


# Following changes

SCORED = ("fgd", "gpu_best_fit", "gpu_dot_product", "gpu_packing", "gpu_clustering")

gpus = st.lists(st.sampled_from([0, 0.3, 0.5, 1, 1]), min_size=1, max_size=3)
changes = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "here"]),
        st.sampled_from(NAMES[:4]),
        gpus,
        st.integers(0, 8),
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", SCORED)
@settings(max_examples=40)
@example(steps=[([("put", "free", [0.5], 2)], 0.3), ([("put", "used", [0.3], 2)], 0.3)])
@given(steps=st.lists(st.tuples(changes, st.sampled_from([0, 0.3, 0.5, 1, 2])), max_size=6))
def test_a_ranking_that_is_kept_picks_as_one_that_is_made_anew(
    name: str, steps: list[tuple[list[tuple[str, str, list[float], int]], float]]
) -> None:
    local = view("here", [1], cpus=8)
    nodes = Nodes(local)
    follows, looks = create(name, Config()), create(name, Config())
    for some, units in steps:
        for what, node, free, cpus in some:
            changed = view(node, free, cpus=8, free=cpus)
            if what == "put":
                nodes.put(changed.address.node_id, changed)
            elif what == "drop":
                nodes.drop(changed.address.node_id)
            else:
                local.available, local.gpus = fixed({"CPU": cpus, "GPU": free[0]}), changed.gpus[:1]
        need = fixed({"CPU": 2, "GPU": units})
        in_order: Mapping[NodeId, NodeView] = {
            one: nodes[one] for one in nodes.order if one in nodes
        }
        found = follows.pick(need, nodes, HERE, Random(1))
        if any(has_room(need, one) for one in nodes.values()):
            assert found is not None
            assert has_room(need, nodes[found])
            assert found == looks.pick(need, in_order, HERE, Random(1))
        else:
            looks.pick(need, in_order, HERE, Random(1))
