"""A driver and a worker for each test; the current process is put back afterwards."""

from collections.abc import Iterator

import pytest

from raysim.runtime.current import current, set_current
from tests.unit.runtime.rig import Session


@pytest.fixture(autouse=True)
def _current_process() -> Iterator[None]:
    before = current()
    yield
    set_current(before)


@pytest.fixture
def driver() -> Session:
    return Session()


@pytest.fixture
def worker() -> Session:
    return Session(worker=True)
