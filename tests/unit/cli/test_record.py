"""`raysim run --record`: what ran becomes a workload that runs again, elsewhere and otherwise."""

import json
from pathlib import Path

import pytest

from raysim.scenario.loading import load_scenario

PROGRAM = """
import time
import ray

@ray.remote
def work(seconds):
    time.sleep(seconds)

ray.init(num_cpus=1)
for seconds in (1, 2, 3):
    ray.get(work.remote(seconds))
"""
FLOW = {
    "name": "flow",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"id": "a", "name": "a", "parents": [], "children": ["b"], "outputFiles": ["f"]},
                {"id": "b", "name": "b", "parents": ["a"], "children": [], "inputFiles": ["f"]},
            ],
            "files": [{"id": "f", "sizeInBytes": 1000}],
        },
        "execution": {
            "tasks": [
                {"id": "a", "runtimeInSeconds": 2, "coreCount": 2},
                {"id": "b", "runtimeInSeconds": 3},
            ]
        },
    },
}


def makespan(ended):
    assert ended.code == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])["makespan_s"]


def test_a_scenario_runs_again_as_it_went_and_on_other_nodes(raysim):
    text = (
        Path("bag.yaml")
        .read_text()
        .replace("duration: 1s", "duration: exponential(mean=1s), users: 2")
    )
    Path("bag.yaml").write_text(text)
    first = makespan(raysim("run", "bag.yaml", "--no-out", "--json", "--record", "again.yaml"))
    assert makespan(raysim("run", "again.yaml", "--no-out", "--json")) == pytest.approx(
        first, rel=0.01
    )
    assert makespan(raysim("run", "again.yaml", "--cpus", "8", "--no-out", "--json")) < first
    again = load_scenario(Path("again.yaml"))
    assert {task.user for task in again.workflow.traced} == {"user_0", "user_1"}
    assert again.scenario.cluster.total_cpus() == 4
    assert Path("again.yaml").read_text().startswith("# Recorded: raysim run bag.yaml\n")


def test_a_program_s_tasks_come_again_when_they_came(raysim):
    Path("app.py").write_text(PROGRAM)
    assert raysim("run", "app.py", "--record", "again.yaml").code == 0
    replay = load_scenario(Path("again.yaml")).workflow
    assert [task.runtime_s for task in replay.order] == pytest.approx([1, 2, 3], abs=0.01)
    assert list(replay.arrivals_s) == pytest.approx([0, 1, 3], abs=0.1)
    assert raysim("run", "again.yaml", "--no-out", "--policy", "spread").code == 0


def test_a_workflow_keeps_its_edges_and_files(raysim):
    Path("flow.json").write_text(json.dumps(FLOW))
    ended = raysim("run", "flow.json", "--record", "again.yaml")
    assert ended.code == 0
    flow = load_scenario(Path("again.yaml")).workflow
    assert [(task.id, task.parents, task.cores) for task in flow.order] == [
        ("a", (), 2),
        ("b", ("a",), 1),
    ]
    assert [task.runtime_s for task in flow.order] == pytest.approx([2, 3], abs=0.01)
    assert flow.file_bytes == 1000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("again.csv", "--record again.csv: a recording is a scenario, so its name ends in .yaml"),
        ("no/again.yaml", "--record no/again.yaml: cannot be written: there is no folder 'no'"),
    ],
)
def test_where_it_cannot_be_left_is_told(raysim, name, said):
    ended = raysim("run", "bag.yaml", "--no-out", "--record", name)
    assert ended.code == 2
    assert ended.err.startswith(said)
