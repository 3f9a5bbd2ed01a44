from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.config import Config
from raysim.policies import create, names
from raysim.policies.hybrid import Hybrid
from raysim.policies.spread import Spread
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, named_node_id, named_worker_id
from raysim.spec.node import NodeView
from raysim.spec.resources import fits, fixed

CPU1 = fixed({"CPU": 1})
HERE = named_node_id("here")


def view(name: str, cpus: float, free: float | None = None, queued: int = 0) -> NodeView:
    total = fixed({"CPU": cpus})
    available = total if free is None else fixed({"CPU": free})
    place = Address(named_node_id(name), named_worker_id(name))
    return NodeView(place, total, available, 0, queued)


def cluster(*views: NodeView) -> dict[NodeId, NodeView]:
    return {one.address.node_id: one for one in views}


def hybrid(threshold: float = 0.5, fraction: float = 0.2, absolute: int = 1) -> Hybrid:
    return Hybrid(threshold, fraction, absolute)


class OnlyLocal(Mapping[NodeId, NodeView]):
    """A cluster in which nobody may look at other nodes."""

    def __init__(self, local: NodeView) -> None:
        self._local = local

    def __getitem__(self, node_id: NodeId) -> NodeView:
        assert node_id == self._local.address.node_id
        return self._local

    def __iter__(self) -> Iterator[NodeId]:
        raise AssertionError("it looked at other nodes")

    def __len__(self) -> int:
        return 1_000


def test_hybrid_looks_at_the_local_node_only_while_that_is_quiet() -> None:
    local = view("here", 8, free=5)
    assert hybrid().pick(CPU1, OnlyLocal(local), HERE, Random(1)) == HERE


def test_hybrid_leaves_a_local_node_at_the_threshold_for_a_quieter_one() -> None:
    nodes = cluster(view("here", 8, free=4), view("there", 8, free=5))
    assert hybrid().pick(CPU1, nodes, HERE, Random(1)) == named_node_id("there")


def test_hybrid_stays_local_when_the_others_are_no_quieter() -> None:
    nodes = cluster(view("there", 8, free=2), view("here", 8, free=2), view("yonder", 8, free=1))
    assert hybrid().pick(CPU1, nodes, HERE, Random(1)) == HERE


def test_hybrid_takes_the_least_used_above_the_threshold() -> None:
    nodes = cluster(view("here", 8, free=0), view("there", 8, free=2), view("yonder", 8, free=3))
    assert hybrid().pick(CPU1, nodes, HERE, Random(1)) == named_node_id("yonder")


def test_hybrid_packs_nodes_below_the_threshold_in_their_order() -> None:
    nodes = cluster(view("here", 8, free=0), view("there", 8, free=5), view("yonder", 8))
    assert hybrid().pick(CPU1, nodes, HERE, Random(1)) == named_node_id("there")


def test_hybrid_draws_among_the_best_fifth() -> None:
    others = [view(f"node-{number}", 8) for number in range(19)]
    nodes = cluster(view("here", 8, free=0), *others)
    rng = Random(1)
    picks = Counter(hybrid().pick(CPU1, nodes, HERE, rng) for _ in range(400))
    assert set(picks) == {named_node_id(f"node-{number}") for number in range(4)}
    assert min(picks.values()) > 50


def test_hybrid_draws_among_at_least_so_many() -> None:
    others = [view(f"node-{number}", 8) for number in range(3)]
    nodes = cluster(view("here", 8, free=0), *others)
    rng = Random(1)
    policy = hybrid(absolute=2)
    assert {policy.pick(CPU1, nodes, HERE, rng) for _ in range(50)} == {
        named_node_id("node-0"),
        named_node_id("node-1"),
    }


def test_hybrid_judges_by_memory_as_well() -> None:
    local = view("here", 8)
    local.total = fixed({"CPU": 8, "memory": 100})
    local.available = fixed({"CPU": 8, "memory": 10})
    nodes = cluster(local, view("there", 8))
    assert hybrid().pick(CPU1, nodes, HERE, Random(1)) == named_node_id("there")


def test_hybrid_queues_locally_where_nothing_is_free() -> None:
    nodes = cluster(view("there", 8, free=0), view("here", 8, free=0, queued=9))
    assert hybrid().pick(CPU1, nodes, HERE, Random(1)) == HERE


def test_hybrid_queues_at_the_shortest_queue_where_it_cannot_run_locally() -> None:
    nodes = cluster(
        view("here", 0), view("there", 8, free=0, queued=5), view("yonder", 8, free=0, queued=2)
    )
    assert hybrid().pick(CPU1, nodes, HERE, Random(1)) == named_node_id("yonder")


def test_spread_takes_turns_over_the_nodes_with_room() -> None:
    nodes = cluster(view("here", 8), view("full", 8, free=0), view("there", 8))
    policy = Spread()
    picks = [policy.pick(CPU1, nodes, HERE, Random(1)) for _ in range(4)]
    there = named_node_id("there")
    assert picks == [HERE, there, HERE, there]


def test_spread_takes_turns_over_the_feasible_where_nothing_is_free() -> None:
    nodes = cluster(view("here", 8, free=0), view("small", 0), view("there", 8, free=0))
    policy = Spread()
    picks = [policy.pick(CPU1, nodes, HERE, Random(1)) for _ in range(4)]
    there = named_node_id("there")
    assert picks == [HERE, there, HERE, there]


def test_spread_goes_on_when_nodes_leave() -> None:
    policy = Spread()
    nodes = cluster(*(view(f"node-{number}", 8) for number in range(5)))
    for _ in range(4):
        policy.pick(CPU1, nodes, HERE, Random(1))
    few = cluster(view("here", 8))
    assert policy.pick(CPU1, few, HERE, Random(1)) == HERE
    assert policy.pick(CPU1, {}, HERE, Random(1)) is None


@pytest.mark.parametrize("name", names())
@given(
    sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 4)), max_size=12),
    need=st.integers(0, 5),
    seed=st.integers(0, 3),
)
def test_every_policy_finds_room_where_there_is_room(
    name: str, sizes: list[tuple[int, int]], need: int, seed: int
) -> None:
    nodes = cluster(
        *(view(f"node-{i}", cpus, min(free, cpus)) for i, (cpus, free) in enumerate(sizes))
    )
    wanted = fixed({"CPU": need})
    picked = create(name, Config()).pick(wanted, nodes, named_node_id("node-0"), Random(seed))
    if any(fits(wanted, one.available) for one in nodes.values()):
        assert picked is not None
        assert fits(wanted, nodes[picked].available)
    elif any(fits(wanted, one.total) for one in nodes.values()):
        assert picked is not None
        assert fits(wanted, nodes[picked].total)
    else:
        assert picked is None
