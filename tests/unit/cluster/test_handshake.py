"""Two processes of different sessions find out, and say so by a class that programs know."""

import pytest

from raysim.exceptions import AuthenticationError
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster import handshake

ME = Address(NodeId(b"n" * 28), WorkerId(b"m" * 28), "127.0.0.1:1")
PEER = Address(NodeId(b"n" * 28), WorkerId(b"p" * 28), "127.0.0.1:2")


def shake(connector_token, listener_token):
    """Both sides over TCP, each given what the other has sent until one of them is done."""
    to_listener, to_connector = bytearray(), bytearray()
    connector = handshake.connect(connector_token, ME, PEER, True, to_listener.extend)
    listener = handshake.accept(listener_token, PEER.worker_id, True, to_connector.extend)
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
    assert shake(b"t" * 32, b"t" * 32) == (ME, PEER)


def test_a_connector_that_does_not_know_the_token_is_refused():
    with pytest.raises(AuthenticationError, match="does not know the session's token"):
        shake(b"x" * 32, b"t" * 32)


def test_a_listener_that_does_not_know_the_token_is_left():
    side = handshake.connect(b"t" * 32, ME, PEER, True, lambda data: None)
    next(side)
    side.send(handshake.MAGIC + bytes(handshake.NONCE_BYTES))
    with pytest.raises(AuthenticationError, match=r"127\.0\.0\.1:2 does not know"):
        side.send(bytes(handshake.PROOF_BYTES))
