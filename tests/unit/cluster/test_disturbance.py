"""What faults do to messages between two hosts: held, in order, and never behind the end of their sender."""

import os

import pytest

from raysim.protocol.messages import CheckHealth, Healthy, ObjectChunk
from raysim.spec.ids import ObjectId
from raysim_cluster.disturbed import Disturbed, LinkRule, Obeyed
from raysim_cluster.host import LoopHost
from tests.unit.cluster.peers import Peers, Recorder

HOUR_NS = 3_600_000_000_000
FEW_MS = 5_000_000


@pytest.fixture
def pair(peers: Peers) -> tuple[Peers, LoopHost, LoopHost, Recorder, Recorder]:
    """Two on different nodes that know each other."""
    left, right = Recorder(Healthy), Recorder(CheckHealth, ObjectChunk, Healthy)
    one, other = peers.host(left), peers.host(right, node="node-1")
    one.send(other.address, CheckHealth(0))
    peers.turn(lambda: bool(right.heard))
    right.heard.clear()
    return peers, one, other, left, right


def from_(host: LoopHost, **rule: object) -> list[LinkRule]:
    return [LinkRule(host.address.node_id, **rule)]


def say(host: LoopHost, to: LoopHost, *numbers: int) -> None:
    for number in numbers:
        host.send(to.address, CheckHealth(number))
        host.settle()


def turns(peers: Peers, count: int = 20) -> None:
    """So often, as nothing is expected to happen."""
    left = count

    def over() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    peers.turn(over)


def test_what_is_cut_off_arrives_in_order_once_that_is_over(pair) -> None:
    peers, one, other, _, right = pair
    other.obey(from_(one, cut=True))
    say(one, other, *range(100))
    turns(peers)
    assert right.messages() == []
    other.obey([])
    peers.turn(lambda: len(right.heard) == 100)
    assert right.messages() == [CheckHealth(number) for number in range(100)]


def test_a_cut_of_one_side_holds_nothing_of_the_other(pair) -> None:
    peers, one, other, left, right = pair
    other.obey(from_(one, cut=True))
    say(one, other, 1)
    other.send(one.address, Healthy(7))
    peers.turn(lambda: bool(left.heard))
    assert left.messages() == [Healthy(7)]
    assert right.messages() == []


def test_the_end_of_a_process_is_not_seen_through_a_cut(pair) -> None:
    peers, one, other, _, right = pair
    other.obey(from_(one, cut=True))
    say(one, other, 1)
    other.send(one.address, Healthy(7))
    one.close()
    peers.hosts.remove(one)
    turns(peers)
    assert (right.messages(), right.lost) == ([], [])
    other.obey([])
    peers.turn(lambda: bool(right.lost))
    assert right.lost == [one.address]


def test_one_that_writes_much_to_whom_it_cannot_hear_is_not_kept_busy(pair) -> None:
    """What the kernel does not take waits, and the peer's end ends that without being told."""
    peers, one, other, _, right = pair
    other.obey(from_(one, cut=True))
    for _ in range(40):
        other.send(
            one.address, ObjectChunk(ObjectId(b"o" * 28), 0, 1 << 20, 1 << 20, bytes(1 << 20))
        )
    other.settle()
    one.close()
    peers.hosts.remove(one)
    turns(peers)
    assert other.poller.wait(0) == []
    assert right.lost == []


def test_a_connection_that_comes_later_is_cut_too(peers: Peers) -> None:
    right = Recorder(CheckHealth)
    one, other = peers.host(Recorder()), peers.host(right, node="node-1")
    other.obey(from_(one, cut=True))
    say(one, other, 1)
    turns(peers)
    assert right.messages() == []
    other.obey([])
    peers.turn(lambda: bool(right.heard))


def test_what_is_delayed_keeps_its_order_and_its_bytes(pair) -> None:
    """What arrives may be in a buffer that is used again before its time has come."""
    peers, one, other, _, right = pair
    data = os.urandom(300_000)
    other.obey(from_(one, latency_ns=FEW_MS, jitter_ns=FEW_MS))
    begun = other.now_ns()
    for number in range(20):
        say(one, other, number)
        one.send(other.address, ObjectChunk(ObjectId(b"o" * 28), 0, 300_000, 300_000, data))
        one.settle()
    peers.turn(lambda: bool(right.heard))
    assert other.now_ns() - begun >= FEW_MS
    peers.turn(lambda: len(right.heard) == 40)
    assert right.messages()[::2] == [CheckHealth(number) for number in range(20)]
    assert {bytes(chunk.data) for chunk in right.messages()[1::2]} == {data}


def test_only_the_kind_that_is_delayed_waits_and_what_is_behind_it(pair) -> None:
    peers, one, other, _, right = pair
    other.obey(from_(one, latency_ns=HOUR_NS, message="Healthy"))
    say(one, other, 1)
    peers.turn(lambda: len(right.heard) == 1)
    one.send(other.address, Healthy(2))
    say(one, other, 3)
    turns(peers)
    assert right.messages() == [CheckHealth(1)]
    one.close()
    peers.hosts.remove(one)
    peers.turn(lambda: bool(right.lost))
    assert right.messages() == [CheckHealth(1), Healthy(2), CheckHealth(3)]


def test_what_waits_is_not_overtaken_when_the_delay_is_over(pair) -> None:
    peers, one, other, _, right = pair
    other.obey(from_(one, latency_ns=4 * FEW_MS))
    say(one, other, 1)
    turns(peers, 3)
    other.obey([])
    say(one, other, 2)
    peers.turn(lambda: len(right.heard) == 2)
    assert right.messages() == [CheckHealth(1), CheckHealth(2)]


def test_a_process_hears_of_rules_from_its_node_and_says_when_they_hold(peers: Peers) -> None:
    right = Recorder(CheckHealth)
    one, node, other = (
        peers.host(Recorder(), node="node-1"),
        peers.host(Recorder()),
        peers.host(right),
    )
    told: list[Obeyed] = []
    assert node.process is not None
    node.process.handlers[Obeyed] = lambda _, obeyed: told.append(obeyed)
    node.send(other.address, Disturbed(7, from_(one, cut=True)))
    peers.turn(lambda: told == [Obeyed(7)])
    say(one, other, 1)
    turns(peers)
    assert right.messages() == []
