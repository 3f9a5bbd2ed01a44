"""Every port of a cluster, knocked at by who has no token, or no certificate: refused, and nothing is run.

A listener that stands in no table fails these tests: see ports.
"""

import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import cloudpickle
import pytest

from raysim.dashboard.app import all_routes
from raysim.dashboard.auth import COOKIE
from raysim.protocol.messages import CheckHealth
from raysim_cluster import handshake, wire
from tests.cluster.fuzz import storm
from tests.cluster.ports import (
    TCP,
    Running,
    hangs_up,
    heard_with,
    running_cluster,
    secured,
    showing,
    with_token,
)
from tests.unit.cluster.authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=["plain", "tls"])
def running(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
) -> Iterator[Running]:
    tls = authority.files() if request.param == "tls" else None
    with running_cluster(tmp_path_factory.mktemp("machine"), tls) as running:
        yield running


def frames(mark: Path) -> bytes:
    """Messages and a pickle that writes a file, for one who would load it."""

    class Harm:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return os.system, (f"touch {mark}",)

    return bytes(wire.encode([CheckHealth(1)])) * 20 + cloudpickle.dumps(Harm()) * 20


def test_without_the_token_every_port_refuses_and_runs_nothing(
    running: Running, tmp_path: Path
) -> None:
    mark = tmp_path / "was-run"
    ports = running.ports()
    assert {port.process for port in ports} == {*TCP, "unix"}
    for port in ports:
        encrypted = running.tls is not None and port.family == socket.AF_INET
        with port.connect() as sock:
            with suppress(ConnectionError):
                sock.sendall(frames(mark))
            heard = hangs_up(sock)
            assert len(heard) <= len(handshake.MAGIC) + handshake.NONCE_BYTES, str(port)
            assert not encrypted or not heard.startswith(handshake.MAGIC), str(port)
        with secured(running.tls, port) as sock:
            assert heard_with(port, sock, b"another token", frames(mark)) == b"", str(port)
    assert not mark.exists()


def test_without_the_token_the_dashboard_answers_no_route(running: Running, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    for sock in (running.dashboard().connect(), secured(running.tls, running.dashboard())):
        with sock:
            sock.sendall(frames(mark))
            assert hangs_up(sock).startswith(b"HTTP/1.1 400 ")
    for route in all_routes():
        for headers in ({}, {"Authorization": "Bearer another"}, {"Cookie": f"{COOKIE}=another"}):
            asked = running.ask_dashboard()
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            asked.request(route.method, path, headers=headers)
            with closing(asked), asked.getresponse() as answer:
                assert answer.status in (401, 403), (route.method, path, answer.read())
    assert not mark.exists()


def test_with_the_token_and_another_certificate_every_port_refuses(
    running: Running, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if running.tls is None:
        pytest.skip("this one has no certificates")
    token = (Path(running.machine.environment["HOME"]) / ".raysim/auth_token").read_bytes().strip()
    other = Authority(tmp_path_factory.mktemp("other"))
    foreign, over = other.files(), None
    ports = [port for port in running.ports() if port.family == socket.AF_INET]
    assert {port.process for port in ports} == set(TCP)
    for port in ports:
        for files in (foreign, over):
            context = showing(running.tls, files)
            with (
                port.connect() as sock,
                context.wrap_socket(sock, server_hostname="127.0.0.1") as safe,
                pytest.raises(OSError, match=r"(?i)unknown.ca|certificate.required|reset|hung up"),
            ):
                with_token(port, safe, token)
    bearer = {"Authorization": f"Bearer {token.decode()}"}
    with closing(running.ask_dashboard()) as asked:
        asked.request("GET", "/api/version", headers=bearer)
        assert asked.getresponse().status == 200
    for files in (foreign, over):
        sock = running.dashboard().connect()
        with showing(running.tls, files).wrap_socket(sock, server_hostname="127.0.0.1") as safe:
            heard = b""
            with suppress(ConnectionError, ssl.SSLError):
                safe.sendall(b"GET /api/version HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                safe.sendall(b"Authorization: Bearer %b\r\n\r\n" % token)
                heard = safe.recv(1)
            assert heard == b""


KNOCK = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for kind, name in zip(sys.argv[1::2], sys.argv[2::2]):
    sock = socket.socket(socket.AF_UNIX, int(kind))
    sock.settimeout(20)
    sock.connect("\\0" + name)
    try:
        heard, fds, _, _ = socket.recv_fds(sock, 65536, 4)
    except ConnectionError:
        heard, fds = b"", []
    print(name, len(heard), len(fds), flush=True)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_of_this_machine_is_told_nothing(running: Running) -> None:
    sockets = list(running.sockets())
    assert any(kind == socket.SOCK_SEQPACKET for _, kind in sockets), "the door"
    arguments = [part for name, kind in sockets for part in (str(kind), name)]
    knocked = subprocess.run(
        [sys.executable, "-I", "-c", KNOCK, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd="/",
    )
    assert knocked.stdout.splitlines() == [f"{name} 0 0" for name, _ in sockets]


def test_who_connects_everywhere_and_says_nothing_keeps_nobody_out(running: Running) -> None:
    socks = [port.connect() for port in running.ports() for _ in range(5)]
    try:
        running.assert_right()
    finally:
        for sock in socks:
            sock.close()


def test_a_storm_of_malformed_frames_changes_nothing(running: Running) -> None:
    """A short one: `make fuzz` sends a million."""
    seen = storm(running, 300, Random(1))
    assert seen.frames == 300
    assert seen.refused_logged < 200
