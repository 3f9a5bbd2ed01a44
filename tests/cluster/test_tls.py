"""Clusters of `raysim start` whose nodes speak TLS: programs notice nothing, and who has no certificate is told so."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysim.spec.tls import TlsFiles
from raysim_cluster import handshake
from tests.cluster.started import Machine
from tests.unit.cluster.authority import Authority


def options(files: TlsFiles) -> tuple[str, ...]:
    return "--tls-cert", files.cert, "--tls-key", files.key, "--tls-ca", files.ca


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Machine]:
    """With a head of certificates made by `raysim tls make`, and a node that trusts its authority."""
    folder = tmp_path_factory.mktemp("machine")
    with Machine(folder) as machine:
        made = machine.raysim("tls", "make", str(folder / "tls"))
        said = re.search(r"(--tls-cert .*)", made.stdout)
        assert said, made.stderr
        machine.start_head("--num-cpus", "1", *said[1].split())
        files = TlsFiles(*(str(folder / "tls" / f"{name}.pem") for name in ("cert", "key", "ca")))
        machine.join(
            machine.address, "--num-cpus", "1", "--resources", '{"other": 1}', *options(files)
        )
        yield machine
        assert machine.raysim("stop").returncode == 0


def test_programs_notice_nothing(machine: Machine) -> None:
    """Large objects go from node to node, and actors are called there."""
    with machine.program(
        """
ray.init(address="auto")
@ray.remote(resources={"other": 1}, num_cpus=0)
def there(data): return bytes(reversed(data)), ray.get_runtime_context().get_node_id()
@ray.remote
def here(data): return ray.get_runtime_context().get_node_id()
data = os.urandom(12_000_000)
kept = Keeper.options(resources={"other": 1}, num_cpus=0).remote()
tell([ray.get(kept.call.remote())[0] for _ in range(3)])
del kept
back, node = ray.get(there.remote(ray.put(data)))
tell([back == bytes(reversed(data)), node])
tell(len(set(ray.get([there.remote(b"") for _ in range(50)], timeout=60))))
"""
    ) as program:
        assert program.told() == [1, 2, 3]
        same, _ = program.told()
        assert same
        assert program.told() == 1
        program.end()
    assert len(machine.status()["nodes"]) == 2


def test_nothing_between_nodes_can_be_read(machine: Machine) -> None:
    """Whoever connects is told nothing before TLS."""
    host, _, port = machine.address.partition(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(len(handshake.MAGIC))


def test_who_would_join_is_told_what_is_wrong_with_its_certificate(
    machine: Machine, authority: Authority
) -> None:
    foreign = machine.raysim("start", "--address", machine.address, *options(authority.files()))
    assert foreign.returncode == 1
    assert "It has to be of the authority given here as --tls-ca" in foreign.stderr
    half = machine.raysim("start", "--address", machine.address, "--tls-cert", "x")
    assert half.returncode == 2
    assert "give all three" in half.stderr


def test_a_certificate_for_another_address_is_refused_before_the_node_starts(
    machine: Machine, authority: Authority
) -> None:
    files = authority.files("10.9.8.7")
    refused = machine.raysim("start", "--head", "--port", "0", *options(files))
    assert refused.returncode == 1
    assert "is not valid for '127.0.0.1'" in refused.stderr
    assert "raysim tls make" in refused.stderr
    assert len(machine.supervisors()) == 2


def test_beyond_this_machine_without_tls_is_refused_and_with_it_is_not(
    machine: Machine, authority: Authority
) -> None:
    outside = ("start", "--head", "--port", "0", "--node-ip-address", "0.0.0.0")
    refused = machine.raysim(*outside)
    assert refused.returncode == 2
    assert "--allow-plaintext" in refused.stderr
    assert "raysim tls make" in refused.stderr
    other = authority.files("10.9.8.7")
    named = machine.raysim(*outside, *options(other))
    assert "not valid for '0.0.0.0'" in named.stderr, "It came as far as the certificate."


def test_the_doctor_asks_over_tls(machine: Machine, tmp_path: Path) -> None:
    folder = machine.temporary.parent / "tls"
    variables = {
        "RAYSIM_TLS_SERVER_CERT": str(folder / "cert.pem"),
        "RAYSIM_TLS_SERVER_KEY": str(folder / "key.pem"),
        "RAYSIM_TLS_CA_CERT": str(folder / "ca.pem"),
    }
    examined = machine.raysim("doctor", "--address", machine.address, **variables)
    assert f"cluster: the head at {machine.address} lets us in" in examined.stdout
    assert "certificates: " in examined.stdout
