"""The command as a person types it, in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from raysim.cli.main import run_command

BAG = """\
name: bag
cluster: {nodes: 2, cpus: 2}
workload: {kind: tasks, count: 8, duration: 1s}
seed: 5
assert: [failed == 0]
"""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def raysim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Runs a command in an empty folder with `bag.yaml` in it."""
    monkeypatch.chdir(tmp_path)
    Path("bag.yaml").write_text(BAG)

    def run(*args: str) -> Ended:
        code = run_command(list(args))
        return Ended(code, *capfd.readouterr())

    return run
