"""What comes over a connection, however damaged: its sender is dropped, nobody else, and nothing of it is believed."""

import os
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from raysim.protocol.messages import MESSAGES, CheckHealth, ObjectChunk
from raysim.spec.address import Address
from raysim.spec.ids import ObjectId, WorkerId, named_node_id
from raysim_cluster import handshake, link, wire
from raysim_cluster.host import LoopHost
from tests.unit.cluster.fuzzing import EXAMPLES, Fields, Stranger, damaged, framed
from tests.unit.cluster.peers import Peers, Recorder

MANY = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize="RAYSIM_FUZZ" not in os.environ,
    database=None,
)
CHALLENGED = pytest.mark.parametrize("challenged", [False, True], ids=["unix", "tcp"])


class Listener:
    """A process that is connected to, and a peer of it that behaves."""

    def __init__(self, peers: Peers) -> None:
        self.peers = peers
        self.role = Recorder(*MESSAGES)
        self.host = peers.host(self.role)
        self.witness = peers.host(Recorder())
        self.assert_serves()

    def assert_serves(self) -> None:
        """The one that behaves is heard, over the connection that it has had all the time."""
        heard = self.role.heard
        heard.clear()
        self.witness.send(self.host.address, CheckHealth(len(heard)))
        self.peers.turn(lambda: (self.witness.address, CheckHealth(0)) in heard)
        lost = [address for address in self.role.lost if address == self.witness.address]
        assert lost == []

    def stranger(self, challenged: bool) -> "Stranger":
        node = named_node_id("node-7") if challenged else self.host.address.node_id
        me = Address(node, WorkerId(os.urandom(28)), "127.0.0.1:1")
        return Stranger(self.peers.session, self.host.address, me, challenged)

    def turn_until_gone(self, stranger: Stranger) -> None:
        self.peers.turn(stranger.is_dropped)


@pytest.fixture
def listener(peers: Peers) -> Listener:
    return Listener(peers)


def hello(host: LoopHost, token: bytes) -> bytes:
    """What a connector of the session says first over a unix socket."""
    said = bytearray()
    me = Address(host.address.node_id, WorkerId(b"s" * 28), "127.0.0.1:1")
    list(handshake.connect(token, me, host.address, False, said.extend))
    return bytes(said)


@CHALLENGED
@MANY
@given(data=st.binary(max_size=400))
@example(data=b"")
@example(data=handshake.MAGIC)
@example(data=handshake.MAGIC + b"\xff" * 66 + b"x" * 70_000)
def test_bytes_that_prove_nothing_are_dropped_and_never_read(
    listener: Listener, challenged: bool, data: bytes
) -> None:
    with listener.stranger(challenged) as stranger:
        stranger.say(data)
        stranger.end()
        listener.turn_until_gone(stranger)
    listener.assert_serves()
    assert {sender for sender, _ in listener.role.heard} == {listener.witness.address}


@MANY
@given(st.data())
def test_a_damaged_greeting_is_refused_before_it_is_decoded(
    listener: Listener, data: st.DataObject
) -> None:
    """With messages behind it, which are as little read."""
    whole = hello(listener.host, listener.peers.session.token)
    said = data.draw(damaged(st.just(whole)))
    if said[: len(whole)] == whole:
        return
    with listener.stranger(False) as stranger:
        stranger.say(said + bytes(wire.encode([CheckHealth(7)])))
        stranger.end()
        listener.turn_until_gone(stranger)
    listener.assert_serves()
    assert {sender for sender, _ in listener.role.heard} == {listener.witness.address}


@CHALLENGED
@MANY
@given(
    frames=st.lists(damaged(framed(st.lists(Fields().messages(MESSAGES), max_size=3))), min_size=1)
)
@example(frames=[b"\x17\0\0\0\0\0\0\0\x91\x94\xb1\xd2eturnWorkerLease\0\xc2\xc2"])
@example(frames=[b"\xa0\x86\1\0\0\0\0\0" + b"\x91" * 100_000])
def test_a_damaged_frame_drops_its_sender_and_nobody_else(
    listener: Listener, challenged: bool, frames: list[bytes]
) -> None:
    with listener.stranger(challenged) as stranger:
        stranger.prove(listener.peers.turn_once)
        for frame in frames:
            stranger.say(frame)
        stranger.end()
        listener.turn_until_gone(stranger)
    listener.assert_serves()


@MANY
@given(batch=st.lists(Fields().messages(MESSAGES), min_size=1, max_size=3), cut=st.integers(1, 9))
def test_a_frame_that_comes_byte_by_byte_is_the_same(
    listener: Listener, batch: list[wire.Message], cut: int
) -> None:
    frame = bytes(wire.encode(batch))
    with listener.stranger(True) as stranger:
        stranger.prove(listener.peers.turn_once)
        for at in range(0, min(len(frame), 90), cut):
            stranger.say(frame[at : at + cut])
            listener.peers.turn_once()
        stranger.say(frame[min(len(frame), -(-90 // cut) * cut) :])
        stranger.end()
        listener.turn_until_gone(stranger)
    heard = [message for sender, message in listener.role.heard if sender == stranger.me]
    assert bytes(wire.encode(heard)) == frame


def test_a_length_is_not_believed_before_so_much_has_come(listener: Listener) -> None:
    with listener.stranger(True) as stranger:
        stranger.prove(listener.peers.turn_once)
        tracemalloc.start()
        stranger.say(wire.HEADER.pack(wire.MAX_FRAME_BYTES, wire.MAX_FRAME_BYTES) + b"x" * 100)
        stranger.end()
        listener.turn_until_gone(stranger)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2 * link._BELIEVED
    listener.assert_serves()


def test_a_frame_larger_than_what_is_believed_arrives_whole(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_BELIEVED", 1_000)
    part = ObjectChunk(ObjectId(b"o" * 28), 0, 1, 1, os.urandom(300_000))
    with listener.stranger(True) as stranger:
        stranger.prove(listener.peers.turn_once)
        for _ in range(2):
            stranger.say(bytes(wire.encode([part])))
        stranger.end()
        listener.turn_until_gone(stranger)
    assert [m for s, m in listener.role.heard if s == stranger.me] == [part, part]


def test_a_role_that_fails_at_a_message_loses_its_sender_and_nobody_else(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is told in the log, with where it was raised."""

    def fail(sender: Address, message: object) -> None:
        assert sender == listener.witness.address, "what is this?"

    listener.role.on_message = fail
    with listener.stranger(True) as stranger:
        stranger.prove(listener.peers.turn_once)
        stranger.say(bytes(wire.encode([CheckHealth(1)])))
        listener.turn_until_gone(stranger)
    assert "what is this?" in caplog.text
    assert stranger.me in listener.role.lost
    listener.assert_serves()
