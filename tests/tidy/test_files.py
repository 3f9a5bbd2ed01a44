"""What every file of the project has to keep."""

import re
import subprocess
from pathlib import Path

import pytest

LONGEST = 600
"""Lines of a Python module. Past 400 look hard; past this, cut along a noun."""

# Somebody's machine, and any package index: set-up uses the reader's own configuration.
ELSEWHERE = re.compile(
    r"(?<![\w.])/(?:work|farm|root|home|Users)/\w"
    r"|\.\./shared\b"
    r"|(?:--)?(?:extra-)?index-url|--find-links|--index\b"
    r"|\b(?:simple/|pypi\.(?!org/project))"
)
DATA = {".png", ".svg", ".ico", ".woff2", ".gz"}


@pytest.fixture(scope="session")
def files(repository: Path) -> list[Path]:
    """Everything that is, or would be, committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    named = (repository / name for name in done.stdout.split("\0") if name)
    return [file for file in named if file.is_file()]


def test_no_file_names_a_place_outside_the_project(files: list[Path], repository: Path) -> None:
    found = [
        f"{file.relative_to(repository)}:{number}: {line.strip()[:100]}"
        for file in files
        if file != Path(__file__) and file.suffix not in DATA
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("data = '/home/ada/data'", True),
        ("pip install --index-url https://packages.example", True),
        ("see ../shared/data", True),
        ("raysim/report/home/page.py", False),
        ("https://pypi.org/project/raysim-core", False),
        ("the work/cores bound", False),
    ],
)
def test_a_place_is_told_from_a_path_of_the_project(line: str, bad: bool) -> None:
    assert bool(ELSEWHERE.search(line)) is bad


def test_no_module_is_too_long(files: list[Path], repository: Path) -> None:
    long = {
        str(file.relative_to(repository)): lines
        for file in files
        if file.suffix == ".py" and (lines := len(file.read_text("utf-8").splitlines())) > LONGEST
    }
    assert not long, f"cut along a noun (at most {LONGEST} lines): {long}"
