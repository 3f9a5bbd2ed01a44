"""Policies that say where calls wait: which nodes they draw, and what they make of the lengths of queues."""

from collections import Counter
from random import Random

import pytest

from raysim.config import Config
from raysim.policies import create
from raysim.policies.base import Nodes
from raysim.policies.index import load
from raysim.policies.queueing import Queueing
from raysim.policies.registry import queues
from raysim.spec.ids import NodeId, named_node_id
from raysim.spec.resources import fixed
from tests.unit.policies.test_policies import cluster, view

CPU1 = fixed({"CPU": 1})
TEN = cluster(*(view(f"n{number}", 1) for number in range(10)))


def made(text: str) -> Queueing:
    policy = create(text, Config())
    assert isinstance(policy, Queueing)
    return policy


def candidates(text: str, count: int, seed: int = 1, cpus: int = 1) -> list[NodeId]:
    return made(text).candidates(fixed({"CPU": cpus}), count, TEN, Random(seed))


def ids(*names: str) -> list[NodeId]:
    return [named_node_id(name) for name in names]


def test_hybrid_leaves_to_raylets_where_calls_wait_and_late_binding_does_not() -> None:
    assert not queues(Config())
    assert queues(Config(policy="late_binding(ratio=3)"))


@pytest.mark.parametrize(
    ("policy", "drawn"),
    [
        ("random_queue", 4),
        ("power_of_d(d=3)", 12),
        ("batch_sampling", 8),
        ("late_binding(ratio=1.5)", 6),
        ("omniscient", 4),
    ],
)
def test_four_calls_draw(policy: str, drawn: int) -> None:
    found = candidates(policy, 4)
    assert len(found) == drawn
    assert set(found) <= set(TEN)


@pytest.mark.parametrize("policy", ["random_queue", "power_of_d(d=1)", "late_binding(ratio=1)"])
def test_every_node_is_drawn_as_often(policy: str) -> None:
    drawn = Counter(one for seed in range(2_000) for one in candidates(policy, 1, seed))
    assert set(drawn) == set(TEN)
    assert min(drawn.values()) > 140


@pytest.mark.parametrize(
    "policy", ["random_queue", "power_of_d", "batch_sampling", "late_binding", "omniscient"]
)
def test_only_nodes_that_could_ever_run_it_are_drawn(policy: str) -> None:
    some = cluster(*(view(f"small{number}", 1) for number in range(30)), view("large", 4))
    found = made(policy).candidates(fixed({"CPU": 2}), 3, some, Random(1))
    assert set(found) == {named_node_id("large")}
    assert candidates(policy, 3, cpus=2) == []


def test_nodes_of_one_call_differ_and_all_of_a_batch_do() -> None:
    for seed in range(50):
        two = candidates("power_of_d(d=2)", 1, seed)
        assert len(set(two)) == 2
        assert len(set(candidates("batch_sampling", 5, seed))) == 10


def test_a_batch_that_is_larger_than_the_cluster_draws_each_node_as_often() -> None:
    assert set(Counter(candidates("late_binding(ratio=2)", 10)).values()) == {2}


def test_each_call_of_power_of_d_has_its_own_nodes() -> None:
    first, second, third = ids("a", "b", "c")
    loads = [(first, 3), (second, 1), (third, 0), (first, 3), (second, 1), (first, 1)]
    assert made("power_of_d(d=2)").settle(3, loads) == [second, third, second]


def test_a_batch_shares_its_nodes() -> None:
    """Two nodes of the first call are better than both of the second."""
    a, b, c, d = ids("a", "b", "c", "d")
    loads = [(a, -2), (b, 0), (c, 4), (d, 5)]
    assert made("batch_sampling").settle(2, loads) == [a, b]


def test_a_node_that_was_drawn_twice_is_longer_the_second_time() -> None:
    a, b = ids("a", "b")
    assert made("batch_sampling").settle(2, [(a, 0), (a, 0), (b, 0), (b, 7)]) == [a, b]


def test_late_binding_takes_all() -> None:
    found = candidates("late_binding", 3)
    assert made("late_binding").settle(3, [(one, 0) for one in found]) == found


@pytest.mark.parametrize(
    ("queued", "free", "expected"), [(3, 2, 3), (0, 2, -2), (0, 0, 0), (0, 2.5, -2)]
)
def test_load_is_what_waits_or_less_what_there_is_room_for(
    queued: int, free: float, expected: int
) -> None:
    assert load(CPU1, queued, fixed({"CPU": free, "GPU": 9})) == expected


def test_omniscient_fills_the_emptiest_first_and_remembers_what_it_placed() -> None:
    a, b, c = views = view("a", 4, free=2), view("b", 4, free=1), view("c", 4, free=0)
    policy, nodes = made("omniscient"), Nodes(a)
    for one in views:
        nodes.put(one.address.node_id, one)
    assert policy.candidates(CPU1, 2, nodes, Random(1)) == ids("a", "a")
    assert policy.candidates(CPU1, 2, nodes, Random(1)) == ids("b", "a")
    nodes.put(c.address.node_id, view("c", 4, free=4))
    assert policy.candidates(CPU1, 2, nodes, Random(1)) == ids("c", "c")
    nodes.drop(c.address.node_id)
    assert policy.candidates(CPU1, 1, nodes, Random(1)) == ids("b")
    assert b.queued == 0


def test_omniscient_stays_right_over_thousands_of_calls() -> None:
    """What it has thrown away of its memory does not matter."""
    policy, first = made("omniscient"), view("n0", 4, free=4)
    nodes = Nodes(first)
    for number in range(5):
        nodes.put(named_node_id(f"n{number}"), view(f"n{number}", 4, free=4))
    found: Counter[NodeId] = Counter()
    for _ in range(500):
        found.update(policy.candidates(CPU1, 1, nodes, Random(1)))
    assert set(found.values()) == {100}
