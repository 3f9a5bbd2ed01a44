"""How a node that knows nothing but `host:port` and the token learns which cluster it joins. Never joins it itself.

It connects to whoever has that port as to the gate, and proves the token, as all do. The GCS answers what a node of
its cluster has to know. All this is one question: who asks it blocks.
"""

import os
import platform
import socket
from collections.abc import Callable
from typing import Final

import raysim
from raysim.config import Config
from raysim.exceptions import AuthenticationError
from raysim.protocol.messages import Message
from raysim.protocol.process import Handlers
from raysim.spec.address import Address
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId, WorkerId
from raysim.spec.tls import TlsFiles
from raysim_cluster import handshake
from raysim_cluster.found import AskCluster, ClusterFound

GATE: Final = WorkerId(bytes(UNIQUE_ID_BYTES))
"""The GCS of whichever cluster it is, for one who does not know its id."""

_PATIENCE_S: Final = 10.0
_LARGEST: Final = 1 << 20


class Gate:
    """The role of the GCS's process that answers."""

    def __init__(
        self,
        send: Callable[[Address, Message], None],
        session_id: str,
        gcs: Address,
        config: Config,
        seed: int,
    ) -> None:
        self._send = send
        self._found = ClusterFound(
            raysim.__version__, platform.python_version(), session_id, gcs, config, seed
        )

    @staticmethod
    def handlers() -> Handlers["Gate"]:
        return {AskCluster: lambda gate: gate._answer}

    def start(self) -> None:
        """Others begin."""

    def peer_lost(self, peer: Address) -> None:
        """It has its answer, or wants none."""

    def _answer(self, sender: Address, asked: AskCluster) -> None:
        self._send(sender, self._found)


def find_cluster(endpoint: str, token: bytes, tls: TlsFiles | None = None) -> ClusterFound:
    """Ask the head at `host:port`.

    Raises ConnectionError where there is none, AuthenticationError where it has another token or one's certificate does
    not do, ValueError for what is no address, and RuntimeError for another version than ours.
    """
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(
            f"{endpoint!r} is no address; write it as HOST:PORT, such as 127.0.0.1:6379"
        )
    try:
        with socket.create_connection((host, int(port)), _PATIENCE_S) as sock:
            found = _answer_of(sock, endpoint, token, tls)
    except TimeoutError as error:
        hint = (
            "" if tls is not None else " If it uses TLS, give --tls-cert, --tls-key and --tls-ca."
        )
        raise ConnectionError(
            f"{endpoint} has said nothing for {_PATIENCE_S:g} s: is it a head, and does it live?{hint}"
        ) from error
    except (OSError, OverflowError) as error:
        raise ConnectionError(
            f"No cluster answers at {endpoint}: {error}. Start its head there with: raysim start --head"
        ) from error
    except handshake.WrongTokenError as error:
        raise AuthenticationError(
            f"{error}: the one here is another's. Copy the head's ~/.raysim/auth_token, or say which by "
            "RAYSIM_AUTH_TOKEN or RAYSIM_AUTH_TOKEN_PATH."
        ) from error
    except AuthenticationError:
        raise
    except handshake.HandshakeError as error:
        raise ConnectionError(f"No head of a cluster is at {endpoint}: {error}.") from error
    _check_versions(endpoint, found)
    return found


def _answer_of(
    sock: socket.socket, endpoint: str, token: bytes, tls: TlsFiles | None
) -> ClusterFound:
    if tls is None:
        return _ask(sock, endpoint, token)
    from raysim_cluster.certificates import secured

    with secured(sock, tls, endpoint, endpoint.rpartition(":")[0]) as safe:
        return _ask(safe, endpoint, token)


def _ask(sock: socket.socket, endpoint: str, token: bytes) -> ClusterFound:
    from raysim_cluster import wire  # It knows our messages.

    me = Address(NodeId(os.urandom(UNIQUE_ID_BYTES)), WorkerId(os.urandom(UNIQUE_ID_BYTES)), "")
    gate = Address(NodeId(GATE), GATE, endpoint)
    steps = handshake.connect(token, me, gate, True, sock.sendall, line=os.urandom(16))
    try:
        need = next(steps)
        while True:
            need = steps.send(_take(sock, need))
    except StopIteration:
        pass
    sock.sendall(wire.encode([AskCluster(raysim.__version__)]))
    while True:
        size, attached = wire.HEADER.unpack(_take(sock, wire.HEADER_BYTES))
        if not size:
            continue  # It says how much has come.
        if attached or size > _LARGEST:
            raise handshake.HandshakeError("it answers something else")
        (found,) = wire.decode(memoryview(_take(sock, size)))
        assert isinstance(found, ClusterFound), f"the head answered {found}"
        sock.sendall(wire.said(wire.LETS_GO))
        return found


def _take(sock: socket.socket, count: int) -> bytes:
    taken = bytearray()
    while len(taken) < count:
        data = sock.recv(count - len(taken))
        if not data:
            raise ConnectionError("it hung up")
        taken += data
    return bytes(taken)


def _check_versions(endpoint: str, found: ClusterFound) -> None:
    check_versions(f"The cluster at {endpoint}", found.version, found.python)


def check_versions(whose: str, version: str, python: str) -> None:
    """Raises RuntimeError that says both versions: what one writes, another may not read."""
    theirs, ours = f"{version} on Python {python}", f"{raysim.__version__} on Python "
    ours += platform.python_version()
    if (version, python.split(".")[:2]) != (
        raysim.__version__,
        platform.python_version().split(".")[:2],
    ):
        raise RuntimeError(
            f"{whose} runs raysim {theirs}, and this is raysim {ours}. Use the same version of both."
        )
