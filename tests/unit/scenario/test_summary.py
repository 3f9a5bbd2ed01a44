import msgspec
import pytest

from raysim.scenario.expectation import parse_expectation
from raysim.scenario.figures import FIGURES, SAMPLES
from raysim.scenario.summary import Outcome, Summary, summarise
from raysim.scenario.task_records import Records
from raysim.scenario.workflow import Workflow, WorkflowFile, WorkflowTask

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


def test_what_has_a_value_for_each_task_is_told_with_its_percentiles():
    told = summarise(OUTCOME, DONE, PAIR).samples
    assert list(told) == ["task_wait", "task_run", "task_time", "slowdown", "bounded_slowdown"]
    assert (told["task_run"].count, told["task_run"].mean, told["task_run"].p95) == (2, 3, 4)


def test_deadlines_count_from_the_submission_and_a_task_that_never_ended_misses_its_own():
    def missed(*deadlines_s):
        workflow = Workflow("one", PAIR.order)
        workflow.deadlines_s = deadlines_s
        return summarise(OUTCOME, records(A, {"error": "lost"}), workflow).deadline_misses

    assert [missed(2.5, 9), missed(2.4, 9), missed(2.5, 1)] == [1, 2, 1]
    assert summarise(OUTCOME, DONE, PAIR).deadline_misses is None


def test_locality_is_the_share_of_the_inputs_that_were_there():
    files = [WorkflowFile("f", 600), WorkflowFile("from outside", 9)]
    write = WorkflowTask("a", "a", 1, inputs=("from outside",), outputs=("f",))
    readers = [WorkflowTask(name, name, 1, 1, ("a",), ("f",)) for name in "bc"]
    workflow = Workflow("shared", [write, *readers], files)
    moved = msgspec.structs.replace(OUTCOME, bytes_moved=300)
    ran = Records("abc", "abc")
    for _ in "abc":
        ran.add(1.0, 2.0, 3.0)
    assert summarise(moved, ran, workflow).locality == 0.75
    assert summarise(moved, DONE, PAIR).locality is None


def test_users_are_compared_where_there_are_several():
    workflow = Workflow("two", PAIR.order)
    workflow.users = ["ada", "bob"]
    summary = summarise(OUTCOME, DONE, workflow)
    progress = (2 / 2.5, 4 / 7)
    assert summary.fairness_max_min == pytest.approx(progress[1] / progress[0])
    assert summary.fairness_jain == pytest.approx(
        sum(progress) ** 2 / 2 / sum(p * p for p in progress)
    )
    assert summary.fairness_finish_time == pytest.approx(
        7 / 4
    )  # Bob alone: 8 core-seconds on 2 cores.
    assert summarise(OUTCOME, DONE, PAIR).fairness_jain is None


def test_a_task_that_never_ended_failed():
    summary = summarise(OUTCOME, records(A, {"error": "lost", "attempts": 4}), PAIR)
    assert (summary.failed, summary.retried) == (1, 3)


def test_a_run_without_an_end_has_no_makespan():
    summary = summarise(msgspec.structs.replace(OUTCOME, makespan_s=None), records())
    assert (summary.makespan_s, summary.utilisation, summary.work_s) == (None, None, None)


def test_expectations_are_judged_by_the_figures():
    expectations = [parse_expectation("failed == 0"), parse_expectation("max(task_wait) < 100ms")]
    summary = summarise(OUTCOME, DONE, PAIR, expectations)
    assert [judgement.held for judgement in summary.expectations] == [True, False]
    assert not summary.held


def test_every_figure_that_may_be_expected_is_in_the_summary():
    assert set(FIGURES) <= set(Summary.__struct_fields__)
    assert not set(FIGURES) & set(SAMPLES)


def test_a_summary_is_one_json_object():
    text = msgspec.json.encode(summarise(OUTCOME, DONE, PAIR))
    assert msgspec.json.decode(text, type=Summary) == summarise(OUTCOME, DONE, PAIR)
    assert msgspec.json.decode(text)["bytes_moved"] is None


def test_gpus_are_told_where_there_are_any():
    ran = records(A, {"start_s": 4.0, "end_s": 8.0})
    ran.gpus = [0.5, 2.0]
    there = msgspec.structs.replace(OUTCOME, gpus=2.0)
    assert summarise(there, ran).utilisation_gpu == pytest.approx((2 * 0.5 + 4 * 2) / (2 * 7))
    assert summarise(there, DONE).utilisation_gpu == 0
    assert summarise(OUTCOME, DONE).utilisation_gpu is None
