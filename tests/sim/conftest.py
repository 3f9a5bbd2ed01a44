"""Programs on simulated clusters, through the API."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import raysim
from raysim.journal import Journal, Level


@pytest.fixture
def init() -> Iterator[Callable[..., Any]]:
    """Starts a simulated cluster, which ends with the test."""

    def start(nodes: int = 1, cpus: float = 2, **options: Any) -> Journal:
        journal = options.pop("journal", None) or Journal(Level.ALL)
        raysim.init(backend="sim", nodes=nodes, num_cpus=cpus, journal=journal, **options)
        return journal

    yield start
    raysim.shutdown()
