"""Several jobs on one cluster of `raysim start`: whose turn it is among them, by the order that the head was given."""

import sys
from pathlib import Path

from tests.cluster.inspection import until
from tests.cluster.started import Machine

APP = """
import os, sys, time
import raysim as ray
from raysim.util import explain
name, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
@ray.remote
def hold():
    open(f"{folder}/held", "w").close()
    while not os.path.exists(f"{folder}/go"): time.sleep(0.01)
@ray.remote
def run():
    time.sleep(0.03)
    with open(f"{folder}/served", "a") as served: served.write(name + "\\n")
ray.init()
ahead = []
if name == "first":  # Of a user of its own: both jobs have had as much as each other.
    ahead = [hold.options(_labels={"raysim.io/user": "nobody"}).remote()]
while not os.path.exists(f"{folder}/held"): time.sleep(0.01)
refs = [run.remote() for _ in range(count)]
explain(refs[-1])  # The node has answered, and so it has what was asked for before.
open(f"{folder}/{name}-waits", "w").close()
ray.get(ahead + refs)
"""


def served(folder: Path, order: str, count: int, *of_second: str) -> list[str]:
    """Whose tasks the one core served, in this order. It was busy while first one job and then the other submitted."""
    app = folder / "app.py"
    app.write_text(APP)
    lines = folder / "served"
    with Machine(folder) as machine:
        machine.start_head("--num-cpus", "1", "--queue", order)
        for name, more in (("first", ()), ("second", of_second)):
            program = [sys.executable, str(app), name, str(folder), str(count)]
            sent = machine.raysim("job", "submit", "--no-wait", *more, "--", *program)
            assert sent.returncode == 0, sent.stderr
            until((folder / f"{name}-waits").exists)
        (folder / "go").touch()
        until(lambda: lines.exists() and len(lines.read_text().split()) == 2 * count)
        assert machine.raysim("stop").returncode == 0
        machine.assert_nothing_left()
    return lines.read_text().split()


def test_jobs_have_equal_shares_while_both_have_work(tmp_path: Path) -> None:
    """The first has asked for all that it wants before the second begins."""
    names = served(tmp_path, "fair_share", 12)
    assert 4 <= names[:12].count("second") <= 8, names


def test_a_job_of_a_higher_priority_passes_the_waiting_tasks_of_another(tmp_path: Path) -> None:
    names = served(tmp_path, "priority", 6, "--priority", "10")
    assert names == ["second"] * 6 + ["first"] * 6


LIMITED = """
import time
import raysim as ray
@ray.remote
def run():
    start = time.monotonic()
    time.sleep(0.1)
    return start, time.monotonic()
ray.init()
spans = sorted(ray.get([run.remote() for _ in range(6)]))
print(all(end <= start for (_, end), (start, _) in zip(spans, spans[1:])))
"""


def test_a_submitted_job_has_no_more_than_its_quota(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(LIMITED)
    program = ["--", sys.executable, str(app)]
    with Machine(tmp_path) as machine:
        machine.start_head("--num-cpus", "3")
        ended = machine.raysim("job", "submit", "--quota", "CPU=1", *program)
        assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr
        named = ("--submission-id", "waits", "--quota", "CPU=1,memory=1GiB", "--priority", "-3")
        begun = machine.raysim("job", "submit", *named, "--no-wait", "--", "sleep", "60")
        assert begun.returncode == 0, begun.stderr
        status = machine.raysim("job", "status", "waits").stdout
        assert "Priority: -3\nQuota: CPU=1, memory=1.000 GiB" in status
        for lists in (("job", "list"), ("list", "jobs")):
            listed = machine.raysim(*lists).stdout
            assert "CPU=1, memory=1.000 GiB" in listed, listed
            assert "CPU=0" in listed, listed  # Of the driver that has ended.
        refused = machine.raysim("job", "submit", "--quota", "cpu=1", *program)
        assert refused.returncode == 2
        assert "no resource is called cpu; did you mean CPU?" in refused.stderr
        assert machine.raysim("stop").returncode == 0
        machine.assert_nothing_left()
