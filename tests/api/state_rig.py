"""A cluster whose state can be asked for, shared by the tests of a module. On Ray that needs its dashboard."""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from tests.api.conftest import CPUS, JUDGE, start
from tests.api.patience import until


def session(backend: str) -> Iterator[ModuleType]:
    """The library, connected; for a fixture."""
    ray = start(backend, num_cpus=CPUS, include_dashboard=True)
    before = os.environ.get("RAY_ADDRESS")
    if backend == JUDGE:
        # Ray's functions look for a cluster by themselves, and there may be others on this machine.
        os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    yield ray
    if before is None:
        os.environ.pop("RAY_ADDRESS", None)
    else:
        os.environ["RAY_ADDRESS"] = before
    ray.shutdown()


def state_of(ray: ModuleType) -> ModuleType:
    """`ray.util.state`."""
    return import_module(f"{ray.__name__}.util.state")


def eventually(ask: Callable[[], Any], good: Callable[[Any], object] = bool) -> Any:
    """The first answer that is good: Ray's tasks tell the GCS of themselves once a second."""
    answers: list[Any] = []

    def is_good() -> object:
        answers.append(ask())
        return good(answers[-1])

    until(is_good)
    return answers[-1]


def error_of(state: ModuleType) -> type[Exception]:
    """`RayStateApiException` of this library."""
    error: type[Exception] = import_module(f"{state.__name__}.exception").RayStateApiException
    return error
