import msgspec
import pytest

from raysim.scenario.expectation import parse_expectation
from raysim.scenario.figures import FIGURES, SAMPLES
from raysim.scenario.summary import Outcome, Span, Summary, TaskRecord, samples, summarise
from raysim.scenario.workflow import Workflow, WorkflowTask

PAIR = Workflow("pair", [WorkflowTask("a", "a", 2), WorkflowTask("b", "b", 4, 2, ("a",))])
OUTCOME = Outcome(
    backend="sim", seed=7, nodes=2, cpus=4, wall_s=0.1, makespan_s=7.0, lost_objects=0
)


def record(name, start_s, end_s, **rest):
    return TaskRecord(id=name, name=name, submitted_s=1.0, ran=Span(start_s, end_s), **rest)


DONE = [record("a", 1.5, 3.5), record("b", 4.0, 8.0, cores=2, attempts=2)]


def test_figures_of_a_run():
    summary = summarise(OUTCOME, DONE, PAIR)
    assert (summary.tasks, summary.edges, summary.failed, summary.retried) == (2, 1, 0, 1)
    assert (summary.work_s, summary.critical_path_s, summary.lower_bound_s) == (6, 6, 6)
    assert summary.makespan_s == 7.0
    assert summary.utilisation == pytest.approx((2 + 8) / (4 * 7))


def test_a_task_that_never_ended_failed():
    lost = TaskRecord(id="b", name="b", submitted_s=1.0, error="lost", attempts=4)
    summary = summarise(OUTCOME, [DONE[0], lost], PAIR)
    assert (summary.failed, summary.retried) == (1, 3)


def test_a_run_without_an_end_has_no_makespan():
    summary = summarise(msgspec.structs.replace(OUTCOME, makespan_s=None), [])
    assert (summary.makespan_s, summary.utilisation, summary.work_s) == (None, None, None)


def test_waiting_counts_from_when_the_parents_ended():
    waits = samples(DONE, PAIR)
    assert waits == {"task_wait": [0.5, 0.5], "task_run": [2.0, 4.0], "task_time": [2.5, 7.0]}
    assert samples(DONE)["task_wait"] == [0.5, 3.0]


def test_expectations_are_judged_by_the_figures():
    expectations = [parse_expectation("failed == 0"), parse_expectation("max(task_wait) < 100ms")]
    summary = summarise(OUTCOME, DONE, PAIR, expectations)
    assert [judgement.held for judgement in summary.expectations] == [True, False]
    assert not summary.held


def test_every_figure_that_may_be_expected_is_in_the_summary():
    assert set(FIGURES) <= set(Summary.__struct_fields__)
    assert set(SAMPLES) == set(samples(DONE, PAIR))


def test_a_summary_is_one_json_object():
    text = msgspec.json.encode(summarise(OUTCOME, DONE, PAIR))
    assert msgspec.json.decode(text, type=Summary) == summarise(OUTCOME, DONE, PAIR)
    assert msgspec.json.decode(text)["bytes_moved"] is None
