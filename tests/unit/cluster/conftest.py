"""Fixtures for tests of the cluster backend's lower layers."""

from collections.abc import Iterator

import pytest

from tests.unit.cluster.peers import Peers


@pytest.fixture
def peers() -> Iterator[Peers]:
    made = Peers()
    yield made
    made.close()
