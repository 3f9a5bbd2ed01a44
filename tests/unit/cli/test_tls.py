"""`raysim tls make`: certificates that nodes can use, in files that nobody else can read."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from raysim.cli.main import run_command
from raysim.dashboard.activation import check_host
from raysim.spec.tls import TlsFiles
from raysim_cluster.certificates import shown
from raysim_cluster.tls_files import VARIABLES, CertificateError


def files_in(folder: Path) -> TlsFiles:
    return TlsFiles(*(str(folder / f"{name}.pem") for name in ("cert", "key", "ca")))


def test_what_it_makes_will_do_for_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "tls"
    assert run_command(["tls", "make", str(folder)]) == 0
    for host in ("127.0.0.1", "localhost"):
        assert ("IP Address", "127.0.0.1") in shown(files_in(folder), host)["subjectAltName"]
    said = capsys.readouterr().out
    assert f"raysim start --head --tls-cert {folder}/cert.pem --tls-key {folder}/key.pem" in said
    assert f"RAYSIM_TLS_CA_CERT={folder}/ca.pem" in said
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert sorted(file.name for file in folder.iterdir()) == [
        "ca-key.pem",
        "ca.pem",
        "cert.pem",
        "key.pem",
    ]


def test_another_one_is_of_the_same_authority_and_of_the_named_addresses(tmp_path: Path) -> None:
    assert run_command(["tls", "make", str(tmp_path)]) == 0
    before = (tmp_path / "ca.pem").read_bytes()
    other = ("--host", "10.0.0.5", "--host", "localhost", "--days", "3")
    assert run_command(["tls", "make", str(tmp_path), *other]) == 0
    assert (tmp_path / "ca.pem").read_bytes() == before
    names = shown(files_in(tmp_path), "10.0.0.5")["subjectAltName"]
    assert names == (
        ("IP Address", "10.0.0.5"),
        ("DNS", "localhost"),
        ("IP Address", "127.0.0.1"),
    )
    with pytest.raises(CertificateError, match="address mismatch"):
        shown(files_in(tmp_path), "10.0.0.6")


@pytest.mark.parametrize("missing", ["ca.pem", "ca-key.pem"])
def test_half_of_an_authority_is_not_replaced(
    tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["tls", "make", str(tmp_path)]) == 0
    (tmp_path / missing).unlink()
    assert run_command(["tls", "make", str(tmp_path)]) == 2
    assert f"{tmp_path / missing} is missing" in capsys.readouterr().err


def test_a_name_that_has_no_address_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["tls", "make", str(tmp_path / "x"), "--host", "no such name"]) == 2
    assert "has no address here" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_what_is_asked_at_the_nodes_own_machine_is_named_in_any_case(tmp_path: Path) -> None:
    """A dashboard is there, and a tunnel to one ends there."""
    assert run_command(["tls", "make", str(tmp_path), "--host", "10.0.0.5"]) == 0
    for host in ("10.0.0.5", "127.0.0.1", "localhost"):
        assert shown(files_in(tmp_path), host)


def test_a_name_of_all_nodes_needs_no_address(tmp_path: Path) -> None:
    asked = ("--name", "nodes.invalid", "--host", "10.0.0.5")
    assert run_command(["tls", "make", str(tmp_path), *asked]) == 0
    for host in ("nodes.invalid", "10.0.0.5"):
        assert ("DNS", "nodes.invalid") in shown(files_in(tmp_path), host)["subjectAltName"]


def test_a_dashboard_s_certificates_are_wanted_only_where_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a process of its own: the one that blocks becomes the node, which would be this one."""
    for name in (*VARIABLES, "RAY_USE_TLS"):
        monkeypatch.delenv(name, raising=False)
    command = ["start", "--head", "--block", "--port", "0", "--dashboard-client-certs"]
    ended = subprocess.run(
        [sys.executable, "-m", "raysim", *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2
    assert "--dashboard-client-certs needs TLS" in ended.stderr


def test_a_dashboard_beyond_the_machine_wants_tls_or_its_leave() -> None:
    with pytest.raises(ValueError, match="--allow-plaintext"):
        check_host("0.0.0.0", allowed=False)
    check_host("0.0.0.0", allowed=True)
    check_host("127.0.0.1", allowed=False)
