"""A bag of tasks whose durations, cores and arrivals are drawn."""

from pathlib import Path

import pytest

from raysim.scenario.loading import parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.samples import sample

DRAWN = """
cluster: {nodes: 2, cpus: 4}
workload:
  kind: tasks
  count: 300
  duration: exponential(mean=2s)
  cpus: empirical(values=1+2)
  arrivals: poisson(rate=2/s)
"""


def experiment(text=DRAWN, **changes):
    parsed = parse_scenario(text, Path("drawn.yaml"))
    return parsed.varied(**changes) if changes else parsed


def test_its_figures_are_those_of_its_tasks():
    bag = experiment().workflow
    assert bag.work_s == pytest.approx(sum(task.runtime_s for task in bag.order))
    assert bag.core_seconds == pytest.approx(sum(task.runtime_s * task.cores for task in bag.order))
    assert bag.critical_path_s == pytest.approx(max(task.runtime_s for task in bag.order))
    assert {need.cores for need in bag.needs} == {1, 2}
    assert list(bag.cores) == [task.cores for task in bag.order]
    ends = [at + task.runtime_s for at, task in zip(bag.arrivals_s, bag.order, strict=True)]
    assert bag.lower_bound_s(1_000) == pytest.approx(max(ends) - bag.arrivals_s[0])
    assert bag.lower_bound_s(2) == pytest.approx(bag.core_seconds / 2)


def test_the_seed_draws_it_and_the_policy_does_not():
    same = experiment(seed=4), experiment(seed=4, policy="spread")
    other = experiment(seed=5)
    first, second, third = (
        [task.runtime_s for task in one.workflow.order] for one in (*same, other)
    )
    assert first == second != third
    assert same[0].workflow.arrivals_s == same[1].workflow.arrivals_s != other.workflow.arrivals_s


def test_other_durations_leave_the_arrivals_as_they_are():
    longer = experiment(DRAWN.replace("mean=2s", "mean=3s"))
    assert longer.workflow.arrivals_s == experiment().workflow.arrivals_s


def test_tasks_are_submitted_when_they_come():
    drawn = experiment()
    run = run_workflow(drawn, RunOptions())
    assert run.summary.failed == 0
    assert list(run.records.submitted_s) == pytest.approx(list(drawn.workflow.arrivals_s), abs=0.01)
    ran = sample("task_run", run.records)
    assert list(ran) == pytest.approx([task.runtime_s for task in drawn.workflow.order], abs=0.01)
    assert list(run.records.cores) == list(drawn.workflow.cores)
    assert run.summary.makespan_s > drawn.workflow.lower_bound_s(8)


def test_arrivals_keep_their_distances_in_scaled_real_time():
    text = DRAWN.replace("count: 300", "count: 20").replace("mean=2s", "mean=200ms")
    drawn = experiment(text)
    run = run_workflow(drawn, RunOptions(backend="cluster", time_scale=0.1))
    assert run.summary.failed == 0
    late = [
        came - due
        for came, due in zip(run.records.submitted_s, drawn.workflow.arrivals_s, strict=True)
    ]
    assert min(late) >= -0.01


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("exponential(mean=2s)", "exponental(mean=2s)", "6:13: unknown distribution 'exponental'"),
        ("exponential(mean=2s)", "exponential", "6:13: 'exponential' does not say all"),
        ("exponential(mean=2s)", "5", "6:13: duration '5' has no unit; did you mean 5s?"),
        ("empirical(values=1+2)", "two", "7:9: 'two' is not a number of at least 0"),
        ("empirical(values=1+2)", "empirical(values=1+9)", "task 'task_"),
        ("poisson(rate=2/s)", "poisson(rate=2)", "8:13: '2' is not a rate above 0"),
        ("poisson(rate=2/s)", "[1]", "8:13: a quantity was expected, not a list"),
    ],
)
def test_a_mistake_is_told_with_its_place(old, new, told):
    with pytest.raises(ScenarioError) as caught:
        experiment(DRAWN.replace(old, new))
    assert told in str(caught.value)


def test_users_and_deadlines_are_drawn_and_leave_the_rest_as_it_is():
    told = DRAWN.replace(
        "count: 300", "count: 300\n  users: 3\n  deadline: uniform(low=1s, high=9s)"
    )
    bag, plain = experiment(told).workflow, experiment().workflow
    assert set(bag.users) == {"user_0", "user_1", "user_2"}
    assert (len(bag.users), len(bag.deadlines_s)) == (300, 300)
    assert all(1 <= within_s <= 9 for within_s in bag.deadlines_s)
    assert (plain.users, plain.deadlines_s) == (None, None)
    assert (bag.order[7], bag.arrivals_s) == (plain.order[7], plain.arrivals_s)


def test_a_run_of_several_users_says_how_evenly_they_were_served_and_who_was_late():
    text = DRAWN.replace("count: 300", "count: 60\n  users: 2\n  deadline: 1s")
    cost = "[{count: 1, cpus: 4, cost_per_hour: 2}, {count: 1, cpus: 4}]"
    text = text.replace("{nodes: 2, cpus: 4}", f"{{nodes: {cost}}}")
    summary = run_workflow(experiment(text), RunOptions()).summary
    assert 0 < summary.fairness_max_min <= summary.fairness_jain <= 1
    assert 0 < summary.deadline_misses < 60
    assert summary.messages > 60
    assert summary.cost == pytest.approx(summary.makespan_s / 3600 * 2, rel=1e-3)
    assert summary.node_hours == pytest.approx(summary.cost, rel=1e-3)


def test_tasks_share_gpus():
    text = DRAWN.replace("{nodes: 2, cpus: 4}", "{nodes: [{cpus: 8, gpus: 2}], network: free}")
    text = text.replace("  arrivals", "  gpus: empirical(values=0+0.25+2)\n  arrivals")
    drawn = experiment(text)
    bag = drawn.workflow
    assert {task.gpus for task in bag.order} == {0, 0.25, 2}
    assert [task.cores for task in bag.order] == [
        task.cores for task in experiment().workflow.order
    ]
    assert {need.gpus for need in bag.needs} == {0, 0.25, 2}
    assert run_workflow(drawn, RunOptions()).summary.failed == 0
    with pytest.raises(ScenarioError, match="needs 2 GPUs, but the largest node has 1"):
        experiment(text.replace("gpus: 2}", "gpus: 1}"))


def test_tasks_that_are_alike_may_have_gpus():
    same = experiment(
        "cluster: {nodes: [{gpus: 1}]}\nworkload: {kind: tasks, count: 4, duration: 1s, gpus: 0.5}"
    )
    assert same.workflow.alike
    run = run_workflow(same, RunOptions())
    assert run.summary.makespan_s == pytest.approx(2, abs=0.2)
