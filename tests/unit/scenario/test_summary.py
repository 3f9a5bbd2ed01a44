import msgspec
import pytest

from raysim.scenario.expectation import parse_expectation
from raysim.scenario.figures import FIGURES, SAMPLES
from raysim.scenario.summary import Outcome, Summary, sample, summarise
from raysim.scenario.task_records import Records
from raysim.scenario.workflow import Workflow, WorkflowTask

PAIR = Workflow("pair", [WorkflowTask("a", "a", 2), WorkflowTask("b", "b", 4, 2, ("a",))])
OUTCOME = Outcome(
    backend="sim", seed=7, nodes=2, cpus=4, wall_s=0.1, makespan_s=7.0, lost_objects=0
)


def records(*rows):
    names = "ab"[: len(rows)]
    found = Records(names, names)
    for row in rows:
        found.add(1.0, **row)
    return found


A = {"start_s": 1.5, "end_s": 3.5}
DONE = records(A, {"start_s": 4.0, "end_s": 8.0, "cores": 2, "attempts": 2})


def test_figures_of_a_run():
    summary = summarise(OUTCOME, DONE, PAIR)
    assert (summary.tasks, summary.edges, summary.failed, summary.retried) == (2, 1, 0, 1)
    assert (summary.work_s, summary.critical_path_s, summary.lower_bound_s) == (6, 6, 6)
    assert summary.makespan_s == 7.0
    assert summary.utilisation == pytest.approx((2 + 8) / (4 * 7))


def test_a_task_that_never_ended_failed():
    summary = summarise(OUTCOME, records(A, {"error": "lost", "attempts": 4}), PAIR)
    assert (summary.failed, summary.retried) == (1, 3)


def test_a_run_without_an_end_has_no_makespan():
    summary = summarise(msgspec.structs.replace(OUTCOME, makespan_s=None), records())
    assert (summary.makespan_s, summary.utilisation, summary.work_s) == (None, None, None)


def test_waiting_counts_from_when_the_parents_ended():
    assert [list(sample(name, DONE, PAIR)) for name in SAMPLES] == [
        *([0.5, 0.5], [2, 4], [2.5, 7]),
        [1.25, 1.75],
    ]
    assert list(sample("task_wait", DONE)) == [0.5, 3.0]


def test_nobody_waited_for_a_parent_that_never_ended():
    b = {"start_s": 4.0, "end_s": 8.0}
    found = records({"error": "lost"}, b)
    assert list(sample("task_wait", found, PAIR)) == [3.0]


def test_expectations_are_judged_by_the_figures():
    expectations = [parse_expectation("failed == 0"), parse_expectation("max(task_wait) < 100ms")]
    summary = summarise(OUTCOME, DONE, PAIR, expectations)
    assert [judgement.held for judgement in summary.expectations] == [True, False]
    assert not summary.held


def test_every_figure_that_may_be_expected_is_in_the_summary():
    assert set(FIGURES) <= set(Summary.__struct_fields__)
    assert all(len(sample(name, DONE, PAIR)) == 2 for name in SAMPLES)


def test_a_summary_is_one_json_object():
    text = msgspec.json.encode(summarise(OUTCOME, DONE, PAIR))
    assert msgspec.json.decode(text, type=Summary) == summarise(OUTCOME, DONE, PAIR)
    assert msgspec.json.decode(text)["bytes_moved"] is None
