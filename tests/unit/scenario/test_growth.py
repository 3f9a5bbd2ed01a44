"""A scenario's cluster that grows: what it may grow to, what it costs, and where it cannot be."""

from pathlib import Path

import pytest

from raysim.journal import Journal
from raysim.scenario.loading import parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow

TEXT = """
cluster:
  nodes: [{cpus: 2, cost_per_hour: 6}]
  autoscaler:
    kinds: {small: {cpus: 4, max: 3, cost_per_hour: 60}, large: {cpus: 16, max: 1, capacity: 1}}
    max: 2
    startup: 20s
    period: 1s
    speed: 10
workload: {kind: tasks, count: 60, duration: 10s}
"""


def experiment(text=TEXT):
    return parse_scenario(text, Path("grows.yaml"))


def test_the_bound_is_of_the_largest_cluster_that_may_be():
    assert experiment().scenario.cluster.most_cpus() == 2 + 16 + 4
    assert experiment().expected_makespan_ns == pytest.approx(600e9 / 22, abs=1)


def test_tasks_may_be_larger_than_what_is_there_at_the_start():
    large = TEXT.replace("duration: 10s", "duration: 10s, cpus: 16")
    assert experiment(large).workflow.needs
    with pytest.raises(ScenarioError, match="needs 17 cores, but the largest node has 16"):
        experiment(TEXT.replace("duration: 10s", "duration: 10s, cpus: 17"))


def test_what_grew_is_paid_for_and_used_while_it_was_there():
    text = TEXT.replace(", large: {cpus: 16, max: 1, capacity: 1}", "")
    summary = run_workflow(experiment(text), RunOptions(journal=Journal())).summary
    assert summary.failed == 0
    # Two small ones come after 20 s. Ten cores are left with 56 tasks, and 2 with those before them.
    assert summary.makespan_s == pytest.approx(80, abs=10)
    head, grown = summary.makespan_s, 2 * (summary.makespan_s - 21)
    assert summary.cost == pytest.approx((6 * head + 60 * grown) / 3600, rel=0.05)
    assert summary.utilisation == pytest.approx(600 / (2 * head + 4 * grown), rel=0.05)
    assert summary.utilisation < 1


def test_no_machines_are_started_on_real_backends():
    with pytest.raises(ScenarioError, match=r"cluster\.autoscaler: no machines can be started on"):
        run_workflow(experiment(), RunOptions(backend="cluster", journal=Journal()))
