from pathlib import Path

import pytest

from raysim.scenario.comparison import MEASURES, Cell, Comparison, Outcome, Plan, compare
from raysim.scenario.problems import ScenarioError

SCENARIO = """
cluster: {nodes: 3, cpus: 2}
workload:
  kind: tasks
  count: 60
  duration: exponential(mean=1s)
  cpus: empirical(values=1+1+2)
  arrivals: poisson(rate=4/s)
"""


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "some.yaml"
    file.write_text(SCENARIO)
    return str(file)


def made(values, policies=("one", "other"), measure="makespan_s"):
    """A comparison with these values: by policy, those of the seeds."""
    plan = Plan(("some.yaml",), policies, len(values[0]), measures=(measure,))
    outcomes = tuple(
        Outcome(Cell("some.yaml", policy, seed), (value,))
        for policy, column in zip(policies, values, strict=True)
        for seed, value in enumerate(column)
    )
    return Comparison(plan, outcomes)


def test_every_policy_runs_every_seed_of_every_scenario(scenario):
    plan = Plan((scenario,), ("hybrid", "worst_fit", "random"), 4, first=7)
    told = []
    comparison = compare(plan, progress=lambda done, total: told.append((done, total)))
    assert [one.cell for one in comparison.outcomes] == [
        Cell(scenario, policy, seed)
        for seed in (7, 8, 9, 10)
        for policy in ("hybrid", "worst_fit", "random")
    ]
    assert told == [(done, 12) for done in range(1, 13)]
    lines = list(comparison.lines())
    assert [(line.measure, line.policy) for line in lines] == [
        (measure, policy) for measure in MEASURES for policy in plan.policies
    ]
    assert all(line.runs == 4 for line in lines)


def test_several_processes_find_what_one_finds(scenario):
    plan = Plan((scenario,), ("hybrid", "spread"), 3)
    assert compare(plan, 2) == compare(plan, 1)


def test_a_policy_compared_with_itself_shows_no_difference(scenario):
    # The same by another name: not one figure may differ.
    plan = Plan((scenario,), ("best_fit", "raysim.policies.fit:BestFit"), 5)
    others = [line for line in compare(plan).lines() if line.difference is not None]
    assert len(others) == len(MEASURES)
    assert not any(line.shown or line.difference.mean for line in others)


def test_tasks_of_the_warm_up_are_not_counted(scenario):
    measures = ("mean(task_wait)", "mean(slowdown)", "makespan_s")
    whole, warm, late = (
        compare(Plan((scenario,), ("hybrid", "spread"), 2, 0, measures, warm_up_s)).outcomes
        for warm_up_s in (0, 5, 1_000)
    )
    for one, other, none in zip(whole, warm, late, strict=True):
        assert one.values[0] != other.values[0]
        assert one.values[1] != other.values[1]
        assert one.values[2] == other.values[2] == none.values[2]
        assert none.values[:2] == (None, None)


def test_the_difference_is_from_the_first_policy_run_by_run():
    comparison = made([[10, 20, 30, 40, 50], [9, 18, 27, 36.5, 44]])
    baseline, other = comparison.lines()
    assert (baseline.mean.mean, baseline.difference, baseline.shown) == (30, None, False)
    assert other.difference.mean == pytest.approx(-3.1)
    assert other.relative == pytest.approx(-0.1033, abs=1e-4)
    assert other.shown


def test_runs_without_a_value_are_left_out_and_counted():
    baseline, other = made([[1.0, 2.0, None], [3.0, None, 5.0]]).lines()
    assert (baseline.runs, other.runs) == (2, 2)
    assert other.difference.mean == 2
    nothing = list(made([[None, None], [1.0, 2.0]]).lines())
    assert nothing[0].mean is None
    assert nothing[1].difference is None


def test_what_cannot_be_compared_is_told_at_once(tmp_path, scenario):
    program = tmp_path / "app.py"
    program.write_text("print(1)")
    plan = Plan((scenario, str(program), str(tmp_path / "non.yaml")), ("hybird", "spread"), 2)
    with pytest.raises(ScenarioError) as caught:
        compare(plan)
    told = str(caught.value)
    assert "did you mean hybrid?" in told
    assert f"{program}: is a program" in told
    assert "non.yaml" in told
    assert len(told.splitlines()) == len(set(told.splitlines()))


def test_the_shipped_scenario_can_be_compared(repository: Path):
    plan = Plan((str(repository / "scenarios" / "shared-cluster.yaml"),), ("hybrid", "best_fit"), 1)
    assert len(compare(plan).outcomes) == 2
