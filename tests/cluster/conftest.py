"""Real clusters for tests: started, ended, and looked for afterwards."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import raysim
from tests.cluster.inspection import assert_nothing_left


@pytest.fixture
def start() -> Iterator[Callable[..., Any]]:
    """Starts a cluster; ends it and looks that nothing is left."""
    contexts = []

    def begin(**options: Any) -> Any:
        options.setdefault("num_cpus", 2)
        options.setdefault("object_store_memory", 64 << 20)
        context = raysim.init(backend="cluster", **options)
        contexts.append(context)
        return context

    yield begin
    raysim.shutdown()
    for context in contexts:
        assert_nothing_left(context.address_info)
