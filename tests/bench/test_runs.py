"""The benchmark itself runs: every line once, a quick table, an end by Ctrl-C. What it measures people judge."""

import importlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.contenders import PARTICIPANTS
from bench.lines import BY_NAME, LINES
from bench.workloads.ray_api import RayApi
from tests.cluster.inspection import until

TENFOLD = 0.1
"""A fast machine, a slow one, a loaded one: what is ten times slower than a process pool is broken."""


@pytest.fixture
def bench(repository, tmp_path):
    """The command, with more arguments; its results are in `tmp_path`."""

    def command(*arguments):
        return [sys.executable, "-m", "bench", "--out", str(tmp_path), *arguments]

    return command


def ended(command, repository):
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


@pytest.mark.parametrize("contender", [one.name for one in PARTICIPANTS if not one.foreign])
def test_every_line_of_a_contender_runs(repository, contender):
    command = [sys.executable, "-m", "pytest", "-c", "bench/pytest.ini", "bench/test_lines.py"]
    command += ["--contender", contender, "--scale", "0.001", "--benchmark-disable"]
    done = ended(command, repository)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_line_has_a_workload():
    assert [line.name for line in LINES if line.name not in RayApi.lines] == []


@pytest.mark.parametrize(
    "one", [one for one in PARTICIPANTS if not one.foreign], ids=lambda one: one.name
)
def test_a_contender_is_asked_for_the_groups_of_lines_that_it_does(one):
    module, _, name = one.factory.partition(":")
    lines = getattr(importlib.import_module(f"bench.workloads.{module}"), name).lines
    groups = {BY_NAME[line].group for line in lines}
    assert all(one.does(group) == (group in groups) for group in {line.group for line in LINES})


def test_a_quick_run_prints_the_table_and_keeps_it(repository, tmp_path, bench):
    lines = ("--quick", "--only", "^single client tasks a?sync$")
    done = ended(bench(*lines, "--contenders", "cluster,ProcessPoolExecutor"), repository)
    assert done.returncode == 0, done.stderr
    assert "[2/2] round 1 of 1, all lines: ProcessPoolExecutor" in done.stderr
    assert (tmp_path / "results.md").read_text() == done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    ratios = {row["line"]: row["ratios"]["ProcessPoolExecutor"] for row in results["lines"]}
    assert list(ratios) == ["single client tasks sync", "single client tasks async"]
    assert max(ratio["median"] for ratio in ratios.values()) > TENFOLD


def test_ctrl_c_ends_the_turn_and_prints_what_there_is(repository, tmp_path, bench):
    running = subprocess.Popen(
        bench("--quick", "--only", "idle: CPU", "--contenders", "cluster"),
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    assert "round 1 of 1" in running.stderr.readline()
    assert until(lambda: children(running.pid) != [])
    (turn,) = children(running.pid)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Interrupted" in err
    assert "Measured: cluster" in out
    assert not Path(f"/proc/{turn}").exists()


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def test_an_unknown_line_or_contender_is_answered_with_those_that_there_are(repository, bench):
    for wrong, right in (("--only", "1:1 actor calls sync"), ("--contenders", "memcpy")):
        done = ended(bench(wrong, "no such thing"), repository)
        assert done.returncode == 1
        assert "no such thing" in done.stderr
        assert right in done.stderr
