"""A connection between nodes that is cut: everything comes once and in its order, or its end is seen by both sides."""

import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

from raysim.protocol.messages import CheckHealth, Healthy, Message, ObjectChunk
from raysim.spec.address import Address
from raysim.spec.ids import ObjectId
from raysim_cluster import line
from tests.unit.cluster.cable import Cable
from tests.unit.cluster.peers import Peers, Recorder

OVER = pytest.mark.parametrize("peers", ["plain", "tls"], indirect=True)


class Two:
    """Two processes with a cable between them; the left one connects."""

    def __init__(self, peers: Peers, seed: int = 0) -> None:
        self.chance = Random(seed)
        self._peers = peers
        self.left, self.right = Recorder(Healthy, ObjectChunk), Recorder(CheckHealth, ObjectChunk)
        self.one = peers.host(self.left)
        self.other = peers.host(self.right, node="node-1")
        self.cable = Cable(self.other.address, self.chance)
        self.said: list[Message] = []
        self.answered: list[Message] = []

    @property
    def back(self) -> Address:
        return self.one.address

    def say(self, message: Message) -> None:
        self.said.append(message)
        self.one.send(self.cable.end, message)

    def answer(self, message: Message) -> None:
        self.answered.append(message)
        self.other.send(self.back, message)

    def turn(self, done: Callable[[], bool], limit: int = 20_000) -> None:
        self._peers.turn(lambda: self.cable.carry() or done(), limit)

    def begin(self) -> None:
        self.say(CheckHealth(-1))
        self.turn(lambda: bool(self.right.heard))
        self.answer(Healthy(-1))
        self.turn(lambda: bool(self.left.heard))

    def assert_all_came(self) -> None:
        self.turn(
            lambda: (
                len(self.right.heard) >= len(self.said)
                and len(self.left.heard) >= len(self.answered)
            )
        )
        assert self.right.messages() == self.said
        assert self.left.messages() == self.answered
        assert self.left.lost == self.right.lost == []


@pytest.fixture
def two(peers: Peers) -> Iterator[Two]:
    made = Two(peers)
    yield made
    made.cable.close()


@OVER
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_cut_whenever_everything_comes_once_and_in_order(
    peers: Peers, seed: int
) -> None:
    two = Two(peers, seed)
    two.begin()
    for number in range(60):
        for _ in range(two.chance.randrange(4)):
            two.say(CheckHealth(number))
        for _ in range(two.chance.randrange(4)):
            two.answer(Healthy(number))
        if two.chance.random() < 0.2:
            data = two.chance.randbytes(two.chance.choice([70_000, 2_000_000]))
            part = ObjectChunk(ObjectId(b"o" * 28), number, len(data), len(data), data)
            (two.say if two.chance.random() < 0.5 else two.answer)(part)
        turns = two.chance.randrange(6)
        until = iter(range(turns + 1))
        two.turn(lambda until=until: next(until, None) is None)
        if two.chance.random() < 0.3:
            two.cable.cut()
    two.assert_all_came()
    two.cable.close()


@OVER
def test_what_is_said_during_a_cut_comes_after_it(two: Two) -> None:
    two.begin()
    two.cable.is_closed = True
    two.cable.cut()
    begun = time.monotonic()
    for number in range(100):
        two.say(CheckHealth(number))
        two.answer(Healthy(number))
    two.turn(lambda: time.monotonic() - begun > 0.1)
    assert two.left.lost == two.right.lost == []
    two.cable.is_closed = False
    two.assert_all_came()


def test_a_cut_that_lasts_too_long_is_the_loss_of_the_peer(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "RESUME_NS", 100_000_000)
    two.begin()
    two.cable.is_closed = True
    two.cable.cut()
    two.turn(lambda: bool(two.left.lost and two.right.lost))
    assert two.left.lost == [two.cable.end]
    assert two.right.lost == [two.one.address]


@OVER
def test_the_end_of_a_process_is_no_cut(two: Two, peers: Peers) -> None:
    """Its port is closed, and nobody waits for it."""
    two.begin()
    begun = time.monotonic_ns()
    peers.hosts.remove(two.one)
    two.one.close()
    two.turn(lambda: bool(two.right.lost))
    assert time.monotonic_ns() - begun < line.RESUME_NS
    assert two.right.lost == [two.one.address]


@OVER
@pytest.mark.parametrize("which", ["connector", "listener"])
def test_a_side_that_lets_go_is_lost_to_the_other_at_once(two: Two, which: str) -> None:
    two.begin()
    role, host = (two.left, two.other) if which == "connector" else (two.right, two.one)

    def fail(sender: Address, message: object) -> None:
        raise RuntimeError("on purpose")

    role.on_message = fail
    begun = time.monotonic_ns()
    host.send(two.back if which == "connector" else two.cable.end, CheckHealth(9))
    if which == "connector":
        host.send(two.back, Healthy(9))
    two.turn(lambda: bool(two.left.lost and two.right.lost))
    assert time.monotonic_ns() - begun < line.RESUME_NS


def test_a_listener_that_has_forgotten_it_ends_it(two: Two) -> None:
    """It has let go while the cable was cut, so that nobody could be told."""
    two.begin()
    two.cable.is_closed = True
    two.cable.cut()
    transport = two.other.transport
    transport._drop(transport._peers[two.one.address.worker_id])
    two.cable.is_closed = False
    two.turn(lambda: bool(two.left.lost))
    assert two.left.lost == [two.cable.end]


def test_frames_are_kept_only_until_they_are_known_to_have_come(two: Two) -> None:
    two.begin()
    for number in range(1_000):
        two.say(CheckHealth(number))
        two.one.settle()
    two.turn(lambda: len(two.right.heard) == len(two.said))
    (kept,) = two.one.transport._peers[two.other.address.worker_id].links
    assert isinstance(kept, line.Line)
    two.turn(lambda: len(kept._kept) <= line._SAY_AFTER)


def test_a_peer_of_one_session_cannot_go_on_with_what_another_has_begun(
    two: Two, peers: Peers
) -> None:
    two.begin()
    (begun,) = two.one.transport._peers[two.other.address.worker_id].links
    assert isinstance(begun, line.Line)
    role = Recorder()
    thief = peers.host(role, node="node-2")
    stolen = line.Line(thief.transport, two.other.address, begun.key)
    stolen.was_open = True
    stolen._begun_here = True
    stolen.begin()
    two.turn(lambda: stolen._closed)
    two.say(CheckHealth(3))
    two.assert_all_came()


@pytest.mark.parametrize("peers", ["tls"], indirect=True)
def test_what_was_changed_on_the_way_is_a_cut_where_it_is_encrypted(two: Two) -> None:
    two.begin()
    for number in range(20):
        two.say(CheckHealth(number))
        two.answer(Healthy(number))
        two.cable.damages = number % 5 == 3
        two.assert_all_came()
    assert two.cable.damaged == 4
