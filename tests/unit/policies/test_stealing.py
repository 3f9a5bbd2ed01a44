"""Policies under which idle nodes take over what waits at others: what they give, and where calls wait before."""

from random import Random

import pytest

from raysim.config import Config
from raysim.policies import create
from raysim.policies.base import Nodes
from raysim.policies.registry import asked_of_owners
from raysim.policies.stealing import Hawk, Stealable, WorkStealing
from raysim.spec.ids import named_node_id
from raysim.spec.node import NodeView
from raysim.spec.resources import fixed
from tests.unit.policies.test_policies import cluster, view

CPU1 = fixed({"CPU": 1})
S = 1_000_000_000
HERE = named_node_id("n0")


def waiting(*seconds: float) -> list[Stealable]:
    """Numbered from 1."""
    return [Stealable(at, CPU1, round(one * S)) for at, one in enumerate(seconds, 1)]


def hawk(**more: float) -> Hawk:
    return Hawk(cutoff_s=10, **more)


def nodes(*queued: int) -> Nodes:
    views: list[NodeView] = [view(f"n{at}", 4, free=4) for at in range(len(queued))]
    made = Nodes(views[0])
    for one, count in zip(views, queued, strict=True):
        one.queued = count
        made.put(one.address.node_id, one)
    return made


@pytest.mark.parametrize(("free", "taken"), [(1, [5]), (2, [4, 5]), (8, [3, 4, 5])])
def test_a_thief_takes_the_latest_at_most_half_and_what_it_has_room_for(
    free: int, taken: list[int]
) -> None:
    assert WorkStealing().loot(waiting(1, 1, 1, 1, 1), [], fixed({"CPU": free})) == taken


def test_only_those_are_robbed_where_something_waits() -> None:
    some = nodes(0, 3, 0, 1)
    assert set(WorkStealing().victims(some, HERE, Random(1))) == {
        named_node_id("n1"),
        named_node_id("n3"),
    }
    assert WorkStealing().victims(nodes(5, 0), HERE, Random(1)) == []


@pytest.mark.parametrize(
    ("queue", "running", "taken"),
    [
        ((1, 2, 30, 1, 2, 40, 1), (1,), [4, 5]),
        ((1, 2, 30, 1), (60,), [1, 2]),
        ((30, 40, 1, 1), (), [3, 4]),
        ((1, 2, 3), (1,), []),
        ((30, 40), (60,), []),
    ],
)
def test_hawk_steals_the_first_short_ones_that_a_long_one_keeps_waiting(
    queue: tuple[float, ...], running: tuple[float, ...], taken: list[int]
) -> None:
    found = hawk().loot(waiting(*queue), [round(one * S) for one in running], fixed({"CPU": 1}))
    assert found == taken


def test_long_calls_keep_off_some_nodes_and_short_ones_do_not() -> None:
    some, policy = nodes(*[0] * 10), hawk(short_share=0.2)
    long = policy.candidates(CPU1, 100, some, Random(1), 20 * S)
    assert len(set(long)) == 8
    short = policy.candidates(CPU1, 100, some, Random(1), 1 * S)
    assert len(short) == 200
    assert set(short) == set(some)
    assert set(policy.victims(some, HERE, Random(1))) <= set(long)


def test_all_raylets_keep_the_same_nodes_for_short_calls() -> None:
    some = nodes(*[0] * 10)
    turned = dict(reversed(some.items()))
    first, second = (
        hawk(short_share=0.3).candidates(CPU1, 70, one, Random(1), 20 * S) for one in (some, turned)
    )
    assert set(first) == set(second)


def test_a_long_call_goes_where_least_waits() -> None:
    some = cluster(view("busy", 1, free=0), view("free", 1, free=1), view("other", 1, free=0))
    found = hawk(short_share=0).candidates(CPU1, 1, some, Random(1), 20 * S)
    assert found == [named_node_id("free")]


def test_where_only_nodes_for_short_calls_are_large_enough_long_ones_run_there() -> None:
    small = [view(f"small{number}", 1) for number in range(9)]
    large = view("large", 8)
    some = cluster(*small, large)
    share = (sorted(some).index(named_node_id("large")) + 1) / 10
    if share < 1:
        found = hawk(short_share=share).candidates(fixed({"CPU": 4}), 1, some, Random(1), 20 * S)
        assert set(found) == {named_node_id("large")}


def test_owners_are_told_from_which_length_on_a_call_is_long() -> None:
    assert asked_of_owners(Config(policy="hawk(cutoff_s=2)")).cutoff_ns == 2 * S
    assert asked_of_owners(Config(policy="late_binding")).cutoff_ns is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hawk(short_share=1)", "short_share is a share, less than 1, not 1"),
        ("hawk(cutoff_s=-1)", "cutoff_s=-1 and tries=10 are at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        create(text, Config())
