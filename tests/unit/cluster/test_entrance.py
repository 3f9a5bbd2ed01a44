"""Who connects and proves nothing: is let go in the end, and keeps nobody else out."""

import logging
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from raysim.protocol.messages import CheckHealth
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId, named_node_id
from raysim_cluster import entrance, handshake
from raysim_cluster.host import LoopHost
from tests.unit.cluster.peers import Peers, Recorder


def connect(host: LoopHost, peers: Peers, over: str = "tcp") -> socket.socket:
    if over == "tcp":
        name, _, port = host.address.endpoint.partition(":")
        return socket.create_connection((name, int(port)))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(peers.session.unix_name(host.address.worker_id))
    return sock


def is_closed(sock: socket.socket) -> bool:
    """Whether the other side has let go of it."""
    sock.setblocking(False)
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def speaks(peers: Peers, to: LoopHost, role: Recorder) -> None:
    """Assert that a peer of the session is heard."""
    before = len(role.heard)
    one = peers.host(Recorder(), node="node-9")
    one.send(to.address, CheckHealth(before))
    peers.turn(lambda: len(role.heard) == before + 1)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "PROOF_NS", 50_000_000)


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """As many as this process has now, and 40."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(map(int, os.listdir("/proc/self/fd"))) + 40
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("over", ["tcp", "unix"])
@pytest.mark.parametrize(
    "said",
    [b"", handshake.MAGIC, handshake.MAGIC + bytes(60)],
    ids=["nothing", "the first word", "a part"],
)
def test_whoever_is_slow_to_prove_itself_is_let_go(
    peers: Peers, soon: None, over: str, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    role = Recorder(CheckHealth)
    host = peers.host(role)
    with connect(host, peers, over) as slow:
        slow.sendall(said)
        peers.turn(lambda: is_closed(slow))
    assert "has proved nothing for" in caplog.text
    speaks(peers, host, role)


def test_a_byte_now_and_then_buys_no_time(
    peers: Peers, soon: None, caplog: pytest.LogCaptureFixture
) -> None:
    host = peers.host(Recorder(CheckHealth))
    left = list(handshake.MAGIC + bytes(60))
    with connect(host, peers) as slow:

        def drips() -> bool:
            if is_closed(slow):
                return True
            with suppress(ConnectionError):
                slow.send(bytes([left.pop(0)]) if left else b"")
            return False

        peers.turn(drips)
    assert "has proved nothing for" in caplog.text


def test_whoever_has_proved_itself_may_be_silent(peers: Peers, soon: None) -> None:
    left, right = Recorder(), Recorder(CheckHealth)
    one, other = peers.host(left), peers.host(right, node="node-1")
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(right.heard))
    with connect(other, peers) as slow:
        peers.turn(lambda: is_closed(slow))  # The time that others have is over.
    one.send(other.address, CheckHealth(2))
    peers.turn(lambda: len(right.heard) == 2)
    assert left.lost == right.lost == []


def test_of_many_that_prove_nothing_the_oldest_go(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(entrance, "_MOST", 5)
    role = Recorder(CheckHealth)
    host = peers.host(role)
    socks = [connect(host, peers) for _ in range(8)]
    try:
        peers.turn(lambda: sum(map(is_closed, socks)) == 3)
        assert [is_closed(sock) for sock in socks] == [True] * 3 + [False] * 5
        speaks(peers, host, role)
    finally:
        for sock in socks:
            sock.close()
    assert "more than 5 connections prove nothing" in caplog.text


def test_without_a_free_descriptor_nobody_spins_and_others_go_on(
    peers: Peers, few_descriptors: int, caplog: pytest.LogCaptureFixture
) -> None:
    left, right = Recorder(), Recorder(CheckHealth)
    one, other = peers.host(left), peers.host(right)
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(right.heard))
    with connect(other, peers) as waiting:
        taken = []
        with suppress(OSError):
            while len(taken) <= few_descriptors:
                taken.append(os.dup(waiting.fileno()))
        peers.turn(lambda: "nobody is let in for a moment" in caplog.text)
        one.send(other.address, CheckHealth(2))
        peers.turn(lambda: len(right.heard) == 2)
        assert caplog.text.count("nobody is let in for a moment") < 5
        for fd in taken:
            os.close(fd)
        waiting.sendall(b"who is there?" * 20)
        peers.turn(lambda: is_closed(waiting))
    assert left.lost == right.lost == []


@pytest.mark.parametrize("endpoint", ["", "nowhere", "127.0.0.1:none", "127.0.0.1:99999999"])
def test_an_address_that_is_none_is_a_lost_peer(peers: Peers, endpoint: str) -> None:
    left = Recorder()
    one = peers.host(left)
    nobody = Address(named_node_id("elsewhere"), WorkerId(bytes(28)), endpoint)
    one.send(nobody, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert left.lost == [nobody]


def test_a_flood_of_refusals_is_a_few_lines_of_the_log(
    peers: Peers, caplog: pytest.LogCaptureFixture
) -> None:
    role = Recorder(CheckHealth)
    host = peers.host(role)
    for number in range(3 * entrance.TOLD_EACH):
        with connect(host, peers, ("tcp", "unix")[number % 2]) as sock:
            sock.sendall(b"x" * 200)
            peers.turn(lambda sock=sock: is_closed(sock))
    told = [line for line in caplog.messages if "does not speak raysim's protocol" in line]
    assert len(told) == entrance.TOLD_EACH
    speaks(peers, host, role)


def test_refusals_that_the_log_was_not_told_are_counted_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Later:
        def __init__(self) -> None:
            self.due: list[Callable[[], None]] = []

        def add(self, _when_ns: int, callback: Callable[[], None]) -> None:
            self.due.append(callback)

    later: Any = Later()
    refusals = entrance.Refusals(later)
    for number in range(1_000):
        refusals.tell(logging.WARNING, f"no {number}")
    assert caplog.messages == [f"no {number}" for number in range(entrance.TOLD_EACH)]
    (end,) = later.due
    caplog.clear()
    end()
    assert caplog.messages == [f"refused {1_000 - entrance.TOLD_EACH} more within 60 s: see above"]
    refusals.tell(logging.WARNING, "once more")
    assert caplog.messages[-1] == "once more"
    assert len(later.due) == 2
    later.due[1]()
    assert caplog.messages[-1] == "once more", "None were left out."
