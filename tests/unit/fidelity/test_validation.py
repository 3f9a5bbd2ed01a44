"""The same experiment in both worlds, and the distance between what they say."""

import pytest

from raysim.fidelity.validation import Validated, distance, validated
from raysim.scenario.loading import load_experiment
from raysim.scenario.problems import ScenarioError


def scenario(folder, text):
    file = folder / "small.yaml"
    file.write_text(text)
    return load_experiment(file)


BAG = "cluster: {cpus: 2}\nworkload: {kind: tasks, count: 20, duration: 2s}\n"


def test_a_workflow_that_takes_long_is_scaled_and_told_in_its_own_time(tmp_path):
    found = validated(scenario(tmp_path, BAG), seconds=0.5, runs=1)
    assert (found.time_scale, found.tasks) == (0.025, 20)
    assert found.simulated_s == pytest.approx(20, rel=0.1)
    assert 20 <= found.real_s < 200
    assert found.task_time_error < 10


def test_a_short_one_keeps_its_durations(tmp_path):
    short = BAG.replace("2s", "10ms")
    assert validated(scenario(tmp_path, short), seconds=4, runs=1).time_scale == 1


def test_faults_are_refused(tmp_path):
    faulty = BAG + "faults: [kill_worker(at=1s)]\n"
    with pytest.raises(ScenarioError, match="has faults"):
        validated(scenario(tmp_path, faulty), seconds=1, runs=1)


def test_a_program_that_fails_has_no_makespan_to_compare(tmp_path):
    (tmp_path / "fails.py").write_text("import ray\nray.init()\nraise SystemExit(3)\n")
    text = "workload: {kind: program, file: fails.py}\n"
    with pytest.raises(ScenarioError, match="did not end well on sim: 0 tasks failed, status 3"):
        validated(scenario(tmp_path, text), seconds=1, runs=1)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([1, 2, 3], [3, 1, 2], 0),
        ([1.1, 2.2, 3.3], [1, 2, 3], 0.1),
        ([1, 1, 3, 3], [1, 3], 0),
        ([2, 2], [1, 3], 0.5),
        ([0], [0], 0),
    ],
)
def test_the_distance_of_two_samples(one, other, apart):
    assert distance(one, other) == pytest.approx(apart)


def test_the_error_is_of_the_median_run_and_has_a_sign():
    one = Validated(
        "x", 1.0, simulated_s=9.0, measured_s=(10.0, 12.0, 8.0), tasks=1, task_time_error=0
    )
    assert (one.error, one.spread) == (pytest.approx(-0.1), pytest.approx(0.4))
