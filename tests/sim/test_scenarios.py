"""The shipped scenarios of the simulator."""

from pathlib import Path

from raysim.journal import Journal
from raysim.scenario.loading import load_experiment
from raysim.scenario.programs import run_experiment
from raysim.scenario.running import RunOptions

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_a_day_that_is_mostly_idle_holds_what_it_promises():
    experiment = load_experiment(SCENARIOS / "idle-day.yaml")
    done = run_experiment(experiment, RunOptions(journal=Journal()))
    assert done.status == 0
    assert done.run.summary.held
    assert done.run.notes == ()
