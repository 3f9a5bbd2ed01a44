"""Work stealing and Hawk, against what their papers compare them with."""

from pathlib import Path

from raysim.journal import Journal, TaskEnded
from raysim.scenario.loading import parse_scenario
from raysim.scenario.running import RunOptions, run_workflow

MIXED = """
cluster: {nodes: 20, cpus: 1, network: free}
policy: POLICY
workload: {kind: tasks, count: 800, duration: 'hyperexponential(mean=2s, cv2=10)', arrivals: poisson(rate=9/s)}
"""

AT_ONCE = """
cluster: {nodes: 4, cpus: 4}
policy: POLICY
workload: {kind: tasks, count: 320, duration: exponential(mean=1s)}
"""


def run(text, policy):
    journal = Journal()
    summary = run_workflow(
        parse_scenario(text.replace("POLICY", policy), Path("s.yaml")), RunOptions(journal=journal)
    ).summary
    assert summary.failed == 0
    return summary, journal.notes(TaskEnded)


def p90_of_the_short(policy):
    """Seconds until nine of ten tasks of less than 5 s have begun."""
    _, ended = run(MIXED, policy)
    waits = sorted(
        one.start_ns - one.submitted_ns for one in ended if one.end_ns - one.start_ns < 5e9
    )
    return waits[len(waits) * 9 // 10] / 1e9


def test_hawk_keeps_short_tasks_from_waiting_behind_long_ones_as_sparrow_s_do():
    """Delgado et al. 2015, figures 5 and 7: at high load, and stealing has the larger part in it."""
    hawk = p90_of_the_short("hawk(cutoff_s=5)")
    assert hawk < 0.5 * p90_of_the_short("late_binding(ratio=2)")
    assert hawk < 0.6 * p90_of_the_short("hawk(cutoff_s=5, tries=0)")


def test_all_nodes_work_on_what_was_submitted_at_one():
    """Blumofe and Leiserson 1999: the work by the cores, and as much as the critical path again."""
    summary, ended = run(AT_ONCE, "work_stealing")
    assert summary.makespan_s < 1.3 * summary.lower_bound_s
    assert len({one.node_id for one in ended}) == 4
