"""`examples/ray`: programs as people write them for Ray, which print the same everywhere.

The expected text is what Ray printed. RAYSIM_TEST_RAY=1 asks Ray again, as `python program.py` does.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.conftest import JUDGE, backends

PRINTED = Path(__file__).parent / "printed"
RAYS_OWN_LINE = re.compile(r"^\x1b\[\d+m\(raylet\).*\n", re.MULTILINE)
"""Ray tells on standard output which workers it has lost, whatever it is told about logs."""
PROGRAMS = sorted(file.stem for file in PRINTED.glob("*.txt"))


def printed(repository: Path, program: str, backend: str) -> str:
    raysim = [sys.executable, "-m", "raysim", "run", "--backend", backend]
    command = [sys.executable] if backend == JUDGE else raysim
    done = subprocess.run(
        [*command, f"examples/ray/{program}.py"],
        cwd=repository,
        env={**os.environ, "RAY_ADDRESS": "local", "RAY_LOG_TO_DRIVER": "0"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return RAYS_OWN_LINE.sub("", done.stdout)


@pytest.mark.parametrize("backend", backends())
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_prints_what_it_prints_on_ray(repository: Path, program: str, backend: str) -> None:
    expected = (PRINTED / f"{program}.txt").read_text("utf-8")
    assert printed(repository, program, backend) == expected


def test_every_program_is_tried(repository: Path) -> None:
    assert sorted(file.stem for file in (repository / "examples/ray").glob("*.py")) == PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_know_nothing_of_raysim(repository: Path, program: str) -> None:
    assert "raysim" not in (repository / "examples/ray" / f"{program}.py").read_text("utf-8")
