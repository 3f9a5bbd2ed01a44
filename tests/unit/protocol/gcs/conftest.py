import pytest

from tests.unit.protocol.gcs.head import Head


@pytest.fixture
def head() -> Head:
    return Head()
