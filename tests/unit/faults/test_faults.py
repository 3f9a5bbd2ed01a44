import re
from random import Random

import pytest

from raysim.faults import KillNode, KillWorker, Moment, PlannedFault, parse_fault, plan_faults
from raysim.faults.kinds import FAULTS

AT_5S = Moment(ns=5_000_000_000)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kill_node(at=5s)", KillNode(at=AT_5S)),
        ("kill_node(at=5s, node=2)", KillNode(at=AT_5S, node=2)),
        (" kill_worker( node = any , at = 5s ) ", KillWorker(at=AT_5S)),
        ("kill_node(at=33%)", KillNode(at=Moment(share=0.33))),
    ],
)
def test_a_fault_is_read(text, fault):
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["kill_node(at=5s, node=2)", "kill_worker(at=12.5%)"])
def test_a_fault_is_shown_as_it_is_written(text):
    assert str(parse_fault(text)) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kill_nod(at=5s)", "unknown fault 'kill_nod'; did you mean kill_node?"),
        ("Kill-Node(at=5)", "did you mean kill_node?"),
        ("meteor(at=5s)", "known are kill_node, restart_node"),
        ("kill_node", "kill_node needs 'at'"),
        ("kill_node(at=5)", "did you mean 5s?"),
        ("kill_node(5s)", "'5s' in 'kill_node(5s)' has no name"),
        ("kill_node(at=5s, nod=2)", "kill_node has no argument 'nod'; did you mean node?"),
        ("kill_node(at=5s, at=6s)", "'at' is given twice"),
        ("kill_node(at=5s, node=first)", "node 'first' is not a node's number"),
        ("kill_node(at=5s, node=-1)", "node '-1' is not a node's number"),
        ("kill_node(at=150%)", "outside the run"),
        ("kill_node(at=x%)", "'x%' is not a moment"),
        ("kill_node(at=nan%)", "outside the run"),
        ("kill node", "is not a fault"),
        (
            "kill_node(at=5s",
            "its bracket is not closed; in a [list] or {mapping}, put it in quotes",
        ),
    ],
)
def test_a_wrong_fault_is_refused_with_what_was_meant(text, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_fault(text)


def test_every_fault_says_what_it_never_does():
    assert [fault.__name__ for fault in FAULTS if "Never" not in (fault.__doc__ or "")] == []


def test_a_share_is_of_the_expected_makespan():
    planned = plan(KillNode(at=Moment(share=0.25), node=1))
    assert planned == (
        PlannedFault(at_ns=10_000_000_000, node=1, fault=KillNode(at=Moment(share=0.25), node=1)),
    )


def test_a_share_of_an_unknown_makespan_is_refused():
    with pytest.raises(ValueError, match="is not known beforehand"):
        plan_faults(
            [KillNode(at=Moment(share=0.25))], nodes=4, expected_makespan_ns=None, rng=Random(0)
        )


def test_faults_are_in_order_of_time():
    late, early = KillNode(at=Moment(ns=9), node=1), KillWorker(at=Moment(ns=3), node=1)
    assert [fault.at_ns for fault in plan(late, early)] == [3, 9]


def test_a_drawn_node_is_never_the_head_and_dies_once():
    for seed in range(50):
        planned = plan(*[KillNode(at=AT_5S)] * 2, KillNode(at=AT_5S, node=2), seed=seed)
        assert sorted(fault.node for fault in planned) == [1, 2, 3]


def test_the_seed_decides_the_node():
    drawn = [plan(KillNode(at=AT_5S), seed=seed)[0].node for seed in range(20)]
    assert drawn == [plan(KillNode(at=AT_5S), seed=seed)[0].node for seed in range(20)]
    assert set(drawn) == {1, 2, 3}


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ([KillNode(at=AT_5S, node=0)], "node 0 is the head"),
        ([KillNode(at=AT_5S, node=4)], "its nodes are 0 to 3"),
        ([KillNode(at=AT_5S)] * 4, "no node is left for it"),
    ],
)
def test_a_fault_that_the_cluster_cannot_have_is_refused(faults, says):
    with pytest.raises(ValueError, match=says):
        plan(*faults)


def plan(*faults, seed=0):
    return plan_faults(faults, nodes=4, expected_makespan_ns=40_000_000_000, rng=Random(seed))
