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
_COUNT: Final = Struct("<Q")
LIFE_BYTES: Final = 8
_ANSWER_BYTES: Final = PROOF_BYTES + _COUNT.size + LIFE_BYTES

_UNKNOWN: Final = (1 << 64) - 1
"""In place of how many frames have come: there is no such connection, or no longer."""

Send: TypeAlias = Callable[[bytes], None]


class Proved(msgspec.Struct, frozen=True):
    """What the other side has proved."""

    peer: Address
    line: bytes = b""
    """Of a connector over TCP: which connection this is, or goes on with."""
    came: int = 0
    """How many of our frames have come over it before."""
    life: bytes = b""
    """Of the other side's process, over TCP: another one may have its address after its end."""


Handshake: TypeAlias = Generator[int, bytes, Proved]


class HandshakeError(Exception):
    """The other side is not of this session, or did not want this process."""


class WrongTokenError(HandshakeError, AuthenticationError):
    """It speaks our protocol, and does not know the session's token."""


class Greeting(msgspec.Struct, array_like=True):
    """Who speaks, and to whom: an address may have been given to another process since."""

    sender: Address
    target: WorkerId
    line: bytes = b""
    resumes: bool = False
    """The connection was there before: without what the listener knows of it, it is over."""
    received: int = 0
    """How many frames have come over it."""
    life: bytes = b""


Find: TypeAlias = Callable[[Greeting], int | None]
"""How many frames have come over a connection; None: it is not known, and was there before."""


def _proof(token: bytes, purpose: bytes, *parts: bytes) -> bytes:
    return hmac.digest(token, purpose + b"".join(parts), "sha256")


def connect(
    token: bytes,
    me: Address,
    peer: Address,
    challenged: bool,
    send: Send,
    *,
    line: bytes = b"",
    resumes: bool = False,
    received: int = 0,
    life: bytes = bytes(LIFE_BYTES),
) -> Handshake:
    """The connector's side; `challenged`: over TCP. The others: see Greeting."""
    nonce = os.urandom(NONCE_BYTES)
    greeting = msgspec.msgpack.encode(Greeting(me, peer.worker_id, line, resumes, received, life))
    challenge = b""
    if challenged:
        opening = yield len(MAGIC) + NONCE_BYTES
        if not opening.startswith(MAGIC):
            raise HandshakeError(f"{peer.endpoint} does not speak raysim's protocol")
        challenge = opening[len(MAGIC) :]
    proof = _proof(token, b"connect", challenge, nonce, greeting)
    send(MAGIC + proof + nonce + _SIZE.pack(len(greeting)) + greeting)
    if challenged:
        answer = yield _ANSWER_BYTES
        proof, said = answer[:PROOF_BYTES], answer[PROOF_BYTES:]
        if not hmac.compare_digest(proof, _proof(token, b"accept", challenge, nonce, said)):
            raise WrongTokenError(f"{peer.endpoint} does not know the session's token")
        (came,) = _COUNT.unpack_from(said)
        if came == _UNKNOWN:
            raise HandshakeError("the peer does not know this connection any more")
        return Proved(peer, line, came, said[_COUNT.size :])
    return Proved(peer)


def _new(greeting: Greeting) -> int | None:
    return None if greeting.resumes else 0


def accept(
    token: bytes,
    me: WorkerId,
    challenged: bool,
    send: Send,
    find: Find = _new,
    life: bytes = bytes(LIFE_BYTES),
    gate: WorkerId | None = None,
) -> Handshake:
    """The listener's side. Decodes nothing before the token is proved. `gate`: another id of this process."""
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
        if challenged:
            send(bytes(_ANSWER_BYTES))  # Without a word it might be a cut.
        raise WrongTokenError("a peer does not know the session's token")
    greeting = msgspec.msgpack.decode(body, type=Greeting)
    is_meant = greeting.target in (me, gate)
    received = find(greeting) if is_meant else None
    if challenged:
        said = _COUNT.pack(_UNKNOWN if received is None else received) + life
        send(_proof(token, b"accept", challenge, nonce, said) + said)
    if not is_meant:
        raise HandshakeError("a peer looks for a process that had this place before")
    if received is None:
        raise HandshakeError("a peer goes on with a connection that is over here")
    return Proved(greeting.sender, greeting.line, greeting.received, greeting.life)
