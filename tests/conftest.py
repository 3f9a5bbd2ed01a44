"""What every test may ask for. Never starts a cluster: see the conftest of each folder."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parent.parent

SURROUNDINGS = [
    *("CI", "BUILD_NUMBER", "GITHUB_ACTIONS"),  # pytest and Hypothesis print other things there
    *("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "PYTHON_COLORS", "PYTEST_THEME"),
    *("TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"),  # rich
    *("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONBREAKPOINT", "PYTHONWARNINGS", "RAYSIM_BACKEND"),
    "PYTHONDONTWRITEBYTECODE",  # every process of a cluster would compile all of raysim
]
"""What programs that tests start, and tests themselves, would print and do otherwise for."""

for _name in SURROUNDINGS:
    os.environ.pop(_name, None)
os.environ["TERM"] = "dumb"  # What pdb reads lines with would print escape sequences for others.

# A slow machine is no bug; a hang is caught by pytest-timeout.
settings.register_profile("raysim", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("raysim")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell leaves it to what it starts in the background; the tests of Ctrl-C need Python's own.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return ROOT


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that loses nothing; skips where none is installed."""
    server = RedisServer(tmp_path / "redis")
    yield server
    server.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Published traces and workflows beside the checkout; never part of it (licences differ)."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the published traces in {folder}")
    return folder
