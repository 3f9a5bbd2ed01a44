"""A raylet with nothing to do takes over what waits at another; one where something waits gives some of it."""

import pytest

from raysim.protocol.messages import (
    CancelWorkerLease,
    NodeRegistered,
    NodeRemoved,
    RequestsStolen,
    RequestWorkerLease,
    ResourceView,
    ReturnWorkerLease,
    StealRequests,
    WatchNodes,
    WorkerLeaseSpilled,
)
from raysim.spec.address import Address
from raysim.spec.node import NodeView
from raysim.spec.resources import fixed
from raysim.spec.task import NodeAffinity, Spread
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import CPU1, GCS, Node

THERE, YONDER = address("there"), address("yonder")
FAR = 64
"""Hops of a request that stays where it is sent."""


@pytest.fixture
def node() -> Node:
    """It has one CPU, and watches the others."""
    node = Node(cpus=1, others={"there": 1, "yonder": 1}, policy="work_stealing")
    node.host.advance(10**9)
    node.host.take()
    return node


def test_it_watches_the_others_from_soon_after_its_start_on() -> None:
    node = Node(cpus=1, policy="work_stealing", registered=False)
    node.tell(GCS, NodeRegistered())
    assert node.host.of(WatchNodes) == []
    node.host.advance(10**9)
    assert node.host.of(WatchNodes)[0] == (GCS, WatchNodes(True))


def queues(node: Node, *queued: tuple[Address, int]) -> list[tuple[Address, object]]:
    """The GCS tells how many wait there."""
    views = [
        NodeView(at, CPU1, {}, version, count)
        for version, (at, count) in enumerate(queued, node.host.now_ns() + 1)
    ]
    node.host.advance(1)
    return list(node.tell(GCS, ResourceView(views, False)))


def stealing(node: Node) -> list[Address]:
    return [to for to, _ in node.host.of(StealRequests)]


def test_an_idle_node_asks_one_after_the_other_until_one_gives_something(node: Node) -> None:
    queues(node, (THERE, 3), (YONDER, 2))
    first, number = stealing(node)[0], node.host.of(StealRequests)[0][1].number
    assert node.host.of(StealRequests)[0][1].free == node.raylet.view.local.available
    node.tell(first, RequestsStolen(number, 0))
    assert set(stealing(node)) == {THERE, YONDER}
    node.tell(stealing(node)[1], RequestsStolen(number + 1, 2))
    assert len(stealing(node)) == 2


def test_nobody_is_asked_where_nothing_waits(node: Node) -> None:
    queues(node, (THERE, 0), (YONDER, 0))
    assert stealing(node) == []


def test_a_node_without_room_or_with_a_queue_asks_nobody(node: Node, owner: Address) -> None:
    node.lease(owner, 1, hops=FAR)
    queues(node, (THERE, 3))
    assert stealing(node) == []
    node.ask(owner, 2, hops=FAR)
    queues(node, (THERE, 3))
    assert stealing(node) == []


def test_what_ends_makes_it_ask(node: Node, owner: Address) -> None:
    node.lease(owner, 1, hops=FAR)
    queues(node, (THERE, 3))
    node.tell(owner, ReturnWorkerLease(1))
    assert stealing(node) == [THERE]


def test_one_that_is_silent_or_lost_is_not_waited_for_for_ever(node: Node) -> None:
    queues(node, (THERE, 3), (YONDER, 2))
    silent = stealing(node)[0]
    node.host.advance(2 * 10**9)
    assert len(stealing(node)) == 2
    late = node.tell(silent, RequestsStolen(1, 1))
    assert late == []
    node.tell(GCS, NodeRemoved(stealing(node)[1].node_id, "it is gone"))
    queues(node, (silent, 4))
    assert stealing(node)[2:] == [silent]


# The victim


def full(node: Node, owner: Address, *lease_ids: int, **more: object) -> None:
    """Its CPU is lent, and these wait."""
    node.lease(owner, 1, hops=FAR)
    for lease_id in lease_ids:
        node.ask(owner, lease_id, hops=FAR, **more)
    node.host.take()


def test_owners_are_sent_to_the_thief(node: Node, owner: Address) -> None:
    full(node, owner, 2, 3, 4)
    sent = node.tell(THERE, StealRequests(7, CPU1))
    assert sent == [
        (owner, WorkerLeaseSpilled(4, THERE, FAR + 1)),
        (THERE, RequestsStolen(7, 1)),
    ]
    assert node.raylet.leases.book.queued() == 2
    # The owner that has not heard of it asks again, and is told again.
    assert node.ask(owner, 4, hops=FAR) == sent[:1]
    node.tell(owner, CancelWorkerLease(4))
    assert node.raylet.leases.book.queued() == 2


def test_a_thief_that_could_not_run_it_gets_nothing(node: Node, owner: Address) -> None:
    full(node, owner, 2)
    assert node.tell(THERE, StealRequests(7, fixed({"CPU": 0.5}))) == [
        (THERE, RequestsStolen(7, 0))
    ]


@pytest.mark.parametrize("strategy", [Spread(), NodeAffinity(address("here").node_id, False)])
def test_what_has_wishes_of_its_own_stays(node: Node, owner: Address, strategy: object) -> None:
    full(node, owner, 2, strategy=strategy)
    assert node.tell(THERE, StealRequests(7, CPU1)) == [(THERE, RequestsStolen(7, 0))]


def test_a_thief_that_is_lost_gets_nothing(node: Node, owner: Address) -> None:
    full(node, owner, 2)
    node.tell(GCS, NodeRemoved(THERE.node_id, "it is gone"))
    assert node.tell(THERE, StealRequests(7, CPU1)) == []
    assert node.raylet.leases.book.queued() == 1


def test_what_was_stolen_runs_where_it_was_taken(node: Node, owner: Address) -> None:
    node.ask(owner, 9, hops=FAR + 1)
    worker = node.worker_up(node.host.workers.started[-1])
    assert node.granted(owner) == {9: worker}


def test_under_another_policy_nothing_is_asked_or_given(owner: Address) -> None:
    node = Node(cpus=1, others={"there": 1}, policy="late_binding")
    node.host.advance(10**9)
    queues(node, (THERE, 3))
    full(node, owner, 2)
    assert node.tell(THERE, StealRequests(7, CPU1)) == [(THERE, RequestsStolen(7, 0))]
    assert stealing(node) == []
    assert not [one for one in node.host.of(RequestWorkerLease) if one]
