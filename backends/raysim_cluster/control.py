"""What driver, node process and fork-server tell each other about processes. Never the protocol's messages.

Between parent and child only, over a socket pair that no other process can reach.
"""

import socket
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from raysim.config import Config
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.resources import Resources
from raysim.spec.runtime_env import Container
from raysim_cluster.transport import Session

_LARGEST: Final = 192 * 1024
"""Bytes of one packet: what Linux takes by default."""


class StartNode(msgspec.Struct, tag=True, frozen=True):
    """Driver to node process: be this node."""

    session: Session
    node_id: NodeId
    name: str
    resources: Resources
    labels: dict[str, str]
    store_bytes: int
    config: Config
    seed: int
    head: Address | None
    """The GCS; None: be the head."""
    folder: str
    """The session's folder: logs, and the head's tables."""
    journal_keeper: Address | None
    """Where notes go; None: nowhere."""
    preload: list[str]
    """Modules that the program has imported and that are slow to import: the fork-server has them ready."""
    workers_cgroup: str = ""
    """Where workers put themselves; empty: they stay where they are."""
    log_to_driver: bool = True
    """What workers print is shown where the driver prints."""


def log_file(folder: str | Path, node_id: NodeId) -> Path:
    """Where the process of this node writes its own log."""
    return Path(folder, f"node-{node_id.hex()[:12]}.log")


class NodeReady(msgspec.Struct, tag=True, frozen=True):
    """Node process to driver: the GCS knows this node. Comes with the arena's descriptor."""

    address: Address


class StopNode(msgspec.Struct, tag=True, frozen=True):
    """Driver to node process: end everything."""


class SetUp(msgspec.Struct, tag=True, frozen=True):
    """Node process to fork-server: what workers must know."""

    raylet: Address
    gcs: Address


class Start(msgspec.Struct, frozen=True):
    """How a worker is started that is no fork. Without anything: by our own interpreter."""

    command: str = ""
    """For a shell, in place of the interpreter."""
    prefix: str = ""
    """The folder of an environment with an interpreter of its own."""
    is_conda: bool = False
    image: Container | None = None
    variables: list[str] = []
    """Names of those that count in the container."""


class WorkerPlace(msgspec.Struct, frozen=True):
    """What a runtime environment makes of a worker."""

    variables: dict[str, str]
    folder: str
    """To work in; empty: the driver's."""
    paths: list[str]
    """Where it finds modules first."""
    start: Start | None
    """None: a fork will do."""


class ForkWorker(msgspec.Struct, tag=True, frozen=True):
    """Node process to fork-server: start one. Without a place, in the plain environment."""

    token: int
    place: WorkerPlace | None = None


class KillFork(msgspec.Struct, tag=True, frozen=True):
    """Node process to fork-server: SIGKILL that one."""

    token: int


class WorkerEnded(msgspec.Struct, tag=True, frozen=True):
    """Fork-server to node process."""

    token: int
    reason: str


Control: TypeAlias = StartNode | NodeReady | StopNode | SetUp | ForkWorker | KillFork | WorkerEnded

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Control)


class Channel:
    """One end of a pair of connected sockets that keep packets apart."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    def pair(cls) -> tuple["Channel", "Channel"]:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, what: Control, *fds: int) -> None:
        """Raises OSError when the other side is gone."""
        data = _encoder.encode(what)
        if fds:
            socket.send_fds(self.sock, [data], fds)
        else:
            self.sock.send(data)

    def receive(self) -> tuple[Control | None, list[int]]:
        """The next packet and the descriptors that came with it; None at the end."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, _LARGEST, 4)
        except ConnectionError:
            return None, []
        return (_decoder.decode(data) if data else None), fds

    def close(self) -> None:
        self.sock.close()
