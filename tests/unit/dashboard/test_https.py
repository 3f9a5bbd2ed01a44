"""Connections to a dashboard over TLS: what comes through to HTTP, and what is refused, in which words."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import copy

import pytest

from raysim.dashboard import https
from raysim.dashboard.https import Front
from raysim.spec.tls import TlsFiles
from raysim_cluster.certificates import Certificates
from tests.unit.cluster.authority import Authority

PATIENCE_S = 20.0


class Echo(asyncio.Protocol):
    """Stands for what speaks HTTP: says back what it hears."""

    reached = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        Echo.reached += 1
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Port:
    """A front, on a thread of its own."""

    def __init__(self, certificates: Certificates) -> None:
        Echo.reached = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._front = Front(self.listener, certificates.server, Echo)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._task = self._loop.create_task(self._front.run())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self.listener.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname(), PATIENCE_S)

    def safe(
        self,
        ca: str,
        shown: TlsFiles | None = None,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> ssl.SSLSocket:
        """Raises OSError where it is refused."""
        context = ssl.create_default_context(cafile=ca)
        context.maximum_version = version
        if shown is not None:
            context.load_cert_chain(shown.cert, shown.key)
        return context.wrap_socket(self.connect(), server_hostname="127.0.0.1")


def said_back(sock: socket.socket) -> bytes:
    """Raises OSError where it is hung up on."""
    sock.sendall(b"well?")
    return sock.recv(100)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"))


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    return authority.files()


@pytest.fixture
def port(files: TlsFiles) -> Iterator[Port]:
    port = Port(Certificates(files, mutual=False))
    yield port
    port.close()


@pytest.fixture
def mutual(files: TlsFiles) -> Iterator[Port]:
    port = Port(Certificates(files))
    yield port
    port.close()


def test_who_has_no_certificate_comes_in_unless_one_is_wanted(port: Port, files: TlsFiles) -> None:
    with port.safe(files.ca) as sock:
        assert said_back(sock) == b"well?"
        assert sock.version() == "TLSv1.3"


@pytest.mark.parametrize("which", ["none", "another authority's", "over"])
def test_where_one_is_wanted_who_shows_none_that_does_is_not_heard(
    mutual: Port, files: TlsFiles, authority: Authority, other_authority: Authority, which: str
) -> None:
    shown = {"another authority's": other_authority.files(), "over": authority.files(over=True)}
    heard = b""
    with (
        suppress(ConnectionError, ssl.SSLError),
        mutual.safe(files.ca, shown.get(which)) as sock,
    ):
        heard = said_back(sock)
    assert heard == b""
    assert Echo.reached == 0
    with mutual.safe(files.ca, authority.files()) as sock:
        assert said_back(sock) == b"well?"
    assert Echo.reached == 1


def test_an_old_version_of_tls_is_refused(port: Port, files: TlsFiles) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        port.safe(files.ca, version=ssl.TLSVersion.TLSv1_2)
    assert Echo.reached == 0


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 50_000])
def test_who_does_not_speak_tls_is_told_so(port: Port, said: bytes) -> None:
    with port.connect() as sock:
        sock.sendall(said)
        heard = b""
        while data := sock.recv(65_536):
            heard += data
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in head
    assert body == b"This port speaks HTTPS: ask it under https:// instead of http://.\n"
    assert Echo.reached == 0


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"])
def test_who_says_nothing_more_is_hung_up_on(
    files: TlsFiles, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "HANDSHAKE_S", 0.1)
    port = Port(Certificates(files, mutual=False))
    try:
        with port.connect() as sock:
            sock.sendall(said)
            assert sock.recv(100) == b""
        with port.connect():
            pass  # It hangs up itself.
        with port.safe(files.ca) as safe:
            assert said_back(safe) == b"well?"
    finally:
        port.close()


def test_who_says_nothing_keeps_nobody_waiting(port: Port, files: TlsFiles) -> None:
    silent = [port.connect() for _ in range(50)]
    with port.safe(files.ca) as sock:
        assert said_back(sock) == b"well?"
    for one in silent:
        one.close()


def test_files_that_are_replaced_are_what_the_next_connection_shows(
    authority: Authority, other_authority: Authority, tmp_path: Path
) -> None:
    old, new = authority.files(), other_authority.files()
    mine = TlsFiles(*(str(tmp_path / name) for name in ("cert", "key", "ca")))
    for name in ("cert", "key", "ca"):
        copy(getattr(old, name), getattr(mine, name))
    port = Port(Certificates(mine, mutual=False))
    try:
        with port.safe(old.ca) as before:
            assert said_back(before) == b"well?"
            for name in ("cert", "key", "ca"):
                copy(getattr(new, name), getattr(mine, name))
            with port.safe(new.ca) as after:
                assert said_back(after) == b"well?"
            with pytest.raises(ssl.SSLCertVerificationError):
                port.safe(old.ca)
            assert said_back(before) == b"well?"
    finally:
        port.close()


def test_the_log_is_told_of_some_refusals_and_of_their_number(
    files: TlsFiles, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        front = Front(listener, Certificates(files, mutual=False).server, Echo)
        for _ in range(5):
            front.tell(OSError("no TLS"))
        monkeypatch.setattr(https, "_TOLD_S", 0.0)
        front.tell(OSError("no TLS"))
    assert [record.getMessage() for record in caplog.records] == [
        "refused a connection: no TLS",
        "refused a connection: no TLS (4 others before)",
    ]
