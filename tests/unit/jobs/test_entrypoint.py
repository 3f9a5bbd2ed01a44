"""An entrypoint's process ends with all that it has started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raysim.jobs.entrypoint import Entrypoint
from raysim.jobs.log import LogWriter, read_log
from tests.cluster.inspection import lives, until


@pytest.fixture
def log(tmp_path: Path) -> LogWriter:
    return LogWriter(tmp_path, "job")


def printed(folder: Path) -> str:
    return read_log(folder, "job", 0)[0].decode()


def pids(folder: Path, count: int) -> list[int]:
    assert until(lambda: len(printed(folder).split()) == count)
    return [int(word) for word in printed(folder).split()]


def test_what_it_prints_is_in_the_log_and_its_exit_code_is_told(
    tmp_path: Path, log: LogWriter
) -> None:
    entrypoint = Entrypoint("echo $COLOR; echo red >&2; exit 7", {"COLOR": "blue"}, log)
    assert entrypoint.wait() == 7
    assert printed(tmp_path) == "blue\nred\n"


def test_what_it_leaves_in_the_background_ends_with_it(tmp_path: Path, log: LogWriter) -> None:
    entrypoint = Entrypoint("sleep 3600 & echo $!", dict(os.environ), log)
    assert entrypoint.wait() == 0
    [left] = pids(tmp_path, 1)
    assert until(lambda: not lives(left))


def test_stopping_gives_it_time(tmp_path: Path, log: LogWriter) -> None:
    code = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done"
    entrypoint = Entrypoint(code, dict(os.environ), log)
    assert until(lambda: "ready" in printed(tmp_path))
    entrypoint.stop(60)
    assert entrypoint.wait() == 3
    assert entrypoint.stopping
    assert printed(tmp_path).endswith("bye\n")


def test_one_that_does_not_stop_is_killed(tmp_path: Path, log: LogWriter) -> None:
    code = "trap '' TERM; sleep 3600 & echo $$ $!; while :; do sleep 0.01; done"
    entrypoint = Entrypoint(code, dict(os.environ), log)
    processes = pids(tmp_path, 2)
    entrypoint.stop(0.05)
    assert entrypoint.wait() == -signal.SIGKILL
    assert until(lambda: not any(map(lives, processes)))


def test_stopping_one_that_has_ended_changes_nothing(log: LogWriter) -> None:
    entrypoint = Entrypoint("true", dict(os.environ), log)
    assert entrypoint.wait() == 0
    entrypoint.stop(0)
    assert not entrypoint.stopping


SUPERVISOR = """
import os, sys, time
from pathlib import Path
from raysim.jobs.entrypoint import Entrypoint
from raysim.jobs.log import LogWriter
kept = Entrypoint("sleep 3600 & echo $$ $!; wait", dict(os.environ), LogWriter(Path(sys.argv[1]), "job"))
time.sleep(60)
"""


def test_it_ends_with_its_supervisor_however_that_ends(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)])
    try:
        processes = pids(tmp_path, 2)
    finally:
        supervisor.kill()
        supervisor.wait()
    assert until(lambda: not any(map(lives, processes)))
