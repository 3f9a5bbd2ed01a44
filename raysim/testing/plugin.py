"""What raysim adds to pytest: options for simulated tests. Never simulates: see simulated_test.

Loaded into every session of pytest where raysim is installed, so it imports nothing heavy by itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from raysim.testing.asked import Asked, asked

if TYPE_CHECKING:
    from _pytest.config import Config
    from _pytest.config.argparsing import Parser


def pytest_addoption(parser: Parser) -> None:
    group = parser.getgroup("raysim", "simulated clusters")
    group.addoption(
        "--raysim-seeds",
        type=int,
        metavar="N",
        help="run each simulated test with seeds 0 to N - 1, instead of its own number",
    )
    group.addoption(
        "--raysim-replay",
        metavar="SEED_OR_FILE",
        help="run simulated tests once: with this seed, or as the file of a failure says",
    )
    group.addoption(
        "--raysim-as-ray",
        action="store_true",
        default=None,
        help="`import ray` gives raysim, in tests and in what they test",
    )
    parser.addini("raysim_as_ray", "as --raysim-as-ray, always", type="bool", default=False)


def pytest_configure(config: Config) -> None:
    seeds = config.getoption("--raysim-seeds")
    if seeds is not None and seeds < 1:
        raise pytest.UsageError(f"--raysim-seeds {seeds}: at least 1")
    asked.seeds = seeds
    asked.replay = config.getoption("--raysim-replay")
    asked.begin_run = _forget_output(config)
    if config.getoption("--raysim-as-ray") or config.getini("raysim_as_ray"):
        from raysim.api import alias

        alias.install()


def pytest_unconfigure() -> None:
    for name, value in vars(Asked()).items():
        setattr(asked, name, value)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    asked.test = _here(item)
    try:
        return (yield)
    finally:
        asked.test = ""


def _here(item: pytest.Item) -> str:
    """The test as it can be given to pytest in this folder; its own id is relative to the root of the tests."""
    file = os.path.relpath(item.path, item.config.invocation_params.dir)
    return f"{file}::{item.nodeid.partition('::')[2]}"


def pytest_enter_pdb(pdb: Any) -> None:
    """`breakpoint()` in a task: a prompt is no line, and would wait for its end."""
    clock = sys.modules.get("raysim.testing.clock")
    if clock is not None and clock.simulated_world() is not None:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        pdb.stdout = sys.stdout


def _forget_output(config: Config) -> Any:
    """What is shown of a failing test is what its last run printed, not what two hundred did."""
    capture = config.pluginmanager.getplugin("capturemanager")
    return None if capture is None else capture.read_global_capture
