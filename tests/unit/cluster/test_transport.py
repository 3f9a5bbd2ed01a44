"""Messages between two hosts: order, size, both kinds of socket, lost and refused peers."""

import os
import socket

import pytest

from raysim.protocol.messages import CheckHealth, Healthy, ObjectChunk, PullChunk
from raysim.spec.address import Address
from raysim.spec.ids import ObjectId, WorkerId, named_node_id
from raysim_cluster.session import Session
from tests.unit.cluster.peers import Peers, Recorder

OBJECT = ObjectId(b"o" * 28)
NODES = pytest.mark.parametrize(
    ("peers", "node"),
    [("plain", "node-0"), ("plain", "node-1"), ("tls", "node-1")],
    ids=["unix", "tcp", "tls"],
    indirect=["peers"],
)


def chunk(data: bytes) -> ObjectChunk:
    return ObjectChunk(OBJECT, 0, len(data), len(data), data)


@NODES
def test_messages_arrive_in_order_and_from_their_sender(peers: Peers, node: str) -> None:
    left, right = Recorder(Healthy), Recorder(CheckHealth)
    one, other = peers.host(left), peers.host(right, node=node)
    for number in range(1_000):
        one.send(other.address, CheckHealth(number))
        if number % 7 == 0:
            one.settle()
    peers.turn(lambda: len(right.heard) == 1_000)
    assert right.messages() == [CheckHealth(number) for number in range(1_000)]
    assert {sender for sender, _ in right.heard} == {one.address}


@NODES
def test_an_answer_comes_back_over_the_same_connection(peers: Peers, node: str) -> None:
    left, right = Recorder(Healthy), Recorder(CheckHealth)
    one, other = peers.host(left), peers.host(right, node=node)
    right.on_message = lambda sender, message: other.send(sender, Healthy(message.number))
    one.send(other.address, CheckHealth(5))
    peers.turn(lambda: bool(left.heard))
    assert left.heard == [(other.address, Healthy(5))]


@NODES
def test_a_message_larger_than_every_buffer_arrives_whole(peers: Peers, node: str) -> None:
    left, right = Recorder(), Recorder(ObjectChunk, CheckHealth)
    one, other = peers.host(left), peers.host(right, node=node)
    data = os.urandom(9_000_000)
    one.send(other.address, chunk(data))
    one.settle()
    one.send(other.address, CheckHealth(1))
    one.settle()
    one.send(other.address, chunk(data[:70_000]))
    peers.turn(lambda: len(right.heard) == 3)
    assert right.messages() == [chunk(data), CheckHealth(1), chunk(data[:70_000])]


@NODES
def test_two_that_connect_to_each_other_at_once_keep_their_order(peers: Peers, node: str) -> None:
    left, right = Recorder(CheckHealth), Recorder(CheckHealth)
    one, other = peers.host(left), peers.host(right, node=node)
    for number in range(300):
        one.send(other.address, CheckHealth(number))
        other.send(one.address, CheckHealth(number))
        if number % 10 == 0:
            one.settle()
            other.settle()
        if number % 50 == 0:
            peers.turn(lambda: True)
    peers.turn(lambda: len(left.heard) == len(right.heard) == 300)
    expected = [CheckHealth(number) for number in range(300)]
    assert left.messages() == expected
    assert right.messages() == expected
    assert left.lost == right.lost == []


@NODES
def test_the_end_of_a_peer_is_reported_once_after_its_last_words(peers: Peers, node: str) -> None:
    left, right = Recorder(ObjectChunk), Recorder()
    one, other = peers.host(left), peers.host(right, node=node)
    for _ in range(5):
        other.send(one.address, chunk(b"x" * 10_000))
    other.settle()
    peers.turn(lambda: len(left.heard) == 5)
    peers.hosts.remove(other)
    other.close()
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert len(left.heard) == 5
    assert left.lost == [other.address]


@pytest.mark.parametrize("there", [True, False], ids=["unix", "tcp"])
def test_a_peer_that_never_was_is_reported_lost(peers: Peers, there: bool) -> None:
    left = Recorder()
    one = peers.host(left)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        endpoint = f"127.0.0.1:{gone.getsockname()[1]}"
    node = one.address.node_id if there else named_node_id("elsewhere")
    nobody = Address(node, WorkerId(os.urandom(28)), endpoint)
    one.send(nobody, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert left.lost == [nobody]


def test_a_lost_peer_is_tried_again_by_the_next_message(peers: Peers) -> None:
    """A process never comes back, but whoever still sends to it must hear of its end as well."""
    left = Recorder()
    one = peers.host(left)
    nobody = Address(one.address.node_id, WorkerId(os.urandom(28)))
    for count in (1, 2):
        one.send(nobody, CheckHealth(1))
        peers.turn(lambda count=count: len(left.lost) == count)
    assert left.lost == [nobody, nobody]


def test_a_message_to_oneself_is_delivered_after_the_handler_has_returned(peers: Peers) -> None:
    role = Recorder(CheckHealth, PullChunk)
    host = peers.host(role)
    seen_inside: list[int] = []

    def answer(sender: Address, message: object) -> None:
        if isinstance(message, CheckHealth):
            host.send(host.address, PullChunk(OBJECT, 0, 1))
            seen_inside.append(len(role.heard))

    role.on_message = answer
    host.send(host.address, CheckHealth(1))
    assert role.heard == []
    host.settle()
    assert seen_inside == [1]
    assert role.heard == [
        (host.address, CheckHealth(1)),
        (host.address, PullChunk(OBJECT, 0, 1)),
    ]


@NODES
def test_a_peer_without_the_token_is_refused_and_nothing_of_it_is_read(
    peers: Peers, node: str, caplog: pytest.LogCaptureFixture
) -> None:
    left, right = Recorder(), Recorder(CheckHealth)
    stranger = Session(peers.session.session_id, os.urandom(32), tls=peers.session.tls)
    one, other = peers.host(left, session=stranger), peers.host(right, node=node)
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert right.heard == []
    assert "does not know the session's token" in caplog.text


def test_a_listener_without_the_token_learns_nothing(peers: Peers) -> None:
    """Over TCP the listener proves itself too, before any message leaves."""
    left, right = Recorder(), Recorder(CheckHealth)
    stranger = Session(peers.session.session_id, os.urandom(32))
    one = peers.host(left)
    other = peers.host(right, node="node-1", session=stranger)
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert right.heard == []


def test_garbage_is_refused(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    right = Recorder(CheckHealth)
    host = peers.host(right)
    name, _, port = host.address.endpoint.partition(":")
    with socket.create_connection((name, int(port))) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n" + b"x" * 200)
        peers.turn(lambda: "does not speak raysim's protocol" in caplog.text)
    assert right.heard == []


def test_a_message_for_the_former_holder_of_a_port_is_refused(peers: Peers) -> None:
    left, right = Recorder(), Recorder(CheckHealth)
    one, other = peers.host(left), peers.host(right, node="node-1")
    former = Address(other.address.node_id, WorkerId(os.urandom(28)), other.address.endpoint)
    one.send(former, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert right.heard == []
    assert left.lost == [former]


@NODES
def test_a_peer_that_ends_while_much_waits_for_it_is_lost_and_nothing_else(
    peers: Peers, node: str
) -> None:
    """What the kernel has not taken yet is nobody's any more: it goes with the connection."""
    left = Recorder()
    one, other = peers.host(left), peers.host(Recorder(CheckHealth), node=node)
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(other.process and one.transport.idle()))
    for _ in range(20):
        one.send(other.address, chunk(bytes(1 << 20)))
        one.settle()
    assert not one.transport.idle()
    other.close()
    peers.hosts.remove(other)
    peers.turn(lambda: bool(left.lost))
    assert left.lost == [other.address]
