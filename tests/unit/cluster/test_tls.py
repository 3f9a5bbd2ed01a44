"""Connections between nodes that are encrypted: who is refused, on which side, in which words."""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import pytest

from raysim.config import Config
from raysim.exceptions import AuthenticationError
from raysim.protocol.messages import CheckHealth
from raysim.protocol.process import Process
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim.spec.tls import TlsFiles
from raysim_cluster import handshake
from raysim_cluster.certificates import Certificates, shown
from raysim_cluster.host import LoopHost
from raysim_cluster.joining import GATE, Gate, find_cluster
from raysim_cluster.link import Scratch
from raysim_cluster.poller import WRITE, Poller
from raysim_cluster.session import Session
from raysim_cluster.tls_files import RAY_VARIABLES, VARIABLES, CertificateError, find_tls
from raysim_cluster.tls_link import TlsLink
from tests.unit.cluster.authority import Authority
from tests.unit.cluster.peers import Peers, Recorder
from tests.unit.cluster.test_joining import while_turning

TLS = pytest.mark.parametrize("peers", ["tls"], indirect=True)


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"))


WRONG: dict[str, tuple[Callable[[Authority, Authority], TlsFiles], str]] = {
    "another authority's": (
        lambda ours, other: other.files(trusts=ours),
        "does not know the authority of our certificate",
    ),
    "over": (lambda ours, _: ours.files(over=True), "our certificate has expired"),
    "early": (lambda ours, _: ours.files(early=True), "refuses our certificate"),
}
"""Certificates of who connects, and what it is told of them."""


def with_tls(peers: Peers, tls: TlsFiles | None) -> Session:
    """Of one that knows the token."""
    return Session(peers.session.session_id, peers.session.token, tls=tls)


@TLS
@pytest.mark.parametrize("which", WRONG)
def test_a_wrong_certificate_is_refused_and_nothing_of_it_is_read(
    peers: Peers,
    which: str,
    authority: Authority,
    other_authority: Authority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make, told = WRONG[which]
    caplog.set_level("INFO", "raysim_cluster")
    left, right = Recorder(), Recorder(CheckHealth)
    other = peers.host(right, node="node-1")
    one = peers.host(left, session=with_tls(peers, make(authority, other_authority)))
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert left.lost == [other.address]
    assert right.heard == []
    assert told in caplog.text
    peers.turn(lambda: "refused a connection" in caplog.text)
    assert "a certificate that is refused here" in caplog.text


LISTENERS: dict[str, tuple[Callable[[Authority, Authority], TlsFiles], str]] = {
    "another authority's": (
        lambda ours, other: other.files(trusts=ours),
        "has to be of the authority given here as --tls-ca",
    ),
    "over": (lambda ours, _: ours.files(over=True), "certificate has expired. Make another"),
    "early": (lambda ours, _: ours.files(early=True), "not yet valid. Look at both clocks"),
    "of another address": (
        lambda ours, _: ours.files("10.1.2.3", "elsewhere"),
        "IP address mismatch, certificate is not valid for '127.0.0.1'. Make one that names",
    ),
}


@TLS
@pytest.mark.parametrize("which", LISTENERS)
def test_nothing_is_said_to_who_listens_with_a_wrong_certificate(
    peers: Peers,
    which: str,
    authority: Authority,
    other_authority: Authority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make, told = LISTENERS[which]
    caplog.set_level("INFO", "raysim_cluster")
    left, right = Recorder(), Recorder(CheckHealth)
    one = peers.host(left)
    session = with_tls(peers, make(authority, other_authority))
    other = peers.host(right, node="node-1", session=session)
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert right.heard == []
    assert told in caplog.text


def stranger(host: LoopHost) -> socket.socket:
    name, _, port = host.address.endpoint.partition(":")
    return socket.create_connection((name, int(port)))


@TLS
def test_without_a_certificate_nobody_comes_in(
    peers: Peers, tls_files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    host = peers.host(Recorder(CheckHealth))
    context = ssl.create_default_context(cafile=tls_files.ca)

    def ask() -> object:
        with (
            stranger(host) as sock,
            context.wrap_socket(sock, server_hostname="127.0.0.1") as tls,
        ):
            return tls.recv(100)

    error = while_turning(peers, ask)
    assert isinstance(error, ssl.SSLError)
    assert "certificate required" in str(error).lower()
    assert "a peer showed no certificate" in caplog.text


@TLS
@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n", handshake.MAGIC + bytes(200), b"\x16\x03\x01\xff\xff" + bytes(300)],
    ids=["http", "ours without TLS", "half of a hello"],
)
def test_who_does_not_speak_tls_is_refused(
    peers: Peers, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    host = peers.host(Recorder(CheckHealth))
    with stranger(host) as sock:
        sock.sendall(said)
        peers.turn(lambda: "refused a connection: a peer" in caplog.text)


def test_without_tls_here_a_peer_that_speaks_it_is_refused(
    peers: Peers, tls_files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    left, right = Recorder(), Recorder(CheckHealth)
    caplog.set_level("INFO", "raysim_cluster")
    other = peers.host(right, node="node-1")
    one = peers.host(left, session=with_tls(peers, tls_files))
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    assert right.heard == []
    assert "127.0.0.1 does not speak TLS" in caplog.text


@TLS
def test_a_socket_that_is_shut_down_is_not_read_as_it_is(peers: Peers) -> None:
    """What has come is still encrypted."""
    left, right = Recorder(), Recorder(CheckHealth)
    one, other = peers.host(left), peers.host(right, node="node-1")
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(right.heard))
    for number in range(2, 50):
        one.send(other.address, CheckHealth(number))
        one.settle()
    (link,) = other.transport.links()
    link.sock.shutdown(socket.SHUT_RDWR)
    peers.turn(lambda: len(right.heard) == 49)
    assert right.messages() == [CheckHealth(number) for number in range(1, 50)]
    assert left.lost == right.lost == []


# --- one question, by who would join --------------------------------------------------------------


@pytest.fixture
def head(peers: Peers) -> LoopHost:
    host = peers.host(Recorder())
    host.transport.gate = GATE
    gate = Gate(host.send, peers.session.session_id, host.address, Config(), 7)
    host.attach(Process([gate]))
    return host


@TLS
def test_who_would_join_asks_over_tls(peers: Peers, head: LoopHost, authority: Authority) -> None:
    token, endpoint = peers.session.token, head.address.endpoint
    found = while_turning(peers, lambda: find_cluster(endpoint, token, authority.files()))
    assert found.session_id == peers.session.session_id


@TLS
@pytest.mark.parametrize("which", WRONG)
def test_who_would_join_with_a_wrong_certificate_is_told_so(
    peers: Peers, head: LoopHost, which: str, authority: Authority, other_authority: Authority
) -> None:
    make, told = WRONG[which]
    token, endpoint = peers.session.token, head.address.endpoint
    files = make(authority, other_authority)
    error = while_turning(peers, lambda: find_cluster(endpoint, token, files))
    assert isinstance(error, AuthenticationError)
    assert f"{endpoint} " in str(error)
    assert told in str(error)


@TLS
def test_who_would_join_looks_at_the_head_s_certificate_first(
    peers: Peers, head: LoopHost, other_authority: Authority
) -> None:
    token, endpoint = peers.session.token, head.address.endpoint
    error = while_turning(peers, lambda: find_cluster(endpoint, token, other_authority.files()))
    assert isinstance(error, AuthenticationError)
    assert "has to be of the authority given here as --tls-ca" in str(error)


def test_who_would_join_a_cluster_without_tls_is_told_so(
    peers: Peers, head: LoopHost, tls_files: TlsFiles
) -> None:
    token, endpoint = peers.session.token, head.address.endpoint
    error = while_turning(peers, lambda: find_cluster(endpoint, token, tls_files))
    assert isinstance(error, AuthenticationError)
    assert "does not speak TLS" in str(error)


# --- files --------------------------------------------------------------------------------------


@TLS
def test_files_that_are_replaced_are_what_the_next_connection_shows(
    peers: Peers, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "raysim_cluster")
    old, new = authority.files(over=True), authority.files()
    mine = TlsFiles(str(tmp_path / "cert"), str(tmp_path / "key"), old.ca)
    copy(old.cert, mine.cert)
    copy(old.key, mine.key)
    left, right = Recorder(), Recorder(CheckHealth)
    one = peers.host(left)
    other = peers.host(right, node="node-1", session=with_tls(peers, mine))
    one.send(other.address, CheckHealth(1))
    peers.turn(lambda: bool(left.lost))
    copy(new.cert, mine.cert)
    one.send(other.address, CheckHealth(2))  # The key is still the old one's.
    peers.turn(lambda: len(left.lost) == 2)
    assert "the certificates read before are used on" in caplog.text
    copy(new.key, mine.key)
    one.send(other.address, CheckHealth(3))
    peers.turn(lambda: bool(right.heard))
    assert right.messages() == [CheckHealth(3)]


def test_variables_name_the_files_ours_before_ray_s() -> None:
    ours = dict(zip(VARIABLES, ("a", "b", "c"), strict=True))
    rays = dict(zip(RAY_VARIABLES, ("/x", "/y", "/z"), strict=True))
    assert find_tls({}) is None
    assert find_tls(rays) is None
    assert find_tls({**rays, "RAY_USE_TLS": "0"}) is None
    assert find_tls({**rays, "RAY_USE_TLS": "1"}) == TlsFiles("/x", "/y", "/z")
    assert find_tls({**ours, **rays, "RAY_USE_TLS": "1"}) == TlsFiles(
        *map(os.path.abspath, ("a", "b", "c"))
    )


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({VARIABLES[0]: "a"}, f"{VARIABLES[1]}, {VARIABLES[2]}"),
        ({"RAY_USE_TLS": "1"}, ", ".join(RAY_VARIABLES)),
    ],
)
def test_some_of_the_variables_are_not_enough(environment: dict[str, str], missing: str) -> None:
    with pytest.raises(CertificateError, match=f"Set {missing}"):
        find_tls(environment)


@pytest.mark.parametrize("broken", ["cert", "key", "ca", "another key", "missing"])
def test_files_that_do_not_do_are_named(authority: Authority, tmp_path: Path, broken: str) -> None:
    good = authority.files()
    text = tmp_path / "text"
    text.write_text("no certificate")
    parts = {"cert": good.cert, "key": good.key, "ca": good.ca}
    if broken == "another key":
        parts["key"] = named = authority.files().key
    elif broken == "missing":
        parts["cert"] = named = str(tmp_path / "none")
    else:
        parts[broken] = named = str(text)
    with pytest.raises(CertificateError) as caught:
        Certificates(TlsFiles(**parts))
    assert named in str(caught.value)


def test_what_peers_would_be_shown_is_known_before(
    authority: Authority, other_authority: Authority
) -> None:
    assert "notAfter" in shown(authority.files(), "127.0.0.1")
    assert "notAfter" in shown(authority.files("10.1.2.3"))
    with pytest.raises(CertificateError, match=r"not valid for '127\.0\.0\.1'"):
        shown(authority.files("10.1.2.3"), "127.0.0.1")
    with pytest.raises(CertificateError, match="has expired"):
        shown(authority.files(over=True))
    with pytest.raises(CertificateError, match="the authority given here"):
        shown(other_authority.files(trusts=authority))


def test_an_event_before_the_connection_is_none(tls_files: TlsFiles) -> None:
    """Another thread may have polled it, of a socket that had the descriptor before."""
    poller, ended = Poller(), []
    with socket.socket() as full, socket.socket() as queued:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # So many wait to be accepted that the next one is not connected.
        queued.connect(full.getsockname())
        name, port = full.getsockname()
        sock = socket.socket()
        sock.setblocking(False)
        assert sock.connect_ex((name, port)) == errno.EINPROGRESS
        link = TlsLink(
            sock,
            poller,
            Scratch(),
            context=Certificates(tls_files).client(),
            host=name,
            opened=lambda link: None,
            deliver=lambda sender, messages: None,
            closed=lambda link, reason: ended.append(reason),
        )
        me = Address(NodeId(bytes(28)), WorkerId(bytes(28)), "")
        link.begin(handshake.connect(b"t", me, me, True, link.write_raw))
        poller.handle([(sock.fileno(), WRITE)])
        assert ended == []
        link.close("the test ends")
    poller.close()


def test_a_name_that_all_certificates_have_stands_for_the_addresses(authority: Authority) -> None:
    made = authority.files("nodes.example")
    cert, key, ca = made.cert, made.key, made.ca
    peers = Peers(TlsFiles(cert, key, ca, "nodes.example"))
    try:
        right = Recorder(CheckHealth)
        one, other = peers.host(Recorder()), peers.host(right, node="node-1")
        one.send(other.address, CheckHealth(1))
        peers.turn(lambda: bool(right.heard))
    finally:
        peers.close()
    assert "notAfter" in shown(TlsFiles(cert, key, ca, "nodes.example"), "127.0.0.1")
    with pytest.raises(CertificateError, match="not valid for 'another'"):
        shown(TlsFiles(cert, key, ca, "another"), "127.0.0.1")
    named = dict(zip(VARIABLES, (cert, key, ca), strict=True))
    assert find_tls({**named, "RAYSIM_TLS_NAME": "n"}) == TlsFiles(cert, key, ca, "n")
