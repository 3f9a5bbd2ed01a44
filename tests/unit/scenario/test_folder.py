"""A run's folder, read again."""

import json
from pathlib import Path

import pytest

from raysim.scenario.folder import kept, read_run, write_run
from raysim.scenario.loading import load_experiment, parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow

FAULTY = """
cluster: {nodes: 3, cpus: 2, network: {resets: true}}
workload: {kind: tasks, count: 20, duration: 2s, result_size: 1MB}
faults: ["kill_node(at=3s, node=1)"]
"""


@pytest.fixture(scope="module")
def run():
    return kept(run_workflow(parse_scenario(FAULTY, Path("faulty.yaml")), RunOptions()))


def test_what_was_written_is_read(run, tmp_path):
    write_run(run, tmp_path / "out")
    again = read_run(tmp_path / "out")
    assert again.summary == run.summary
    assert again.journal.records == run.journal.records
    assert list(again.records.stages) == list(run.records.stages)
    for one, other in zip(run.records, again.records, strict=True):
        assert (one.id, one.node, one.attempts, one.error) == (
            *(other.id, other.node, other.attempts, other.error),
        )
        assert other.ran.end_s == pytest.approx(one.ran.end_s)
    assert list(again.records.pushed_s) == pytest.approx(list(run.records.pushed_s))


def test_a_fault_s_own_kind_is_not_that_of_its_record(run, tmp_path):
    write_run(run, tmp_path)
    lines = map(json.loads, (tmp_path / "journal.jsonl").read_text().splitlines())
    (fault,) = (line for line in lines if line["type"] == "FaultInjected")
    assert (fault["kind"], fault["what"]["kind"]) == ("note", "kill_node")


def test_a_graph_and_when_its_tasks_were_ready_are_kept(repository, tmp_path):
    experiment = load_experiment(repository / "scenarios" / "quickstart.yaml")
    done = kept(run_workflow(experiment, RunOptions()), 1.0)
    write_run(done, tmp_path)
    again = read_run(tmp_path)
    assert again.parents is not None
    assert {task: tuple(parents) for task, parents in again.parents.items()} == done.parents
    assert list(again.records.ready_s) == pytest.approx(list(done.records.ready_s))
    assert max(again.records.ready_s) > max(again.records.submitted_s)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("summary.json", None, "cannot be read: No such file"),
        ("summary.json", b"{}", "not what this version of raysim writes"),
        ("tasks.csv", b"id,name\n1,2\n", "not what this version of raysim writes"),
        ("journal.jsonl", b"]\n", "not what this version of raysim writes"),
        ("journal.jsonl", b"{}\n", "not what this version of raysim writes"),
    ],
)
def test_a_folder_that_is_none_says_so(run, tmp_path, name, content, says):
    write_run(run, tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ScenarioError, match=says):
        read_run(tmp_path)
