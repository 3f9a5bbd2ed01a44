"""Every kind of fault can be written, read, drawn and planned."""

import json
from random import Random

import msgspec
import pytest

from raysim.faults import (
    FAULTS,
    Isolate,
    KillNode,
    Moment,
    Partition,
    RestartGcs,
    fault_from_json,
    fault_to_json,
    parse_fault,
    plan_faults,
)
from raysim.faults.moment import EVENTS, parse_moment
from raysim.faults.sampling import sample_fault
from raysim.protocol.messages.repeats import ASKED_AGAIN, REPLIES
from raysim.tape import Draws, SeededTape

SECOND = 1_000_000_000


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.tag())
def test_a_fault_of_each_kind_is_written_and_read_as_it_was(kind):
    for seed in range(30):
        fault = sample_fault(kind, Draws(SeededTape(seed), "x"), 10 * SECOND, 4)
        assert parse_fault(str(fault)) == fault
        assert fault_from_json(json.loads(json.dumps(fault_to_json(fault)))) == fault


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.tag())
def test_a_drawn_fault_of_each_kind_can_be_planned(kind):
    for seed in range(10):
        fault = sample_fault(kind, Draws(SeededTape(seed), "x"), 10 * SECOND, 4)
        (planned,) = plan(fault)
        assert planned.fault == fault
        assert set(planned.nodes) | set(planned.others) <= set(range(4))


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.tag())
def test_the_simplest_of_each_kind_needs_a_moment_only(kind):
    assert str(kind(at=Moment(ns=SECOND))) == f"{kind.tag()}(at=1s)"
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    assert required == ["at"]


@pytest.mark.parametrize(
    "text", ["5s", "1500ms", "33%", "7%", "node_lost", "fault+1s", "task_ended*10+5ms"]
)
def test_a_moment_is_read_and_shown(text):
    assert str(parse_moment(text)) == text


def test_an_unknown_event_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=f"no event 'node_los'; known are {EVENTS[0]}"):
        parse_moment("node_los+5s")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("slow_node(at=1s, factor=0.5)", "not a factor of at least 1"),
        ("loss(at=1s, rate=150%)", "not a share"),
        ("fail_rpc(at=1s, way=lost)", "unknown way 'lost'"),
        ("fail_rpc(at=1s, message=WorkerLeaseGranted)", "cannot be lost or doubled by itself"),
        ("delay(at=1s, message=PushTask)", "did you mean PushTasks"),
        ("partition(at=1s, nodes=one)", "not a node's number"),
        ("fail_constructor(at=1s, count=0)", "not a count of at least 1"),
        ("partition(at=1s, one_way=yes)", "neither true nor false"),
        ("bandwidth(at=1s, bandwidth=10)", "not a bandwidth"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_right(text, says):
    with pytest.raises(ValueError, match=says):
        parse_fault(text)


@pytest.mark.parametrize("name", ["node-2", "head", 0])
def test_a_node_can_be_named(name):
    fault = parse_fault(f"pause_node(at=1s, node={name})")
    assert fault.node == name
    assert plan(fault)[0].node == (2 if name == "node-2" else 0)


def test_the_head_is_spared_by_its_names_too():
    with pytest.raises(ValueError, match="node 0 is the head"):
        plan(KillNode(at=Moment(), node="head"))


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="no node 'node-9'; its nodes are node-0, node-1"):
        plan(KillNode(at=Moment(), node="node-9"))


def test_a_partition_has_two_sides_that_share_nobody():
    (halves,) = plan(Partition(at=Moment()))
    assert sorted(halves.nodes + halves.others) == [0, 1, 2, 3]
    assert len(halves.nodes) == 2
    (named,) = plan(Partition(at=Moment(), nodes="0+node-2", others="1"))
    assert (named.nodes, named.others) == ((0, 2), (1,))
    with pytest.raises(ValueError, match="give two groups that share none"):
        plan(Partition(at=Moment(), nodes="0+1", others="1"))
    with pytest.raises(ValueError, match="cannot be parted from nobody"):
        plan(Partition(at=Moment(), nodes="0+1+2+3"))


def test_a_drawn_node_that_is_isolated_is_not_the_head():
    isolated = {plan(Isolate(at=Moment()), seed=seed)[0] for seed in range(20)}
    assert {planned.node for planned in isolated} == {1, 2, 3}
    assert all(planned.nodes == (planned.node,) for planned in isolated)


def test_a_gcs_does_not_come_back_without_its_tables():
    with pytest.raises(ValueError, match="give durable=true"):
        plan(RestartGcs(at=Moment(), durable=False))


def test_requests_and_answers_are_what_is_asked_for_again():
    assert set(REPLIES) < ASKED_AGAIN
    for kind in ASKED_AGAIN:
        assert (
            "again" in kind.__doc__
            or "failed check" in kind.__doc__
            or "failure of" in kind.__doc__
        )


def plan(*faults, seed=0):
    return plan_faults(faults, nodes=4, expected_makespan_ns=None, rng=Random(seed))
