"""A request whose arguments lie on a full node waits there for a while, under delay scheduling."""

import pytest

from raysim.protocol.messages import WorkerLeaseGranted, WorkerLeaseSpilled
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import GCS, Node, info, joined

HERE, THERE = address("here"), address("there")
S = 1_000_000_000


@pytest.fixture
def node(owner: Address) -> Node:
    """Its one CPU is lent, and that of the other node is free."""
    node = Node(cpus=1, others={"there": 1}, policy="delay(wait_s=3)")
    node.ask(owner, 1, near=(HERE.node_id,))
    node.tell(GCS, joined(info("there", 1), whole=True))
    node.worker_up(node.host.workers.started[-1])
    node.host.take()
    return node


def near(*nodes: Address) -> tuple[NodeId, ...]:
    return tuple(one.node_id for one in nodes)


def test_it_waits_here_and_then_goes_where_there_is_room(node: Node, owner: Address) -> None:
    assert node.ask(owner, 2, near=near(HERE)) == []
    node.host.advance(3 * S - 1)
    assert node.host.of(WorkerLeaseSpilled) == []
    node.host.advance(1)
    assert [spilled.raylet for _, spilled in node.host.of(WorkerLeaseSpilled)] == [THERE]


def test_news_of_other_nodes_do_not_shorten_its_wait(node: Node, owner: Address) -> None:
    node.ask(owner, 2, near=near(HERE))
    node.tell(GCS, joined(info("yonder", 8)))
    assert node.host.of(WorkerLeaseSpilled) == []


def test_room_that_comes_free_here_is_its_own(node: Node, owner: Address) -> None:
    node.ask(owner, 2, near=near(HERE))
    node.raylet.leases.owner_lost(owner, "a test")
    node.host.advance(10 * S)  # It was one of the owner that is gone: its time goes by.
    assert node.host.of(WorkerLeaseSpilled) == []
    other = address("other")
    node.end_worker(1)
    node.ask(other, 3, near=near(HERE))
    node.worker_up(node.host.workers.started[-1])
    assert [to for to, _ in node.host.of(WorkerLeaseGranted)] == [other]


def test_others_of_its_kind_with_arguments_elsewhere_do_not_wait_for_it(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 2, near=near(HERE))
    [(_, spilled)] = node.ask(owner, 3, near=near(THERE))
    assert isinstance(spilled, WorkerLeaseSpilled)
    assert spilled.raylet == THERE
    [(_, spilled)] = node.ask(owner, 4)  # Without arguments; to a node without room: it may wait.
    assert isinstance(spilled, WorkerLeaseSpilled)


def test_it_is_sent_to_wait_where_its_arguments_are(node: Node, owner: Address) -> None:
    node.ask(owner, 3, near=near(THERE))
    [(_, spilled)] = node.ask(owner, 4, near=near(THERE))
    assert spilled == WorkerLeaseSpilled(4, THERE, 1, grant_or_reject=False)
