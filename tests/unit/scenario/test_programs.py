"""Programs in this process, on the simulator."""

import sys

import pytest

from raysim.faults import ClockJump, KillNode, Moment, parse_fault
from raysim.journal import FaultInjected
from raysim.scenario.loading import experiment_of_program
from raysim.scenario.problems import ScenarioError
from raysim.scenario.programs import run_program
from raysim.scenario.running import RunOptions

PROGRAM = """
import sys
import ray
from ray.exceptions import RayTaskError

@ray.remote
def twice(x):
    import ray.exceptions
    return 2 * x

@ray.remote
def fail():
    raise KeyError("gone")

print(__name__, sys.argv[1:], ray.get([twice.remote(n) for n in range(3)]))
try:
    ray.get(fail.remote())
except RayTaskError as error:
    print(isinstance(error, KeyError))
"""


@pytest.fixture
def run(tmp_path):
    def run(text, *args, options=None, **changes):
        file = tmp_path / "app.py"
        file.write_text(text)
        return run_program(experiment_of_program(file, args, **changes), options or RunOptions())

    return run


def test_a_program_runs_as_python_runs_it(run, capfd):
    done = run(PROGRAM, "--fast", nodes=2, cpus=3)
    assert capfd.readouterr().out == "__main__ ['--fast'] [0, 2, 4]\nTrue\n"
    assert done.status == 0
    summary = done.run.summary
    assert (summary.tasks, summary.failed, summary.nodes, summary.cpus) == (4, 1, 2, 6)
    assert (summary.edges, summary.work_s, summary.lower_bound_s) == (None, None, None)
    assert summary.makespan_s > 0


def test_a_program_s_own_cluster_stands_where_nothing_is_said(run):
    text = "import raysim\nraysim.init(num_cpus=7, nodes=3)\nraysim.put(1)\n"
    summary = run(text).run.summary
    assert (summary.nodes, summary.cpus, summary.tasks) == (3, 21, 0)


def test_what_is_said_wins_over_the_program(run, capfd):
    text = "import raysim\nraysim.init(num_cpus=7, backend='cluster')\n"
    summary = run(text + "print(raysim.cluster_resources()['CPU'])", nodes=2, cpus=4).run.summary
    assert capfd.readouterr().out == "8.0\n"
    assert (summary.backend, summary.cpus) == ("sim", 8)


@pytest.mark.parametrize(
    ("ending", "status", "told"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no luck')", 1, "no luck\n"),
    ],
)
def test_the_exit_status_is_the_program_s(run, capfd, ending, status, told):
    assert run(f"import sys\n{ending}\n").status == status
    assert capfd.readouterr().err == told


def test_an_uncaught_exception_is_shown_without_our_frames(run, capfd):
    assert run("def f():\n    raise OSError('disk')\nf()\n").status == 1
    shown = capfd.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n  File ")
    assert shown.endswith("OSError: disk\n")
    assert "app.py" in shown
    assert "programs.py" not in shown


def test_a_program_that_is_not_python_is_shown_as_python_shows_it(run, capfd):
    assert run("x = = 1\n").status == 1
    assert "SyntaxError: invalid syntax" in capfd.readouterr().err


def test_the_process_is_as_before(run):
    before = (sys.argv, list(sys.path), sys.modules["__main__"])
    run("import sys\nsys.path.append('x')\n", "--flag")
    assert (sys.argv, sys.path, sys.modules["__main__"]) == before


def test_the_same_seed_gives_the_same_digest(run):
    digests = {run(PROGRAM, seed=3, nodes=2).run.summary.digest for _ in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("options", "changes", "says"),
    [
        (RunOptions(backend="cluster", time_scale=0.5), {}, "a program's durations are its own"),
        (
            RunOptions(backend="ray"),
            {"nodes": 2, "faults": [KillNode(at=Moment(ns=1))]},
            "cannot be performed on a program on ray",
        ),
        (
            RunOptions(backend="cluster"),
            {"nodes": 2, "faults": [ClockJump(at=Moment(ns=1))]},
            r"clock_jump\(at=1ns\) cannot be performed on cluster: .* use --backend sim",
        ),
    ],
)
def test_what_cannot_be_done_to_a_program_is_refused(run, options, changes, says):
    with pytest.raises(ScenarioError, match=says):
        run("print('never')", options=options, **changes)


UNDER_FAULTS = """
import time
import ray

@ray.remote(max_retries=-1)
def square(n):
    time.sleep(0.05)
    return n * n

@ray.remote(max_restarts=-1, max_task_retries=-1)
class Store:
    def __init__(self):
        self.kept = {}

    def keep(self, key, value):
        self.kept[key] = value
        return value

store = Store.options(name="store").remote()
squares = [square.remote(n) for n in range(20)]
kept = [store.keep.remote(n, ref) for n, ref in enumerate(squares)]
print(sum(ray.get(squares)), ray.get(kept))
"""


def test_a_program_prints_the_same_under_the_same_faults_on_each_backend(run, capfd):
    faults = [
        parse_fault(text)
        for text in (
            "kill_worker(at=task_ended*3)",
            "kill_actor(at=task_ended*6, actor=store)",
            "pause_node(at=task_ended*9, node=1, lasting=100ms)",
            "isolate(at=task_ended*12, node=1, lasting=100ms)",
            "delay(at=0, nodes=half, latency=2ms, jitter=3ms)",
        )
    ]
    printed = {}
    for backend in ("sim", "cluster"):
        options = RunOptions(backend=backend)
        done = run(UNDER_FAULTS, options=options, nodes=2, cpus=2, faults=faults)
        assert done.status == 0
        printed[backend] = capfd.readouterr().out
        struck = {note.kind for note in done.run.journal.notes(FaultInjected)}
        assert {"kill_worker", "kill_actor", "delay"} <= struck
    squares = [n * n for n in range(20)]
    assert printed == dict.fromkeys(("sim", "cluster"), f"{sum(squares)} {squares}\n")
