"""A raylet says where calls wait: it draws nodes, asks them, and answers once, whoever is silent."""

import pytest

from raysim.protocol.messages import (
    CallsPlaced,
    NodeRemoved,
    PlaceCalls,
    ProbeQueue,
    QueueProbed,
    ResourceView,
    WatchNodes,
    WorkerLeaseSpilled,
)
from raysim.spec.address import Address
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import CPU1, GCS, Node, info, joined

THERE, YONDER = address("there"), address("yonder")


@pytest.fixture
def node(owner: Address) -> Node:
    """It has placed something, and so watches the others."""
    node = Node(cpus=1, others={"there": 1, "yonder": 1}, policy="power_of_d(d=3)")
    node.tell(owner, PlaceCalls(99, 1, CPU1))
    node.tell(GCS, joined(info("there", 1), info("yonder", 1), whole=True))
    for at in (THERE, YONDER):
        node.tell(at, QueueProbed(1, 0))
    assert [sent for _, sent in node.host.of(CallsPlaced)] != []
    node.host.take()
    return node


def placed(node: Node) -> list[tuple[Address, CallsPlaced]]:
    return node.host.of(CallsPlaced)


def test_calls_wait_where_fewest_do(node: Node, owner: Address) -> None:
    asked = node.tell(owner, PlaceCalls(1, 1, CPU1))
    assert {to for to, _ in asked} == {THERE, YONDER}
    assert [probe for _, probe in asked] == [ProbeQueue(2, CPU1)] * 2
    node.tell(THERE, QueueProbed(2, 5))
    assert placed(node) == []
    node.tell(YONDER, QueueProbed(2, -4))
    assert placed(node) == [(owner, CallsPlaced(1, [YONDER]))]


def test_a_queue_is_told_as_it_is(owner: Address) -> None:
    node = Node(cpus=2)
    assert node.tell(THERE, ProbeQueue(7, CPU1)) == [(THERE, QueueProbed(7, -2))]
    node.lease(owner, 1)
    node.lease(owner, 2)
    node.ask(owner, 3)
    node.ask(owner, 4)
    assert node.tell(THERE, ProbeQueue(8, CPU1)) == [(THERE, QueueProbed(8, 2))]


def test_nodes_are_asked_for_before_the_first_draw(owner: Address) -> None:
    node = Node(cpus=1, policy="late_binding")
    node.raylet.view.ready = False
    assert node.tell(owner, PlaceCalls(1, 1, CPU1)) == [(GCS, WatchNodes(True))]
    node.tell(GCS, joined(info("there", 1), whole=True))
    [(to, answer)] = placed(node)
    assert to == owner
    assert sorted(answer.raylets, key=str) == sorted([address("here"), THERE], key=str)


def test_a_node_that_is_lost_is_not_waited_for(node: Node, owner: Address) -> None:
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    node.tell(THERE, QueueProbed(2, 5))
    node.tell(GCS, NodeRemoved(YONDER.node_id, "no answer"))
    [(_, answer)] = placed(node)
    assert answer.raylets == [address("here")]


def test_who_is_silent_until_the_owner_asks_again_is_not_waited_for(
    node: Node, owner: Address
) -> None:
    """The probe, or its answer, may be lost."""
    node.lease(owner, 1)
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    node.tell(THERE, QueueProbed(2, -1))
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    assert placed(node) == [(owner, CallsPlaced(1, [THERE]))]
    node.tell(YONDER, QueueProbed(2, -9))
    assert len(placed(node)) == 1


def test_a_second_answer_of_a_node_counts_for_nothing(node: Node, owner: Address) -> None:
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    node.tell(THERE, QueueProbed(2, -1))
    node.tell(THERE, QueueProbed(2, -5))
    assert placed(node) == []


def test_nobody_is_answered_who_is_gone(node: Node, owner: Address) -> None:
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    node.lose(owner)
    node.host.take()
    for at in (THERE, YONDER):
        assert node.tell(at, QueueProbed(2, 0)) == []
    assert node.tell(owner, PlaceCalls(2, 1, CPU1)) == []


def test_calls_that_no_node_could_run_are_placed_nowhere(node: Node, owner: Address) -> None:
    node.tell(owner, PlaceCalls(1, 2, fixed({"GPU": 1})))
    assert placed(node) == [(owner, CallsPlaced(1, []))]


def test_a_policy_that_does_not_queue_places_nothing(owner: Address) -> None:
    node = Node()
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    assert placed(node) == [(owner, CallsPlaced(1, []))]


def test_a_request_that_waits_where_it_was_placed_is_never_sent_on(
    node: Node, owner: Address
) -> None:
    node.lease(owner, 1)
    node.ask(owner, 2, hops=node.host.config.max_spillback_hops)
    node.view_of("there", cpus=8, version=5)
    assert node.host.of(WorkerLeaseSpilled) == []
    assert node.raylet.leases.book.queue.count == 1


def test_the_other_nodes_are_not_watched_for_a_request_that_stays(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.raylet.view.ready = False
    node.host.take()
    node.ask(owner, 2, hops=node.host.config.max_spillback_hops)
    assert node.host.of(WatchNodes) == []
    assert node.raylet.leases.book.queue.count == 1


def test_views_are_shown_once_they_came(owner: Address) -> None:
    """Two owners ask before the view is there."""
    node = Node(cpus=1, policy="random_queue")
    node.raylet.view.ready = False
    other = address("second", "here")
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    node.tell(other, PlaceCalls(1, 2, CPU1))
    node.tell(owner, PlaceCalls(1, 1, CPU1))
    node.tell(GCS, ResourceView([], whole=True))
    here = address("here")
    assert placed(node) == [(owner, CallsPlaced(1, [here])), (other, CallsPlaced(1, [here, here]))]
