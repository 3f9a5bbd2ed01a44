"""A request's own wishes on nodes `a` (zone a), `b` (zone b, with a disk label) and `c` (zone b)."""

from random import Random

import pytest

from raysim.config import Config
from raysim.policies import create
from raysim.policies.choice import Chooser, Unschedulable, Wish, named_node
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, named_node_id, named_worker_id
from raysim.spec.labels import Expression, Operator, parse_selector
from raysim.spec.node import NodeView
from raysim.spec.resources import fixed
from raysim.spec.task import Default, NodeAffinity, NodeLabels, Spread, Strategy

A, B, C = (named_node_id(name) for name in "abc")
ZONE_B = parse_selector({"zone": "b"})
ZONE_A = parse_selector({"zone": "a"})
NOWHERE = parse_selector({"zone": "nowhere"})
DISK = parse_selector({"disk": "ssd"})


def nodes(free: dict[str, float] | None = None) -> dict[NodeId, NodeView]:
    """Each with 2 CPUs, all free where `free` does not say otherwise."""
    free = free or {}
    labels = {"a": {"zone": "a"}, "b": {"zone": "b", "disk": "ssd"}, "c": {"zone": "b"}}
    found: dict[NodeId, NodeView] = {}
    for name, has in labels.items():
        place = Address(named_node_id(name), named_worker_id(name))
        available = fixed({"CPU": free.get(name, 2)})
        found[place.node_id] = NodeView(place, fixed({"CPU": 2}), available, labels=has)
    return found


def wish(strategy: Strategy | None = None, *selectors, cpus: float = 1) -> Wish:
    return Wish(fixed({"CPU": cpus}), strategy or Default(), selectors)


def pick(wanted: Wish, free: dict[str, float] | None = None, local: NodeId = A) -> NodeId | None:
    return Chooser(create("hybrid", Config())).pick(wanted, nodes(free), local, Random(1))


def test_without_wishes_the_policy_decides():
    assert pick(wish()) == A
    assert pick(wish(), local=C) == C


def test_selector_leaves_the_nodes_with_its_labels():
    assert pick(wish(None, ZONE_B)) in (B, C)
    assert pick(wish(None, ZONE_B), local=C) == C


def test_no_node_has_the_labels():
    assert pick(wish(None, NOWHERE)) is None


def test_labels_do_not_make_a_node_large_enough():
    assert pick(wish(None, ZONE_B, cpus=3)) is None


def test_fallback_takes_over_where_the_first_selector_can_never_be_fulfilled():
    assert pick(wish(None, NOWHERE, DISK)) == B


def test_fallback_with_room_comes_before_a_first_selector_without():
    """As Ray 2.60 does: a request does not wait for its first choice when its second is free."""
    assert pick(wish(None, DISK, ZONE_A), {"b": 0}) == A


def test_without_room_anywhere_the_first_selector_that_could_be_fulfilled_is_queued_at():
    full = {"a": 0, "b": 0, "c": 0}
    assert pick(wish(None, NOWHERE, DISK, ZONE_A), full) == B


def test_spread_goes_round_the_selected_nodes():
    chooser = Chooser(create("hybrid", Config()))
    wanted = wish(Spread(), ZONE_B)
    picked = [chooser.pick(wanted, nodes(), A, Random(1)) for _ in range(4)]
    assert picked == [B, C, B, C]


def test_hard_labels_exclude_nodes():
    hard = (Expression("zone", Operator.NOT_IN, ("a",)),)
    assert pick(wish(NodeLabels(hard))) in (B, C)
    assert pick(wish(NodeLabels((Expression("disk", Operator.EXISTS),)))) == B
    assert pick(wish(NodeLabels(NOWHERE))) is None


def test_soft_labels_are_preferred_while_there_is_room():
    strategy = NodeLabels(ZONE_B, DISK)
    assert pick(wish(strategy), local=C) == B
    assert pick(wish(strategy), {"b": 0}, local=A) == C
    assert pick(wish(strategy), {"b": 0, "c": 0}, local=A) == B


def test_hard_labels_and_selector_hold_together():
    assert pick(wish(NodeLabels(ZONE_B), ZONE_A)) is None


def test_soft_labels_that_no_node_has_do_not_hinder():
    assert pick(wish(NodeLabels((), NOWHERE))) == A


@pytest.mark.parametrize(
    ("strategy", "free", "expected"),
    [
        (NodeAffinity(B), {}, B),
        (NodeAffinity(B), {"b": 0}, B),
        (NodeAffinity(B, soft=True), {"b": 0}, B),
        (NodeAffinity(B, soft=True, spill_on_unavailable=True), {}, B),
        (NodeAffinity(B, soft=True, spill_on_unavailable=True), {"b": 0}, None),
        (NodeAffinity(B, fail_on_unavailable=True), {}, B),
        (NodeAffinity(named_node_id("gone"), soft=True), {}, None),
        (Default(), {}, None),
    ],
)
def test_named_node(strategy, free, expected):
    """None: it goes where the policy says."""
    assert named_node(wish(strategy), nodes(free)) == expected


@pytest.mark.parametrize(
    ("wanted", "free", "why"),
    [
        (wish(NodeAffinity(named_node_id("gone"))), {}, "dead or unknown"),
        (wish(NodeAffinity(B), cpus=3), {}, "too small"),
        (wish(NodeAffinity(B), ZONE_A), {}, "label_selector"),
        (wish(NodeAffinity(B, fail_on_unavailable=True)), {"b": 0}, "no room now"),
    ],
)
def test_named_node_that_cannot_run_it(wanted, free, why):
    found = named_node(wanted, nodes(free))
    assert isinstance(found, Unschedulable)
    assert why in found.why
