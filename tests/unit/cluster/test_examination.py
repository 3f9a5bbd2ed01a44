"""What `raysim doctor` finds in a machine, from facts of machines that are not this one."""

import os
import resource
import socket
import stat
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from raysim.services import Finding
from raysim.spec.tls import TlsFiles
from raysim_cluster import examination as doctor
from raysim_cluster.door import Entry
from raysim_cluster.tls_files import VARIABLES
from tests.unit.cluster.authority import Authority

GIB = 1 << 30
REQUIRED = [
    "click>=8.1",
    "msgspec>=0.19",
    "psutil>=6.0; extra == 'cluster'",
    'x>=9; extra == "ray"',
]


def versions(**installed: str):
    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    return version


def test_packages_that_are_there_are_one_finding() -> None:
    have = versions(click="8.10.1", msgspec="0.19", psutil="6.1")
    (found,) = doctor.of_packages(lambda _: REQUIRED, have)
    assert (found.verdict, found.found) == ("ok", "click 8.10.1, msgspec 0.19, psutil 6.1")


def test_packages_that_are_old_or_missing_come_with_what_installs_them() -> None:
    have = versions(click="8.0.9", msgspec="0.20")
    old, missing, good = doctor.of_packages(lambda _: REQUIRED, have)
    assert (old.verdict, old.remedy) == ("wrong", "pip install 'click>=8.1'")
    assert old.found == "click is 8.0.9, older than 8.1"
    assert (missing.verdict, missing.remedy) == ("wrong", "pip install 'psutil>=6.0'")
    assert good.verdict == "ok"


def test_a_folder_that_is_not_installed_is_no_mistake() -> None:
    def requires(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    (found,) = doctor.of_packages(requires, versions())
    assert (found.verdict, found.remedy) == ("note", "pip install 'raysim-core[cluster]'")


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (doctor.of_files(resource.RLIM_INFINITY), "ok"),
        (doctor.of_files(4_096), "ok"),
        (doctor.of_files(1_024), "note"),
        (doctor.of_files(256), "wrong"),
        (doctor.of_memory(4 * GIB, 16 * GIB), "ok"),
        (doctor.of_memory(15 * GIB + GIB // 2, 16 * GIB), "note"),
        (doctor.of_memory(16 * GIB, 16 * GIB), "wrong"),
        (doctor.of_disk(Path("/tmp"), 100, 94), "ok"),
        (doctor.of_disk(Path("/tmp"), 100, 95), "wrong"),
        (doctor.of_clock(2e9, 1e9, 0), "ok"),
        (doctor.of_clock(2e9, 1e9, 5), "note"),
        (doctor.of_clock(1e9, 2e9, 0), "wrong"),
    ],
)
def test_limits(finding: doctor.Finding, verdict: str) -> None:
    assert finding.verdict == verdict
    assert bool(finding.remedy) is (verdict != "ok")


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith(("RAYSIM_AUTH", "RAY_AUTH")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".raysim" / "auth_token"


def test_a_token_that_others_may_read_is_wrong_and_chmod_helps(token: Path) -> None:
    assert doctor.of_token().found.startswith("none yet")
    token.parent.mkdir()
    token.write_text("secret\n")
    token.chmod(0o644)
    found = doctor.of_token()
    assert (found.verdict, found.remedy) == ("wrong", f"Run: chmod 600 {token}")
    token.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert doctor.of_token() == doctor.Finding("token", "ok", f"in {token}")
    token.write_text("")
    assert (doctor.of_token().verdict, bool(doctor.of_token().remedy)) == ("wrong", True)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_a_port_is_the_own_head_s_or_somebody_else_s(taken: int) -> None:
    found = doctor.of_port(taken, [])
    assert (found.verdict, "another with --port" in found.remedy) == ("wrong", True)
    own = Entry("door", 7, f"127.0.0.1:{taken}", True)
    assert doctor.of_port(taken, [own]).found == f"{taken} is your head's, process 7"


def test_a_cluster_that_cannot_be_joined_is_wrong(token: Path, taken: int) -> None:
    assert doctor.of_cluster("127.0.0.1:1").found.startswith("There is no token")
    token.parent.mkdir()
    token.write_text("secret\n")
    token.chmod(0o600)
    nobody = doctor.of_cluster("127.0.0.1:1")
    assert nobody.verdict == "wrong"
    assert nobody.remedy == "Start its head there with: raysim start --head"
    assert doctor.of_cluster("nowhere").verdict == "wrong"


def test_only_folders_of_sessions_that_ended_are_left_over(tmp_path: Path) -> None:
    ended, running, joined = "00" * 8, "11" * 8, "22" * 8
    names = (
        f"raysim-{ended}",
        f"raysim-{running}",
        f"raysim-{joined}-{'ab' * 6}",
        "raysim-nodes-0",
        "raysim-notes",
    )
    for name in names:
        (tmp_path / name).mkdir()
    sockets = f"@raysim-{running}-door-abcd\n"
    now = (tmp_path / names[0]).stat().st_mtime
    assert list(doctor.of_sessions(tmp_path, sockets, now + 1)) == []
    found = list(doctor.of_sessions(tmp_path, sockets, now + 600))
    left = [tmp_path / names[0], tmp_path / names[2]]
    assert [one.remedy for one in found] == [f"rm -r {folder}" for folder in left]
    assert {one.verdict for one in found} == {"note"}


def findings_of(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    for name, path in zip(VARIABLES, (files.cert, files.key, files.ca), strict=True):
        monkeypatch.setenv(name, path)
    return list(doctor.of_certificates(time.time()))


def test_certificates_are_looked_at_as_a_peer_would(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(doctor.of_certificates(time.time())) == []
    (soon,) = findings_of(authority.files("10.0.0.9"), monkeypatch)
    assert (soon.verdict, soon.check) == ("note", "certificates")
    assert "is for 10.0.0.9, and for 30 more days" in soon.found
    (over,) = findings_of(authority.files(over=True), monkeypatch)
    assert (over.verdict, "has expired" in over.found) == ("wrong", True)
    half = authority.files()
    (other,) = findings_of(TlsFiles(half.cert, authority.files().key, half.ca), monkeypatch)
    assert (other.verdict, "key values mismatch" in other.found) == ("wrong", True)
    monkeypatch.delenv(VARIABLES[1])
    (some,) = doctor.of_certificates(time.time())
    assert (some.verdict, some.remedy) == ("wrong", f"Set {VARIABLES[1]}.")


def test_a_key_that_others_may_read_is_wrong(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = authority.files()
    os.chmod(files.key, 0o640)
    *_, found = findings_of(files, monkeypatch)
    assert (found.verdict, found.remedy) == ("wrong", f"chmod 600 {files.key}")
