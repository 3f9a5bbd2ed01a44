"""Why a task of a run waited."""

import dataclasses
import json

import pytest

from raysim.journal import NodeJoined, NodeLost, ObjectMoved
from raysim.report.explaining import UnknownTaskError, as_json, explain
from raysim.report.view import view_of
from raysim.scenario.folder import KeptRun, kept
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
    found = json.loads(as_json(explain(done, view_of(done.journal, 1.0, START), task)))
    assert found["text"].startswith(f"Task {task} waited for 2 s")
