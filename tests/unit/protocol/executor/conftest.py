"""A registered worker for each test, on the node called `near`."""

import pytest

from tests.unit.protocol.executor.rig import WorkerRig


@pytest.fixture
def rig() -> WorkerRig:
    rig = WorkerRig()
    rig.registered()
    return rig
