"""The layers hold, and the contracts that say so can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLANTED = {
    "a clock in the protocol": ("raysim/protocol/planted.py", "import time"),
    "a socket in the protocol": ("raysim/protocol/planted.py", "import socket"),
    "a thread in a policy": ("raysim/policies/planted.py", "from threading import Lock"),
    "the operating system in the nouns": ("raysim/spec/planted.py", "from os import path"),
    "an event loop in the runtime": ("raysim/runtime/planted.py", "import asyncio"),
    "simpy in the protocol": ("raysim/protocol/planted.py", "from simpy import Environment"),
    "the API in the protocol": ("raysim/protocol/planted.py", "from raysim import api"),
    "the package itself in the protocol": ("raysim/protocol/planted.py", "import raysim"),
    "faults in the protocol": ("raysim/protocol/planted.py", "import raysim.faults"),
    "the protocol in a policy": ("raysim/policies/planted.py", "import raysim.protocol"),
    "a backend in the API": ("raysim/api/planted.py", "import raysim_sim"),
    "a backend in another": ("backends/raysim_sim/planted.py", "import raysim_cluster"),
    "the command line in a backend": ("backends/raysim_cluster/planted.py", "import raysim.cli"),
    "the dashboard in a backend": ("backends/raysim_cluster/planted.py", "import raysim.dashboard"),
    "scenarios in a backend": ("backends/raysim_sim/planted.py", "import raysim.scenario"),
}


@pytest.fixture
def tree(repository: Path, tmp_path: Path) -> Path:
    """A copy of the packages that a test may spoil."""
    no_caches = shutil.ignore_patterns("__pycache__")
    for folder in ("raysim", "backends"):
        shutil.copytree(repository / folder, tmp_path / folder, ignore=no_caches)
    shutil.copy(repository / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        # Before the installed packages: the copy is what is judged.
        env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'backends'}"},
        capture_output=True,
        text=True,
    )


def ban(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "raysim"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True)


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    done = lint_imports(tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", PLANTED)
def test_a_planted_import_breaks_a_contract(tree: Path, place: str) -> None:
    path, line = PLANTED[place]
    (tree / path).write_text(f"{line}\n")
    done = lint_imports(tree)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "planted" in done.stdout


def test_no_module_below_the_api_uses_a_banned_name(tree: Path) -> None:
    done = ban(tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "from random import shuffle",
        "import random\n\nrandom.random()",
        "import datetime\n\ndatetime.datetime.now()",
        "from uuid import uuid4",
    ],
)
def test_global_randomness_and_clocks_are_banned_from_the_protocol(tree: Path, line: str) -> None:
    (tree / "raysim/protocol/planted.py").write_text(f"{line}\n")
    done = ban(tree)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "planted.py" in done.stdout


def test_a_seeded_stream_is_allowed_in_a_policy(tree: Path) -> None:
    """A policy takes a `Random`; only the module's own, global one is banned."""
    (tree / "raysim/policies/planted.py").write_text("from random import Random\n\nRandom(1)\n")
    assert ban(tree).returncode == 0
