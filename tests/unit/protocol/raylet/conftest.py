import pytest

from raysim.spec.address import Address
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import Node


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def owner() -> Address:
    """A driver of this node."""
    return address("driver", "here")


@pytest.fixture
def other() -> Address:
    """A worker of another node that asks here."""
    return address("worker", "there")
