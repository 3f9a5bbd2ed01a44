"""The shipped scenarios on the simulator: each runs, holds what it promises, and says what one learns from it."""

from pathlib import Path

import pytest

from raysim.journal import Journal, Level
from raysim.scenario.loading import case_names, load_experiment
from raysim.scenario.programs import run_experiment
from raysim.scenario.running import RunOptions

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = sorted(SCENARIOS.glob("*.yaml"))
SHORT = {"million-tasks": {"count": 2_000}}
"""What would take long is run with fewer tasks here; what it promises holds of fewer, too."""


def experiment_of(file, case):
    experiment = load_experiment(file, case=case)
    fewer = SHORT.get(file.stem)
    if fewer is None:
        return experiment
    return experiment.varied(workload=experiment.scenario.workload.model_copy(update=fewer))


def cases():
    return [
        pytest.param(file, case, id="/".join(filter(None, (file.stem, case))))
        for file in FILES
        for case in case_names(file)
    ]


def test_there_are_scenarios_to_learn_from():
    assert len(FILES) >= 20
    for file in FILES:
        first, second, *_ = file.read_text("utf-8").splitlines()
        assert first.startswith("# "), f"{file.name} does not say what one learns"
        assert len(first + second) > 80


@pytest.mark.parametrize(("file", "case"), cases())
def test_it_holds_what_it_promises(file, case, capsys):
    experiment = experiment_of(file, case)
    assert experiment.scenario.expectations, "it promises nothing"
    done = run_experiment(experiment, RunOptions(journal=Journal(Level.NOTES)))
    assert done.status == 0, capsys.readouterr().err
    broken = [judged for judged in done.run.summary.expectations if not judged.held]
    assert not broken
    assert done.run.notes == ()
