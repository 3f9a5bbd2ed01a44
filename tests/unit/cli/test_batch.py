"""`raysim run` of a sweep and of a folder: a line each, a folder each, and what ends badly."""

import csv
import json
from pathlib import Path

import pytest

SWEPT = """\
name: swept
cluster: {cpus: 2}
workload: {kind: tasks, count: 8, duration: 1s}
sweep: {cluster.nodes: [1, 2], policy: [hybrid, spread]}
"""
CASES = [f"nodes={nodes},policy={policy}" for nodes in (1, 2) for policy in ("hybrid", "spread")]


@pytest.fixture(autouse=True)
def swept(raysim):
    Path("swept.yaml").write_text(SWEPT)


def rows(file):
    with Path(file).open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_sweep_runs_every_case_and_leaves_a_folder_for_each(raysim, jobs):
    ended = raysim("run", "swept.yaml", "--jobs", jobs)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [[case, "ok"] for case in CASES]
    assert lines[-1].startswith("4 of 4 runs are as expected. All figures: runs/swept/runs.csv")
    table = rows("runs/swept/runs.csv")
    assert [(row["nodes"], row["policy"]) for row in table] == [
        *(("1", "hybrid"), ("1", "spread"), ("2", "hybrid"), ("2", "spread"))
    ]
    assert [float(row["makespan_s"]) for row in table] == pytest.approx([4, 4, 2, 2], rel=0.05)
    for case in CASES:
        assert Path("runs/swept", case, "report.html").is_file()


def test_one_case_is_run_again_by_the_line_that_it_prints(raysim):
    raysim("run", "swept.yaml")
    (row, *_) = json.loads(Path("runs/swept/runs.json").read_text())
    *_, name = row["summary"]["command"].split()
    ended = raysim("run", "swept.yaml", "--case", name, "--no-out", "--json")
    assert json.loads(ended.out)["digest"] == row["summary"]["digest"]


def test_a_folder_is_run_whole_and_fails_with_its_first_failure(raysim):
    Path("strict.yaml").write_text(Path("bag.yaml").read_text().replace("failed", "nodes"))
    Path("renamed.yaml").write_text(Path("strict.yaml").read_text().replace("bag", "strict"))
    Path("strict.yaml").unlink()
    ended = raysim("run", ".", "--out", "left")
    assert ended.code == 1
    lines = [line.split()[:2] for line in ended.out.splitlines()]
    assert lines[1:4] == [["bag", "ok"], ["strict", "FAILED"], ["nodes", "=="]]
    assert "nodes == 0 does not hold: nodes = 2" in ended.out
    assert "5 of 6 runs are as expected." in ended.out
    assert Path("left/bag/summary.json").is_file()
    assert Path("left/swept", CASES[0], "summary.json").is_file()
    assert len(rows("left/runs.csv")) == 6


def test_nothing_runs_where_one_file_is_wrong(raysim):
    Path("wrong.yaml").write_text("polcy: x\n" + SWEPT)
    ended = raysim("run", ".")
    assert (ended.code, ended.out) == (2, "")
    assert "wrong.yaml:1:1: unknown key 'polcy'; did you mean policy?" in ended.err
    assert not Path("runs").exists()


def test_two_scenarios_of_one_name_would_share_a_folder(raysim):
    Path("other.yaml").write_text(Path("bag.yaml").read_text())
    ended = raysim("run", ".")
    assert ended.code == 2
    assert "another scenario here is called 'bag' as well; give it a `name` of its own" in ended.err


def test_a_folder_without_scenarios_is_told(raysim):
    Path("empty").mkdir()
    ended = raysim("run", "empty")
    assert (ended.code, ended.err) == (2, "empty: there is no scenario (.yaml) in this folder\n")


def test_json_is_one_line_a_run(raysim):
    ended = raysim("run", "swept.yaml", "--json", "--no-out")
    assert [json.loads(line)["run"] for line in ended.out.splitlines()] == CASES


def test_what_a_program_prints_goes_into_its_folder_and_why_it_failed_is_told(raysim):
    Path("app.py").write_text(
        "import sys, ray\nray.init()\nprint('size', sys.argv[1])\nsys.exit(int(sys.argv[1]))\n"
    )
    Path("program.yaml").write_text(
        "workload: {kind: program, file: app.py}\nsweep: {workload.args: [['0'], ['3']]}\n"
    )
    ended = raysim("run", "program.yaml")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["args=0", "ok"],
        ["args=3", "FAILED"],
        ["size", "3"],
    ]
    assert Path("runs/program/args=0/output.txt").read_text() == "size 0\n"


def test_what_is_typed_counts_for_every_run(raysim):
    ended = raysim("run", "swept.yaml", "--seed", "9", "--json", "--no-out")
    assert {json.loads(line)["summary"]["seed"] for line in ended.out.splitlines()} == {9}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--trace", "t"), "--trace: is of one run; name one with --case"),
        (("--", "x"), "swept.yaml: only a program (.py) takes arguments of its own, such as 'x'"),
        (("--nodes", "3"), "--nodes: the scenario sweeps cluster.nodes; leave one of the two out"),
        (("--policy", "spread"), "--policy: the scenario sweeps policy; leave one of the two out"),
    ],
)
def test_what_cannot_be_of_many_runs_is_told(raysim, more, said):
    ended = raysim("run", "swept.yaml", *more)
    assert (ended.code, ended.err) == (2, f"{said}\n")
