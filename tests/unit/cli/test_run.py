"""`raysim run` on the simulator: what it prints, what it leaves, how it ends."""

import json
from pathlib import Path

import pytest

FIGURES = (
    *("backend", "seed", "tasks", "edges", "failed", "work_s", "critical_path_s", "lower_bound_s"),
    *("makespan_s", "utilisation", "bytes_moved", "wall_s", "digest"),
)

PROGRAM = """
import sys
import ray
from ray.exceptions import RayError

@ray.remote
def double(x):
    import raysim
    from ray.exceptions import RayTaskError
    assert ray is raysim and issubclass(RayTaskError, RayError)
    return 2 * x

ray.init()
print(ray.get([double.remote(x) for x in range(3)]), __name__, sys.argv[1:])
if "fail" in sys.argv:
    {}["missing"]
sys.exit(3 if "three" in sys.argv else None)
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "app.py").write_text(PROGRAM)
    return "app.py"


def test_a_scenario_prints_its_summary_and_leaves_its_folder(raysim):
    ended = raysim("run", "bag.yaml")
    assert ended.code == 0
    assert "bag on sim, 2 nodes with 4 cores, seed 5" in ended.out
    for label in ("tasks", "failures", "makespan", "lower bound", "utilisation", "digest", "again"):
        assert f"\n  {label} " in ended.out
    assert "failed == 0: holds" in ended.out
    left = {file.name for file in Path("runs/bag").iterdir()}
    tables = {"summary.json", "tasks.csv", "workload.json", "journal.jsonl"}
    assert left == tables | {"timeline.json", "report.html"}


def test_json_is_one_object_with_every_figure(raysim):
    ended = raysim("run", "bag.yaml", "--json", "--no-out")
    (line,) = ended.out.splitlines()
    summary = json.loads(line)
    assert set(FIGURES) <= set(summary)
    assert (summary["tasks"], summary["failed"], summary["lower_bound_s"]) == (8, 0, 2.0)
    assert not Path("runs").exists()


def test_where_it_is_written_changes_no_digest(raysim):
    told = [
        json.loads(raysim("run", "bag.yaml", "--json", *more).out)["digest"]
        for more in (["--no-out"], ["--out", "elsewhere"])
    ]
    assert told[0] == told[1]


def test_an_expectation_that_does_not_hold_fails_the_command(raysim):
    Path("strict.yaml").write_text(Path("bag.yaml").read_text().replace("failed", "nodes"))
    ended = raysim("run", "strict.yaml", "--no-out")
    assert ended.code == 1
    assert "nodes == 0: does not hold: nodes = 2" in ended.out


def test_a_program_keeps_its_standard_output_to_itself(raysim, program):
    ended = raysim("run", program, "--", "a", "--b")
    assert (ended.code, ended.out) == (0, "[0, 2, 4] __main__ ['a', '--b']\n")
    assert "app on sim" in ended.err


def test_a_program_s_exit_status_is_the_command_s(raysim, program):
    ended = raysim("run", program, "--json", "--", "three")
    assert ended.code == 3
    printed, summary = ended.out.splitlines()
    assert printed.startswith("[0, 2, 4]")
    figures = json.loads(summary)
    assert (figures["tasks"], figures["edges"], figures["work_s"]) == (3, None, None)


def test_an_uncaught_exception_is_shown_as_python_shows_it(raysim, program):
    ended = raysim("run", program, "--", "fail")
    assert ended.code == 1
    assert "Traceback (most recent call last):\n  File" in ended.err
    assert "KeyError: 'missing'\n" in ended.err
    frames = [line for line in ended.err.splitlines() if line.startswith("  File ")]
    assert len(frames) == 1
    assert "app.py" in frames[0]


def test_a_fault_by_hand_strikes(raysim):
    args = ("--cpus", "1", "--fault", "kill_node(at=500ms, node=1)", "--json", "--no-out")
    summary = json.loads(raysim("run", "bag.yaml", *args).out)
    assert (summary["failed"], summary["tasks"]) == (0, 8)
    assert summary["makespan_s"] > 7
    assert summary["retried"] > 0


def test_a_program_is_compiled_as_itself_and_keeps_its_own_cluster(raysim):
    """Not under the annotations of the module that runs it; `--network` says nothing of the nodes."""
    Path("mine.py").write_text(
        "import ray\n"
        "def size(x: int): ...\n"
        "ray.init(num_cpus=3)\n"
        "print(size.__annotations__['x'] is int, ray.cluster_resources()['CPU'])\n"
    )
    assert raysim("run", "mine.py", "--network", "free").out == "True 3.0\n"
