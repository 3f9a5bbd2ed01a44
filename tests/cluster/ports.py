"""Every port of a cluster that runs, and how it is knocked at; the dashboard's is asked by its routes.

A listener that stands in no table fails whoever asks. Whoever adds one says here what it speaks, and in
docs/security.md what it is.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import NamedTuple

import psutil

from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim.spec.tls import TlsFiles
from raysim_cluster import handshake
from tests.cluster.inspection import called, marked
from tests.cluster.started import Machine, Program

TCP = {
    "raysim-gcs": "the port of `raysim start --port`",
    "raysim-node": "a raylet: other nodes, and programs elsewhere",
    "raysim-worker": "calls of actors and tasks from other nodes",
    "python": "a program: who owns its objects",
}
"""By the name of the process: all speak the protocol of nodes, after its handshake."""

UNIX = {56: "a process of the node", 32: "what a worker that is no fork inherits", 17: "the door"}
"""By the length of what comes after the session: the same protocol, but for the last two."""

PATIENCE_S = 10.0
"""Less than who proves nothing has: whoever is refused is refused at once."""


class Port(NamedTuple):
    process: str
    family: socket.AddressFamily
    at: tuple[str, int] | str

    def connect(self) -> socket.socket:
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        sock.settimeout(PATIENCE_S)
        sock.connect(self.at)
        return sock

    def __str__(self) -> str:
        return f"{self.process} at {self.at!r}"


class Running(NamedTuple):
    machine: Machine
    program: Program
    actor: int
    """The pid of an actor of the program."""
    tls: TlsFiles | None

    def assert_right(self) -> None:
        """The program's tasks and its actor answer as before."""
        self.program.go_on()
        assert self.program.told() == [self.actor, 8]

    def lasting(self) -> dict[int, str]:
        """Its processes, with their names, but for workers, which come and go: of them the actor."""
        named = {pid: called(pid) for pid in marked(self.machine.mark)}
        return {
            pid: name
            for pid, name in named.items()
            if pid == self.actor or not name.startswith("raysim-worker")
        }

    def ports(self) -> list[Port]:
        """Of streams, but for the dashboard's, which speaks HTTP. Fails at one that no table has."""
        found = []
        for pid in marked(self.machine.mark):
            for one in psutil.Process(pid).net_connections("tcp"):
                if (
                    one.status == psutil.CONN_LISTEN
                    and one.laddr.port != self.machine.dashboard_port
                ):
                    name = called(pid).rstrip("0123456789.")
                    assert name in TCP, f"nobody knows why {called(pid)} listens at {one.laddr}"
                    found.append(Port(name, socket.AF_INET, tuple(one.laddr)))
        for name, kind in self.sockets():
            if kind == socket.SOCK_STREAM:
                found.append(Port("unix", socket.AF_UNIX, f"\0{name}"))
        return found

    def dashboard(self) -> Port:
        """It speaks HTTP, and with certificates HTTPS, for which this cluster wants one, too."""
        return Port("dashboard", socket.AF_INET, ("127.0.0.1", self.machine.dashboard_port))

    def ask_dashboard(self, shown: TlsFiles | None = None) -> HTTPConnection:
        """Over TLS, with a certificate (None: the cluster's), where there are any."""
        host, port = "127.0.0.1", self.machine.dashboard_port
        if self.tls is None:
            return HTTPConnection(host, port, timeout=PATIENCE_S)
        context = showing(self.tls, shown or self.tls)
        return HTTPSConnection(host, port, timeout=PATIENCE_S, context=context)

    def sockets(self) -> Iterator[tuple[str, int]]:
        """Listening ones in the abstract namespace, and their kinds."""
        session = self.session()
        for line in Path("/proc/net/unix").read_text().splitlines():
            name = line.split()[-1]
            if name.startswith(f"@raysim-{session}-") and line.split()[3] == "00010000":
                rest = name.removeprefix(f"@raysim-{session}-")
                assert len(rest) in UNIX, f"nobody knows what {name} is"
                yield name[1:], int(line.split()[4], 16)

    def session(self) -> str:
        (folder,) = self.machine.temporary.glob("raysim-" + "[0-9a-f]" * 16)
        return folder.name.removeprefix("raysim-")


@contextmanager
def running_cluster(folder: Path, tls: TlsFiles | None) -> Iterator[Running]:
    """A head with a program, whose answers are right until the end."""
    how = ("--tls-cert", tls.cert, "--tls-key", tls.key, "--tls-ca", tls.ca) if tls else ()
    if tls is not None:
        how += ("--dashboard-client-certs",)
    with Machine(folder) as machine:
        machine.start_head("--num-cpus", "2", *how)
        program = machine.program(
            """
ray.init(address="auto")
kept = Keeper.options(num_cpus=0).remote()
tell(ray.get(kept.call.remote())[1])
while True:
    wait()
    tell([ray.get(kept.call.remote())[1], len(ray.get([pid.remote() for _ in range(8)]))])
"""
        )
        with program:
            running = Running(machine, program, program.told(), tls)
            yield running
            running.assert_right()
        assert machine.raysim("stop").returncode == 0


NOBODY = Address(NodeId(bytes(28)), WorkerId(bytes(28)), "")


def with_token(port: Port, sock: socket.socket, token: bytes) -> None:
    """The handshake of a peer. Raises HandshakeError, or OSError, where it is refused."""
    challenged = port.family == socket.AF_INET
    steps = handshake.connect(token, NOBODY, NOBODY, challenged, sock.sendall)
    with suppress(StopIteration):
        need = next(steps)
        while True:
            data = bytearray()
            while len(data) < need:
                more = sock.recv(need - len(data))
                if not more:
                    raise ConnectionAbortedError("it hung up")
                data += more
            need = steps.send(bytes(data))


def hangs_up(sock: socket.socket) -> bytes:
    """What it said until it hung up. Raises TimeoutError if it does not."""
    heard = b""
    with suppress(ConnectionError):
        while data := sock.recv(65_536):
            heard += data
    return heard


def heard_with(port: Port, sock: socket.socket, token: bytes, said: bytes) -> bytes:
    """What one with this token hears until it is hung up on. Raises TimeoutError where it is not."""
    try:
        with_token(port, sock, token)
        sock.sendall(said)
    except (handshake.WrongTokenError, ConnectionError):
        return b""
    return hangs_up(sock)


def secured(tls: TlsFiles | None, port: Port) -> socket.socket:
    """With the certificate, where one is needed."""
    sock = port.connect()
    if tls is None or port.family != socket.AF_INET:
        return sock
    return showing(tls, tls).wrap_socket(sock, server_hostname="127.0.0.1")


def showing(tls: TlsFiles, shown: TlsFiles | None) -> ssl.SSLContext:
    """Trusts as `tls` says, and shows the other certificate."""
    context = ssl.create_default_context(cafile=tls.ca)
    if shown is not None:
        context.load_cert_chain(shown.cert, shown.key)
    return context
