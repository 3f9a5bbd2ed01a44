"""What a node learns that knows `host:port` and the token, and how it is refused."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

import raysim
from raysim.config import Config
from raysim.exceptions import AuthenticationError
from raysim.protocol.process import Process
from raysim_cluster.host import LoopHost
from raysim_cluster.joining import GATE, Gate, check_versions, find_cluster
from tests.unit.cluster.peers import Peers, Recorder


@pytest.fixture
def peers() -> Iterator[Peers]:
    made = Peers()
    yield made
    made.close()


@pytest.fixture
def head(peers: Peers) -> LoopHost:
    host = peers.host(Recorder())
    host.transport.gate = GATE
    config = Config(max_spillback_hops=3)
    gate = Gate(host.send, peers.session.session_id, host.address, config, 7)
    host.attach(Process([gate]))
    return host


def while_turning(peers: Peers, ask: Callable[[], object]) -> object:
    """The answer, or the error."""
    answers: list[object] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # noqa: BLE001  (it is looked at)
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    peers.turn(lambda: bool(answers), limit=20_000)
    thread.join()
    return answers[0]


def test_who_knows_the_token_learns_which_cluster_it_is(peers: Peers, head: LoopHost) -> None:
    token, endpoint = peers.session.token, head.address.endpoint
    for _ in range(2):
        found = while_turning(peers, lambda: find_cluster(endpoint, token))
        assert (found.session_id, found.gcs) == (peers.session.session_id, head.address)
        assert (found.config.max_spillback_hops, found.seed) == (3, 7)
    for _ in range(20):
        peers.turn_once()
    assert head.transport.links() == []


def test_who_does_not_know_the_token_learns_nothing(peers: Peers, head: LoopHost) -> None:
    endpoint = head.address.endpoint
    error = while_turning(peers, lambda: find_cluster(endpoint, b"wrong"))
    assert isinstance(error, AuthenticationError)
    assert endpoint in str(error)


def test_a_process_that_is_no_head_says_so(peers: Peers) -> None:
    endpoint = peers.host(Recorder()).address.endpoint
    error = while_turning(peers, lambda: find_cluster(endpoint, peers.session.token))
    assert isinstance(error, ConnectionError)
    assert "No head of a cluster is at" in str(error)


def test_nobody_there_is_a_connection_error_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionError, match="Start its head there with: raysim start --head"):
        find_cluster(f"127.0.0.1:{port}", b"t")


@pytest.mark.parametrize("address", ["nowhere", ":1", "host:port", "host:"])
def test_an_address_is_host_and_port(address: str) -> None:
    with pytest.raises(ValueError, match="write it as HOST:PORT"):
        find_cluster(address, b"t")


@pytest.mark.parametrize(("version", "python"), [("0.0.9", "3.11.2"), (None, "2.7.18")])
def test_another_version_is_refused_by_naming_both(version: str | None, python: str) -> None:
    theirs = version or raysim.__version__
    with pytest.raises(RuntimeError, match="Use the same version") as caught:
        check_versions("The cluster at h:1", theirs, python)
    assert f"runs raysim {theirs} on Python {python}" in str(caught.value)
    assert f"this is raysim {raysim.__version__} on Python " in str(caught.value)
