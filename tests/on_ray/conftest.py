"""Tests of the backend `ray`, where Ray is installed. The API's own suite is in tests/api."""

import gc
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import raysim

if find_spec("ray") is None:  # It comes with the extra: pip install 'raysim-core[ray]'
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ray leaves sockets to the garbage collector."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """What Ray left goes here, not in the tests of others."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    """A cluster of one node with 2 CPUs, on Ray."""
    raysim.init(backend="ray", num_cpus=2)
    yield
    raysim.shutdown()
