"""pytest run on files of tests, in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from raysim.testing.asked import asked


@pytest.fixture(autouse=True)
def _failures_go_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing simulated test leaves a file in the folder where it runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asked, "test", "")


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs pytest on these lines of a test file, with these options."""

    def run(lines: str, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_program.py").write_text(lines)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "raysim.testing.plugin",
                *options,
                "test_program.py",
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
