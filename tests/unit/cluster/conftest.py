"""Fixtures for tests of the cluster backend's lower layers."""

from collections.abc import Iterator

import pytest

from raysim.spec.tls import TlsFiles
from tests.unit.cluster.authority import Authority
from tests.unit.cluster.peers import Peers


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls_files(authority: Authority) -> TlsFiles:
    return authority.files()


@pytest.fixture
def peers(request: pytest.FixtureRequest) -> Iterator[Peers]:
    """Over plain sockets, unless the parameter is `tls`."""
    is_tls = getattr(request, "param", "plain") == "tls"
    made = Peers(request.getfixturevalue("tls_files") if is_tls else None)
    yield made
    made.close()
