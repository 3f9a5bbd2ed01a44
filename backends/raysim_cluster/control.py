"""What driver, node process and fork-server tell each other about processes. Never the protocol's messages.

Between parent and child only, over a socket pair that no other process can reach.
"""

import socket
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from raysim.config import Config
from raysim.spec.address import Address
from raysim.spec.growth import Growth
from raysim.spec.ids import NodeId, WorkerId
from raysim.spec.resources import Resources
from raysim.spec.runtime_env import Container
from raysim_cluster.disturbed import LinkRule
from raysim_cluster.redis_place import RedisPlace
from raysim_cluster.session import Session

LEFT: Final = 3
"""Exit code of a node's process that was drained: it has left the cluster in good order."""

DISPLACED: Final = 4
"""Exit code of a GCS whose tables another head has, and of the node of its head."""

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
    """What workers print is shown where this node's driver prints: they have inherited its output."""
    outlives_drivers: bool = False
    """What workers print is told to the driver of their job."""
    gcs_apart: bool = False
    """Of the head: the GCS is a process of its own, which may end and start again."""
    port: int = 0
    """Of a GCS that is apart; 0: any."""
    storage: str | RedisPlace = ""
    """Folder of its tables, or where Redis has them; empty: the session's, with which they go."""
    growth: Growth | None = None
    """Of a GCS that is apart: what the cluster may grow to."""


def log_file(folder: str | Path, node_id: NodeId) -> Path:
    """Where the process of this node writes its own log."""
    return Path(folder, f"node-{node_id.hex()[:12]}.log")


class NodeReady(msgspec.Struct, tag=True, frozen=True):
    """Node process to driver: the GCS knows this node. Comes with the arena's descriptor."""

    address: Address
    gcs: Address


class NodeHere(msgspec.Struct, tag=True, frozen=True):
    """Whoever looks after a node that outlives its drivers, to a driver. Comes with the arena's descriptor."""

    session: Session
    node_id: NodeId
    raylet: Address
    gcs: Address
    config: Config
    seed: int
    store_bytes: int
    folder: str
    """Of its logs."""
    paths: list[str]
    """Where its workers find modules."""
    version: str
    python: str


class StartGcs(msgspec.Struct, tag=True, frozen=True):
    """The head's node process to a process: be the GCS."""

    session: Session
    node_id: NodeId
    worker_id: WorkerId
    """This and the port are the same in each of its lives."""
    port: int
    name: str
    config: Config
    seed: int
    folder: str
    storage: str | RedisPlace
    """See StartNode."""
    journal_keeper: Address | None
    growth: Growth | None


class GcsReady(msgspec.Struct, tag=True, frozen=True):
    """GCS to the head's node process: it has read its tables."""


class StopNode(msgspec.Struct, tag=True, frozen=True):
    """Driver to node process: end everything."""


class SignalWorker(msgspec.Struct, tag=True, frozen=True):
    """To one worker: that one, or the one that began its work last, or any, a busy one if there is one."""

    signal: int
    worker_id: WorkerId | None = None
    last: bool = False
    busy: bool = False
    """One that runs nothing does not count."""


class GoOn(msgspec.Struct, tag=True, frozen=True):
    """SIGCONT to these workers, or all (None), which an earlier order has stopped."""

    tokens: list[int] | None


class Drain(msgspec.Struct, tag=True, frozen=True):
    """Ask the GCS to have this node drain."""

    deadline_ns: int


class StopWorkers(msgspec.Struct, tag=True, frozen=True):
    """SIGSTOP to all workers that there are."""


class FindActors(msgspec.Struct, tag=True, frozen=True):
    """To the head: which actors live, of this name or class; empty: all."""

    actor: str


class EndGcs(msgspec.Struct, tag=True, frozen=True):
    """To the head: SIGKILL to the GCS, which is apart. Another begins when it was away so long."""

    away_ns: int


class PauseGcs(msgspec.Struct, tag=True, frozen=True):
    """To the head: SIGSTOP to the GCS, which is apart, or SIGCONT after as many."""

    on: bool


class LoseCommit(msgspec.Struct, tag=True, frozen=True):
    """To the head: the GCS, which is apart, ends in its next commit, of which nothing is durable. Another begins when
    it was away so long; None: it does not end."""

    away_ns: int | None


class SetLinks(msgspec.Struct, tag=True, frozen=True):
    """All processes of the node: from now on these rules, and no others."""

    rules: list[LinkRule]


class SetDisk(msgspec.Struct, tag=True, frozen=True):
    full: bool
    factor: float
    """How many times slower it is."""


class SpoilFile(msgspec.Struct, tag=True, frozen=True):
    """One spilled file is gone, or has a wrong byte."""

    lose: bool


class LimitStore(msgspec.Struct, tag=True, frozen=True):
    """The store has room for so many bytes more than it holds; None: that is over."""

    fault: int
    """Several may be in force: the least counts."""
    room: int | None


class SetPressure(msgspec.Struct, tag=True, frozen=True):
    """All memory of the node is found used."""

    on: bool


Strike: TypeAlias = (
    SignalWorker
    | GoOn
    | Drain
    | StopWorkers
    | FindActors
    | EndGcs
    | PauseGcs
    | LoseCommit
    | SetLinks
    | SetDisk
    | SpoilFile
    | LimitStore
    | SetPressure
)


class Order(msgspec.Struct, tag=True, frozen=True):
    """Driver to node process: a fault has this happen now. Answered by Done of this number."""

    number: int
    strike: Strike


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where an actor lives."""

    node_id: NodeId
    worker_id: WorkerId


class Done(msgspec.Struct, tag=True):
    """Node process to driver: that was done."""

    number: int = 0
    target: str = ""
    """Whom it struck, for people; empty: nobody."""
    tokens: list[int] = []
    """Of the workers that it struck."""
    actors: list[Place] = []
    """That were found."""


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


class SignalForks(msgspec.Struct, tag=True, frozen=True):
    """Node process to fork-server: this signal to these workers, or all (None).

    It has not reaped them, so a pid is still its own. What was stopped several times goes on after as many SIGCONTs.
    """

    tokens: list[int] | None
    signal: int


class WorkerEnded(msgspec.Struct, tag=True, frozen=True):
    """Fork-server to node process."""

    token: int
    reason: str


Control: TypeAlias = (
    StartNode
    | NodeReady
    | NodeHere
    | StopNode
    | StartGcs
    | GcsReady
    | Order
    | Done
    | SetUp
    | ForkWorker
    | SignalForks
    | WorkerEnded
)

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
