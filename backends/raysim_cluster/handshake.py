"""How two processes prove that they belong to one session, before anything else is read. Never a socket.

Each side is a generator: it yields how many bytes it needs next, gets them, and sends through a
callable. Over unix sockets the kernel has named the peer's user already, so the connector's proof
goes with its first bytes and costs no round trip. Over TCP both sides prove the token against the
other's nonce (HMAC-SHA256), so a listener learns nothing from a connector that it could use again.
"""

import hmac
import os
from collections.abc import Callable, Generator
from struct import Struct
from typing import Final, TypeAlias

import msgspec

from raysim.exceptions import AuthenticationError
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId

MAGIC: Final = b"raysim1\n"
NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32
MAX_GREETING_BYTES: Final = 4096
"""An address is under 200 bytes."""

_SIZE: Final = Struct("<H")
_HELLO_BYTES: Final = len(MAGIC) + PROOF_BYTES + NONCE_BYTES + _SIZE.size

Send: TypeAlias = Callable[[bytes], None]
Handshake: TypeAlias = Generator[int, bytes, Address]
"""Returns the address of the process on the other side."""


class HandshakeError(Exception):
    """The other side is not of this session, or did not want this process."""


class WrongTokenError(HandshakeError, AuthenticationError):
    """It speaks our protocol, and does not know the session's token."""


class Greeting(msgspec.Struct, array_like=True):
    """Who speaks, and to whom: an address may have been given to another process since."""

    sender: Address
    target: WorkerId


def _proof(token: bytes, purpose: bytes, *parts: bytes) -> bytes:
    return hmac.digest(token, purpose + b"".join(parts), "sha256")


def connect(token: bytes, me: Address, peer: Address, challenged: bool, send: Send) -> Handshake:
    """The connector's side; `challenged`: over TCP."""
    nonce = os.urandom(NONCE_BYTES)
    greeting = msgspec.msgpack.encode(Greeting(me, peer.worker_id))
    challenge = b""
    if challenged:
        opening = yield len(MAGIC) + NONCE_BYTES
        if not opening.startswith(MAGIC):
            raise HandshakeError(f"{peer.endpoint} does not speak raysim's protocol")
        challenge = opening[len(MAGIC) :]
    proof = _proof(token, b"connect", challenge, nonce, greeting)
    send(MAGIC + proof + nonce + _SIZE.pack(len(greeting)) + greeting)
    if challenged:
        answer = yield PROOF_BYTES
        if not hmac.compare_digest(answer, _proof(token, b"accept", challenge, nonce)):
            raise WrongTokenError(f"{peer.endpoint} does not know the session's token")
    return peer


def accept(token: bytes, me: WorkerId, challenged: bool, send: Send) -> Handshake:
    """The listener's side. Decodes nothing before the token is proved."""
    challenge = os.urandom(NONCE_BYTES) if challenged else b""
    if challenged:
        send(MAGIC + challenge)
    hello = yield _HELLO_BYTES
    if not hello.startswith(MAGIC):
        raise HandshakeError("a peer does not speak raysim's protocol")
    proof = hello[len(MAGIC) : len(MAGIC) + PROOF_BYTES]
    nonce = hello[len(MAGIC) + PROOF_BYTES : -_SIZE.size]
    (size,) = _SIZE.unpack(hello[-_SIZE.size :])
    if size > MAX_GREETING_BYTES:
        raise HandshakeError(f"a peer's greeting has {size} bytes, more than {MAX_GREETING_BYTES}")
    body = yield size
    if not hmac.compare_digest(proof, _proof(token, b"connect", challenge, nonce, body)):
        raise WrongTokenError("a peer does not know the session's token")
    greeting = msgspec.msgpack.decode(body, type=Greeting)
    if greeting.target != me:
        raise HandshakeError("a peer looks for a process that had this place before")
    if challenged:
        send(_proof(token, b"accept", challenge, nonce))
    return greeting.sender
