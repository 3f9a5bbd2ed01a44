"""Every socket of a cluster, given what nobody of it says: all processes live on, and the cluster works.

RAYSIM_FUZZ: how many examples of each, instead of a few that are always the same.
"""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raysim as ray
from raysim.api.session import current_world
from raysim.protocol.messages import MESSAGES
from raysim.runtime.current import current
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster import handshake, wire
from tests.cluster.inspection import processes_of, until
from tests.unit.cluster.fuzzing import EXAMPLES, Fields, Stranger

ENDS_A_NODE = {"NodeRefused"}
ENDS_A_WORKER = {"ExitWorker", "NodeRemoved", "StartActor", "TerminateActor"}
"""What the one that may say it says it with."""

RUNS = {"PushTasks", "PushActorCalls", "OpenGraph"}
"""For a worker to run: whoever has the token may have it run anything."""

NASTY = {
    "nothing": b"",
    "another protocol": b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" + b"x" * 5_000,
    "the first word": handshake.MAGIC,
    "a proof of nothing": handshake.MAGIC + bytes(64) + b"\x10\x00" + bytes(16),
    "a greeting that is too long": handshake.MAGIC + bytes(64) + b"\xff\xff" + bytes(70_000),
    "a pickle": b"cos\nsystem\n(S'touch /tmp/raysim-was-here'\ntR." * 20,
    "a frame": bytes(wire.encode([])) * 100,
    "a length": wire.HEADER.pack(wire.MAX_FRAME_BYTES, wire.MAX_FRAME_BYTES) * 1_000,
}


@ray.remote
def double(value: int) -> int:
    return 2 * value


@ray.remote
class Actor:
    def where(self) -> tuple[bytes, bytes, str]:
        worker = current()
        assert worker is not None
        address = worker.host.address
        return address.node_id, address.worker_id, address.endpoint

    def pid(self) -> int:
        return os.getpid()


class Target:
    """A cluster of two nodes with an actor, and where its processes listen."""

    def __init__(self, context: Any) -> None:
        self.session_id = context.address_info["session_id"]
        world: Any = current_world()
        self.session = world._session
        self.actor = Actor.remote()
        node_id, worker_id, endpoint = ray.get(self.actor.where.remote())
        head, node = (process.address for process in world._nodes)
        self.addresses: dict[str, Address] = {
            "head": head,
            "node": node,
            "worker": Address(NodeId(node_id), WorkerId(worker_id), endpoint),
            "driver": world._host.address,
        }
        self.actor_pid = ray.get(self.actor.pid.remote())
        self.nodes = [int(pid) for pid in context.address_info["node_pids"].split(",")]

    def assert_works(self) -> None:
        assert ray.get([double.remote(i) for i in range(4)], timeout=60) == [0, 2, 4, 6]
        assert ray.get(self.actor.pid.remote(), timeout=60) == self.actor_pid
        assert all(psutil.pid_exists(pid) for pid in self.nodes)

    def connections(self) -> Iterator[socket.socket]:
        """To every listener of every process of the cluster, and of this one, which is its driver."""
        for pid in {*processes_of(self.session_id), os.getpid()}:
            for found in psutil.Process(pid).net_connections("tcp"):
                if found.status == psutil.CONN_LISTEN:
                    yield socket.create_connection(found.laddr)
        for line in Path("/proc/net/unix").read_text().splitlines():
            name = line.split()[-1]
            if name.startswith(f"@raysim-{self.session_id}") and line.split()[5] == "01":
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.connect("\0" + name[1:])
                yield sock

    def memory(self) -> int:
        return sum(psutil.Process(pid).memory_info().rss for pid in self.nodes)


@pytest.fixture
def target(start: Callable[..., Any]) -> Target:
    return Target(start(nodes=2, num_cpus=1))


def test_strangers_at_every_socket_change_nothing(target: Target) -> None:
    """They stay while the cluster works, and go without a word."""
    before = target.memory()
    listeners = 0
    socks: list[socket.socket] = []
    try:
        for said in NASTY.values():
            for sock in target.connections():
                socks.append(sock)
                sock.setblocking(False)
                listeners += 1
                try:
                    sock.send(said)
                except ConnectionError:
                    continue
            target.assert_works()
    finally:
        for sock in socks:
            sock.close()
    # Each process of the cluster listens twice: two nodes, the actor's worker, the driver.
    assert listeners >= len(NASTY) * 2 * 4
    target.assert_works()
    assert target.memory() - before < 64 << 20
    assert not Path("/tmp/raysim-was-here").exists()


def test_messages_of_any_fields_end_no_process(target: Target) -> None:
    """Of a peer that has the token: what it says may be refused, and drop it, and no more."""
    for who, to in target.addresses.items():
        _say_anything(target, who, to)
        target.assert_works()


def _say_anything(target: Target, who: str, to: Address) -> None:
    not_said = ENDS_A_NODE | (ENDS_A_WORKER | RUNS if who == "worker" else set())
    fields = Fields(endpoints=[to.endpoint])
    kinds = [kind for kind in MESSAGES if kind.__name__ not in not_said]

    @settings(max_examples=EXAMPLES, derandomize="RAYSIM_FUZZ" not in os.environ, database=None)
    @given(st.lists(fields.messages(kinds), min_size=1, max_size=4), st.booleans())
    def say(batch: list[wire.Message], local: bool) -> None:
        node_id = to.node_id if local else NodeId(os.urandom(28))
        me = Address(node_id, WorkerId(os.urandom(28)), "127.0.0.1:1")
        with Stranger(target.session, to, me, not local) as stranger:
            stranger.prove()
            stranger.say(bytes(wire.encode(batch)))
            stranger.end()
            assert until(stranger.is_dropped), f"{who} hangs at {batch}"

    say()
