"""A fresh owner for each test: a driver on the node called `near`."""

import pytest

from tests.unit.protocol.owner.rig import OwnerRig


@pytest.fixture
def rig() -> OwnerRig:
    return OwnerRig()
