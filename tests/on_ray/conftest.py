"""Tests of the backend `ray`, where Ray is installed. The API's own suite is in tests/api."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

import raysim

if find_spec("ray") is None:  # It comes with the extra: pip install 'raysim-core[ray]'
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    """A cluster of one node with 2 CPUs, on Ray."""
    raysim.init(backend="ray", num_cpus=2)
    yield
    raysim.shutdown()
