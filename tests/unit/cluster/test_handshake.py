"""Two processes of different sessions find out, and say so by a class that programs know."""

import pytest

from raysim.exceptions import AuthenticationError
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster import handshake

ME = Address(NodeId(b"n" * 28), WorkerId(b"m" * 28), "127.0.0.1:1")
PEER = Address(NodeId(b"n" * 28), WorkerId(b"p" * 28), "127.0.0.1:2")


def shake(connector_token, listener_token, find=lambda greeting: 0, **greeting):
    """Both sides over TCP, each given what the other has sent until one of them is done."""
    to_listener, to_connector = bytearray(), bytearray()
    connector = handshake.connect(connector_token, ME, PEER, True, to_listener.extend, **greeting)
    listener = handshake.accept(listener_token, PEER.worker_id, True, to_connector.extend, find)
    wants = {listener: next(listener), connector: next(connector)}
    inbox = {listener: to_listener, connector: to_connector}
    done = {}
    while len(done) < 2:
        for side in (connector, listener):
            if side in done or len(inbox[side]) < wants[side]:
                continue
            data, inbox[side][: wants[side]] = bytes(inbox[side][: wants[side]]), b""
            try:
                wants[side] = side.send(data)
            except StopIteration as end:
                done[side] = end.value
    return done[listener], done[connector]


def test_who_knows_the_token_is_known():
    listener, connector = shake(b"t" * 32, b"t" * 32)
    assert (listener.peer, connector.peer) == (ME, PEER)


def test_each_side_learns_how_many_of_its_frames_have_come():
    token = b"t" * 32
    listener, connector = shake(token, token, lambda _: 7, line=b"l", resumes=True, received=5)
    assert (listener.line, listener.came) == (b"l", 5)
    assert (connector.line, connector.came) == (b"l", 7)


def test_a_connection_that_the_listener_does_not_know_is_over_for_both():
    connector = handshake.connect(b"t" * 32, ME, PEER, True, (said := bytearray()).extend)
    listener = handshake.accept(
        b"t" * 32, PEER.worker_id, True, (heard := bytearray()).extend, lambda _: None
    )
    needs = next(listener)
    next(connector)
    need = connector.send(bytes(heard))
    heard.clear()
    body = listener.send(bytes(said[:needs]))
    with pytest.raises(handshake.HandshakeError, match="is over here"):
        listener.send(bytes(said[needs : needs + body]))
    with pytest.raises(handshake.HandshakeError, match="does not know this connection any more"):
        connector.send(bytes(heard[:need]))


def test_a_connector_that_does_not_know_the_token_is_refused():
    with pytest.raises(AuthenticationError, match="does not know the session's token"):
        shake(b"x" * 32, b"t" * 32)


def test_a_listener_that_does_not_know_the_token_is_left():
    side = handshake.connect(b"t" * 32, ME, PEER, True, lambda data: None)
    next(side)
    side.send(handshake.MAGIC + bytes(handshake.NONCE_BYTES))
    with pytest.raises(AuthenticationError, match=r"127\.0\.0\.1:2 does not know"):
        side.send(bytes(handshake.PROOF_BYTES))
