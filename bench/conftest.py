"""What `bench/test_lines.py` is given: the contender, and the lines that were asked for. Never chooses them."""

import gc
import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from bench.contenders import BY_NAME as PARTICIPANTS
from bench.lines import BY_NAME, LINES, OURS, Line
from bench.workloads import Contender

SECONDS = 1.0
"""Of each line, about."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bench")
    group.addoption("--contender", choices=[*PARTICIPANTS], default=OURS)
    group.addoption("--line", action="append", choices=[*BY_NAME], help="again for each line")
    group.addoption("--scale", type=float, default=1.0, help="of tasks and bytes")
    group.addoption("--seconds", type=float, default=SECONDS, help="for each line")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = metafunc.config.getoption("--line") or [line.name for line in LINES]
    does = contender_class(metafunc.config).lines
    lines = [BY_NAME[name] for name in asked if name in does]
    metafunc.parametrize("line", lines, ids=lambda line: line.name)


def pytest_benchmark_generate_machine_info(config: pytest.Config) -> dict[str, Any]:
    """Told by the table's header; what pytest-benchmark would find out costs a second."""
    return {"cores": os.cpu_count()}


def contender_class(config: pytest.Config) -> type[Contender]:
    module, _, name = PARTICIPANTS[config.getoption("--contender")].factory.partition(":")
    found: type[Contender] = getattr(importlib.import_module(f"bench.workloads.{module}"), name)
    return found


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Iterator[dict[str, Contender]]:
    """The contender that is started, if one is."""
    # What pytest has loaded is no part of a program: the collector need not walk through it.
    gc.collect()
    gc.freeze()
    held: dict[str, Contender] = {}
    yield held
    for contender in held.values():
        contender.stop()


@pytest.fixture
def contender(
    session: dict[str, Contender], line: Line, request: pytest.FixtureRequest
) -> Iterator[Contender]:
    """Started. Lines share it, but for those that end or change it."""
    if not session:
        made = contender_class(request.config)(request.config.getoption("--scale"))
        made.start()
        session["started"] = made
    yield session["started"]
    if line.group == "session" or line.size is not None:
        session.pop("started").stop()
