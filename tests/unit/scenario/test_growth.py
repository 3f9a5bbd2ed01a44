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


STEADY = """
cluster:
  nodes: [{cpus: 16}]
  autoscaler:
    kinds: {small: {cpus: 4, max: 20}}
    startup: 45s
    idle: 1m
    policy: POLICY
policy: first_fit
workload: {kind: tasks, count: 2500, duration: exponential(mean=20s),
  arrivals: 'diurnal(rate=45/m, swing=0.9, period=40m)'}
"""


def waits_and_use(policy):
    """The wait of all but one task in twenty, and the share of the nodes in use."""
    text = STEADY.replace("POLICY", policy)
    summary = run_workflow(experiment(text), RunOptions(journal=Journal())).summary
    assert summary.failed == 0
    return summary.samples["task_wait"].p95, summary.utilisation


def test_towards_a_target_nobody_waits_for_a_node_to_start_as_with_what_waits_for_one():
    packed, target = (
        waits_and_use(one) for one in ("bin_packing", "target_utilization(target=0.6)")
    )
    assert packed[0] > 1
    assert target[0] < 0.1
    assert target[1] == pytest.approx(0.6, abs=0.12)
    assert packed[1] > target[1]


def test_an_autoscaler_of_one_s_own_lies_beside_its_scenario(tmp_path):
    mine = "class Never:\n    name = 'never'\n    def launch(self, situation):\n        return {}\n"
    (tmp_path / "mine.py").write_text(
        mine + "    def may_leave(self, node, running):\n        return True\n"
    )
    file = tmp_path / "grows.yaml"
    text = STEADY.replace("POLICY", "mine.py:Never").replace("count: 2500", "count: 100")
    file.write_text(text)
    summary = run_workflow(parse_scenario(text, file), RunOptions(journal=Journal())).summary
    assert summary.node_hours == pytest.approx(summary.makespan_s / 3600)
    with pytest.raises(ScenarioError, match=r"grows\.yaml:8:13: there is no file 'my\.py' beside"):
        parse_scenario(text.replace("mine.py", "my.py"), file)
