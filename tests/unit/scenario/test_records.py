from raysim.journal import Journal, NodeJoined, ObjectGone, ObjectMoved, TaskEnded
from raysim.scenario.records import Notes, makespan_s, records_of_program, records_of_workflow
from raysim.scenario.task_records import Span
from raysim.scenario.workflow import Workflow, WorkflowTask

S = 1_000_000_000
PAIR = Workflow("pair", [WorkflowTask("a", "a", 2), WorkflowTask("b", "b", 4, 2, ("a",))])
IDS = [b"A", b"B"]


def ended(task_id, status, start_s, end_s, attempt=0, node=b"n0", reason=""):
    return TaskEnded(
        task_id,
        "stage",
        attempt,
        status,
        10 * S,
        10 * S,
        start_s * S,
        end_s * S,
        node,
        b"w",
        reason,
    )


def notes(*what):
    journal = Journal()
    early = what[: len(what) // 2]
    for note in early:
        journal.write(0, "driver", "note", note)
    found = Notes(journal)  # Which follows what is written later.
    for note in what[len(early) :]:
        journal.write(0, "driver", "note", note)
    return found


def test_times_count_from_the_start_in_the_workload_s_seconds():
    found = notes(
        NodeJoined(b"n0", "node-0", 4),
        ended(b"A", "finished", 11, 12),
        ended(b"B", "finished", 12, 14),
    )
    a, b = records_of_workflow(PAIR, IDS, found, start_ns=10 * S, time_scale=0.5)
    assert (a.submitted_s, a.ran, a.node, a.error) == (0, Span(2, 4), "node-0", None)
    assert (b.ran, b.cores) == (Span(4, 8), 2)


def test_attempts_count_and_the_first_that_finished_is_told():
    found = notes(
        ended(b"A", "retried", 11, 12, 0, reason="its worker died"),
        ended(b"A", "finished", 13, 15, 1),
        ended(b"A", "finished", 20, 22, 2),
        ended(b"B", "finished", 22, 26),
    )
    a, b = records_of_workflow(PAIR, IDS, found, start_ns=10 * S)
    assert (a.attempts, a.ran, a.error) == (3, Span(3, 5), None)
    assert b.attempts == 1
    assert found.ended.lost_ns == (1 + 2) * S


def test_the_makespan_ends_with_the_last_first_completion():
    found = notes(
        ended(b"A", "retried", 11, 12),
        ended(b"A", "finished", 13, 15, 1),
        ended(b"B", "finished", 15, 17),
        ended(b"A", "finished", 20, 22, 2),
        ended(b"C", "finished", 90, 99),
    )
    assert makespan_s(found, IDS) == 7
    assert makespan_s(found, IDS, time_scale=0.5) == 14
    assert makespan_s(notes(ended(b"A", "failed", 11, 12)), IDS) is None


def test_a_task_that_failed_says_why():
    found = notes(ended(b"A", "retried", 11, 12), ended(b"A", "failed", 12, 13, reason="no node"))
    a, b = records_of_workflow(PAIR, IDS, found, start_ns=10 * S)
    assert (a.ran, a.error, a.attempts) == (None, "no node", 2)
    assert (b.ran, b.error) == (None, "it never ended")


def test_objects_that_moved_or_went_are_counted():
    found = notes(
        ObjectMoved(b"x", b"n0", b"n1", 7, 0),
        ObjectMoved(b"x", b"n0", b"n2", 7, 0),
        ObjectGone(b"y", ""),
    )
    assert (found.bytes_moved, found.lost_objects) == (14, 1)


def test_a_program_has_a_record_for_each_task_that_ended():
    found = notes(
        ended(b"A", "retried", 11, 12),
        ended(b"B", "finished", 11, 12),
        ended(b"A", "finished", 12, 13),
    )
    records = records_of_program(found, start_ns=0)
    assert [(record.id, record.name, record.attempts) for record in records] == [
        (b"A".hex(), "stage", 2),
        (b"B".hex(), "stage", 1),
    ]
