"""Policies that are a score: which node of a few they take, and that they draw nothing that they need not."""

from random import Random

import pytest

from raysim.config import Config
from raysim.policies import create
from raysim.spec.ids import NodeId, named_node_id
from raysim.spec.node import NodeView
from raysim.spec.resources import fixed
from tests.unit.policies.test_policies import cluster, view

HERE = named_node_id("here")


def node(name: str, total: dict[str, float], free: dict[str, float], queued: int = 0) -> NodeView:
    made = view(name, 0)
    made.total, made.available, made.queued = fixed(total), fixed(free), queued
    return made


def picked(policy: str, need: dict[str, float], *views: NodeView, seed: int = 1) -> NodeId | None:
    made = create(policy, Config())
    return made.pick(fixed(need), cluster(*views), HERE, Random(seed))


SOME = [
    view("here", 16, free=9),
    view("full", 8, free=0),
    view("small", 4),
    view("half", 8, free=3),
]


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        ("first_fit", "here"),
        ("best_fit", "half"),
        ("worst_fit", "small"),
        ("least_loaded", "small"),
    ],
)
def test_one_core_goes_to(policy: str, name: str) -> None:
    assert picked(policy, {"CPU": 1}, *SOME) == named_node_id(name)


@pytest.mark.parametrize(
    ("policy", "name"), [("best_fit", "small"), ("worst_fit", "here"), ("first_fit", "here")]
)
def test_four_cores_go_to(policy: str, name: str) -> None:
    assert picked(policy, {"CPU": 4}, *SOME) == named_node_id(name)


def test_dot_product_sends_what_asks_for_memory_to_where_memory_is() -> None:
    cores = node("cores", {"CPU": 8, "memory": 100}, {"CPU": 8, "memory": 30})
    memory = node("memory", {"CPU": 8, "memory": 100}, {"CPU": 3, "memory": 100})
    assert picked("dot_product", {"CPU": 1, "memory": 20}, cores, memory) == named_node_id("memory")
    assert picked("dot_product", {"CPU": 2, "memory": 1}, cores, memory) == named_node_id("cores")


def test_least_loaded_judges_by_the_scarcest_resource() -> None:
    one = node("one", {"CPU": 8, "GPU": 2}, {"CPU": 8, "GPU": 0})
    other = node("other", {"CPU": 8}, {"CPU": 4})
    assert picked("least_loaded", {"CPU": 1}, one, other) == named_node_id("other")


def test_power_of_one_is_a_draw_and_of_all_the_least_used() -> None:
    quiet = [view(f"node-{number}", 8, free=1 + number % 4) for number in range(12)]
    draws = {picked("power_of_d(d=1)", {"CPU": 1}, *quiet, seed=seed) for seed in range(60)}
    assert len(draws) > 8
    best = {picked("power_of_d(d=12)", {"CPU": 1}, *quiet, seed=seed) for seed in range(60)}
    assert best <= {named_node_id(f"node-{number}") for number in (3, 7, 11)}


def test_power_of_d_queues_at_the_shorter_queue() -> None:
    full = [view("long", 8, free=0, queued=5), view("short", 8, free=0, queued=1)]
    assert picked("power_of_d", {"CPU": 1}, *full) == named_node_id("short")


def test_random_takes_each_node_with_room_alike() -> None:
    seeds = range(400)
    found = [picked("random", {"CPU": 1}, *SOME, seed=seed) for seed in seeds]
    counts = {name: found.count(named_node_id(name)) for name in ("here", "full", "small", "half")}
    assert counts["full"] == 0
    assert all(100 < counts[name] < 170 for name in ("here", "small", "half"))


@pytest.mark.parametrize(
    "policy", ["first_fit", "best_fit", "worst_fit", "dot_product", "least_loaded"]
)
def test_where_nothing_is_free_the_shortest_queue_is_taken(policy: str) -> None:
    full = [view("here", 8, free=0, queued=4), view("there", 8, free=0, queued=2), view("small", 0)]
    assert picked(policy, {"CPU": 1}, *full) == named_node_id("there")
