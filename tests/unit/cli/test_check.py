import json
from pathlib import Path

import pytest

GOOD = "workload: {kind: tasks, count: 5, duration: 1s}\n"
BAD = "polcy: spread\nworkload: {kind: tasks, count: 5, duration: 1}\nseed: x\n"


@pytest.fixture(autouse=True)
def files(raysim):
    Path("good.yaml").write_text(GOOD)
    Path("bad.yaml").write_text(BAD)


def test_right_files_are_said_to_be_right(raysim):
    ended = raysim("check", "good.yaml", "good.yaml")
    assert (ended.code, ended.out) == (0, "2 checked, no mistakes found.\n")


def test_every_mistake_of_every_file_is_told_with_its_place(raysim):
    ended = raysim("check", "bad.yaml", "good.yaml", "gone.yaml")
    assert ended.code == 2
    lines = ended.out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "bad.yaml:1:1",
        "bad.yaml:2:45",
        "bad.yaml:3:7",
        "gone.yaml",
    ]
    assert lines[0].endswith("unknown key 'polcy'; did you mean policy?")


def test_all_runs_of_a_sweep_are_checked(raysim):
    Path("swept.yaml").write_text(
        GOOD + "sweep: {policy: [spraed, hybrid], workload.count: [1, x]}"
    )
    lines = raysim("check", "swept.yaml").out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["swept.yaml:2:18", "swept.yaml:2:55"]


def test_json_is_for_programs(raysim):
    found = json.loads(raysim("check", "bad.yaml", "--output-format", "json").out)
    assert found[0] == {
        "file": "bad.yaml",
        "line": 1,
        "column": 1,
        "message": "unknown key 'polcy'",
        "meant": "policy",
    }
    assert json.loads(raysim("check", "good.yaml", "--output-format", "json").out) == []


def test_github_gets_annotations(raysim):
    Path("odd,%.yaml").write_text("seed: x\n" + GOOD)
    lines = raysim("check", "bad.yaml", "odd,%.yaml", "--output-format", "github").out.splitlines()
    assert (
        lines[0] == "::error file=bad.yaml,line=1,col=1::unknown key 'polcy'; did you mean policy?"
    )
    assert lines[-1].startswith("::error file=odd%2C%25.yaml,line=1,col=7::'seed' must be")


def test_the_schema_is_printed(raysim):
    ended = raysim("schema")
    assert ended.code == 0
    assert json.loads(ended.out)["title"] == "Scenario"
