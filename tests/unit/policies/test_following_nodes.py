"""A policy that follows the changes of the nodes decides as one that looks at all of them."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from raysim.policies.base import REMEMBERED, Nodes
from raysim.policies.hybrid import Hybrid
from raysim.policies.ranking import Rankings
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources

LOCAL = 0


def view(number: int, free: int) -> NodeView:
    name = number.to_bytes(28, "big")
    at = Address(NodeId(name), WorkerId(name))
    return NodeView(at, {"CPU": 8}, {"CPU": free})


def key(number: int) -> NodeId:
    return view(number, 0).address.node_id


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 6), st.integers(0, 8)),
        st.tuples(st.just("drop"), st.integers(1, 6), st.just(0)),
        st.tuples(st.just("local"), st.just(LOCAL), st.integers(0, 8)),
        st.tuples(st.just("forget"), st.just(0), st.just(0)),
        st.tuples(st.just("pick"), st.just(0), st.integers(1, 8)),
    ),
    max_size=60,
)


@given(steps, st.sampled_from([0.2, 0.5, 1.0]))
def test_a_ranking_that_is_kept_picks_as_one_that_is_made_anew(
    steps: list[tuple[str, int, int]], fraction: float
) -> None:
    local = view(LOCAL, 8)
    nodes = Nodes(local)
    follows = Hybrid(0.5, fraction, 1)
    for number, (what, node, quantity) in enumerate(steps):
        if what == "put":
            nodes.put(key(node), view(node, quantity))
        elif what == "drop":
            nodes.drop(key(node))
        elif what == "local":
            local.available["CPU"] = quantity
        elif what == "forget":
            nodes.forget_others()
        else:
            in_order = {one: nodes[one] for one in nodes.order if one in nodes}
            looks = Hybrid(0.5, fraction, 1)
            need = {"CPU": quantity}
            assert follows.pick(need, nodes, key(LOCAL), Random(number)) == looks.pick(
                need, in_order, key(LOCAL), Random(number)
            )


def test_who_looks_seldom_is_told_to_look_at_all() -> None:
    nodes = Nodes(view(LOCAL, 8))
    then = nodes.now
    nodes.put(key(1), view(1, 8))
    assert nodes.changed_since(then) == [key(1)]
    for _ in range(2 * REMEMBERED):
        nodes.put(key(1), view(1, 8))
    assert nodes.changed_since(then) is None
    assert nodes.changed_since(nodes.now) == []


def test_nodes_that_are_told_of_again_as_they_were_are_not_judged_again() -> None:
    """A raylet forgets the others when it has not chosen among them for a while."""
    nodes = Nodes(view(LOCAL, 8))
    judged: list[NodeId] = []

    def score(need: Resources, one: NodeView) -> float:
        judged.append(one.address.node_id)
        return 0.0

    rankings = Rankings(score)
    for free, count in ((8, 5), (8, 5), (3, 4)):
        nodes.forget_others()
        for number in range(1, count + 1):
            nodes.put(key(number), view(number, free if number == 2 else 8))
        assert len(rankings.others({"CPU": 1}, nodes, key(LOCAL))) == count
    assert judged == [*map(key, range(1, 6)), key(2)]
