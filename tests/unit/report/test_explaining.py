"""Why a task of a run waited."""

import dataclasses
import json

import pytest

from raysim.journal import NodeJoined, NodeLost, ObjectMoved
from raysim.report.explaining import UnknownTaskError, explain
from raysim.report.view import view_of
from raysim.scenario.folder import KeptRun, kept, read_run, write_run
from raysim.scenario.loading import parse_scenario
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.task_records import Records
from raysim.spec.explanation import Reason
from tests.unit.report.conftest import NODES, SECOND, START, ended, journal_of

MS = 1_000_000
NAMES = ("first", "second", "third")


@pytest.fixture
def told(run):
    """Three tasks: the second was lost with its node, the third comes after the first and fetches its result."""
    journal = journal_of(
        (-1, NodeJoined(NODES[0], "node-0", 2.0)),
        (-1, NodeJoined(NODES[1], "node-1", 1.0)),
        (1.5, ended(2, "retried", 0, 1.5, node=1, worker=b"\x02" * 4)),
        (1.5, NodeLost(NODES[1], "node-1", "silent")),
        (4, ended(1, "finished", 0, 4)),
        (4.25, ObjectMoved(b"\x07" * 4, NODES[1], NODES[0], 5_000_000, START + 4 * SECOND)),
        (6, ended(2, "finished", 4, 6, attempt=1)),
        (9, ended(3, "finished", 4.5, 9, worker=b"\x03" * 4)),
    )
    records = Records(list(NAMES), list(NAMES))
    records.add(0.0, 0.0, 4.0, cores=2, node="node-0", stage="task", pushed_s=0.0)
    records.add(0.0, 4.0, 6.0, attempts=2, node="node-0", stage="task", pushed_s=4.0)
    records.add(0.0, 4.5, 9.0, node="node-0", stage="task", pushed_s=4.0)
    records.ready_s = [0.0, 0.0, 4.0]
    parents = {"first": (), "second": (), "third": ("first",)}
    return KeptRun(run.summary, records, journal, parents, 1.0, START)


def explained(told, task):
    return explain(told, view_of(told.journal, 1.0, told.start_ns), task)


def test_a_task_that_found_a_worker_at_once_says_so(told):
    found = explained(told, "first")
    assert found.reason == Reason.READY
    assert str(found).splitlines() == [
        "Task first waited for 0 s, from 0 s to 0 s, and ran for 4 s on node-0.",
        "  It found a worker at once: it needs 2 CPU, and was sent to node-0 after 0 s.",
        "  It started 0 s after it was sent to its worker.",
    ]


def test_a_lost_attempt_is_told_and_what_held_each_node_since(told):
    found = explained(told, "second")
    lost, room, _ = found.because
    assert found.reason == Reason.NO_ROOM
    assert (
        lost.text == "Attempt 1 was sent to a worker at 0 s and ended at 1.5 s, retried: it went."
    )
    assert (room.reason, room.for_s) == (Reason.NO_ROOM, 2.5)
    assert [str(node.why) for node in room.nodes] == [
        "never had room in 2.5 s: of 2 CPU 0% were free; it ran first for 2.5 s",
        "was lost at 1.5 s",
    ]


def test_what_it_came_after_and_what_was_brought_to_it_are_told(told):
    found = explained(told, "third")
    parents, _, turn = found.because
    assert parents.text == "It came after 1 task, and was ready at 4 s:"
    assert [one.text for one in parents.because] == ["Task first ended at 4 s on node-0."]
    assert (turn.for_s, turn.reason) == (0.5, Reason.PENDING_ARGUMENT)
    assert turn.text.endswith("started 500ms later: meanwhile 1 object of 5 MB came to node-0.")


def test_a_node_that_could_never_run_it_says_so(told):
    told.records.cores[1] = 2.0
    room = explained(told, "second").because[1]
    assert [node.ever for node in room.nodes] == [True, False]
    assert room.nodes[1].why == "has 1 CPU in all, which is never enough"


def test_a_task_that_failed_says_of_what(told):
    records = Records(["only"], ["only"])
    records.add(0.0, error="its node was lost")
    run = dataclasses.replace(told, records=records, parents=None)
    found = explained(run, "only")
    assert found.reason == Reason.FAILED
    assert found.text == "Task only never completed: its node was lost."


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("frist", "no task of this run is called 'frist'; did you mean first?"),
        ("", "no task of this run is called ''"),
        ("task", "3 tasks are called 'task': say which by its id, such as first, second, third"),
        ("zzz", "no task of this run is called 'zzz'$"),
    ],
)
def test_an_unknown_task_is_told_with_the_nearest(told, task, says):
    told.records.names = ["task"] * 3
    with pytest.raises(UnknownTaskError, match=says):
        explained(told, task)


def test_the_beginning_of_an_id_is_enough_where_one_task_has_it(told):
    assert explained(told, "sec").text.startswith("Task second")
    told.records.ids[0] = "sector"
    with pytest.raises(UnknownTaskError, match="ids of 2 tasks begin with 'sec'"):
        explained(told, "sec")


def test_it_is_one_object_for_programs(run):
    done = kept(run)
    task = run.records.ids[1]
    found = json.loads(explain(done, view_of(done.journal, 1.0, START), task).as_json())
    assert found["text"].startswith(f"Task {task} waited for 2 s")


@pytest.fixture
def queued(run):
    """One core: the second task came first, the third last."""
    journal = journal_of((-1, NodeJoined(NODES[0], "node-0", 1.0)))
    records = Records(list(NAMES), list(NAMES))
    records.add(2.0, 9.0, 12.0, node="node-0", stage="task", pushed_s=9.0)
    records.add(1.0, 3.0, 6.0, node="node-0", stage="task", pushed_s=3.0)
    records.add(4.0, 6.0, 9.0, node="node-0", stage="task", pushed_s=6.0)
    records.ready_s = [2.0, 1.0, 4.0]
    return KeptRun(run.summary, records, journal, None, 1.0, START)


def test_an_order_of_the_queue_is_named_with_those_that_it_served_before(queued):
    found = explained(dataclasses.replace(queued, queue="sjf"), "first")
    (turn,) = found.because[0].because
    assert turn.text == (
        "Whose turn it was said the order of the queue, sjf. Before it node-0 served 1 task that came before it, "
        "the last second (1 CPU, came at 1 s, served at 3 s), and 1 task that came after it, the first third "
        "(1 CPU, came at 4 s, served at 6 s)."
    )


def test_nobody_is_said_to_be_served_before_where_there_is_no_order(queued):
    assert not explained(queued, "first").because[0].because
    alone = explained(dataclasses.replace(queued, queue="sjf"), "second")
    assert not alone.because[0].because


def test_a_policy_that_says_where_a_task_waits_is_named(queued):
    found = explained(dataclasses.replace(queued, queued_by="late_binding(ratio=2)"), "first")
    told = "for a worker with 1 CPU in the queue of node-0, where late_binding(ratio=2) put it:"
    assert told in str(found)


def test_a_folder_keeps_who_said_whose_turn_it_was(tmp_path):
    text = "policy: power_of_d(d=2)\nqueue: sjf\nworkload: {kind: tasks, count: 3, duration: 1s}\n"
    experiment = parse_scenario(text, tmp_path / "some.yaml")
    write_run(kept(run_workflow(experiment, RunOptions())), tmp_path)
    found = read_run(tmp_path)
    assert (found.queue, found.queued_by) == ("sjf", "power_of_d(d=2)")
