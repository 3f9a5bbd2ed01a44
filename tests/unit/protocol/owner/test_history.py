"""What an owner shows of its calls: those under way, and those that have ended, the latest ones."""

import pytest

from raysim.config import Config
from raysim.protocol.messages import Return, TaskStatus
from raysim.protocol.owner import history
from raysim.protocol.sieve import COLUMNS, Sieve
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import TaskId, task_of_object
from raysim.spec.state import Condition, Wanted
from raysim.spec.task import TaskCall
from tests.unit.protocol.owner.rig import BACKGROUND_NS, RAYLET, OwnerRig, inline, template


def rows(rig, limit=100, only=b""):
    return rig.owner.task_states.rows(limit, only)[0]


def states(rig):
    return [row.state for row in rows(rig)]


def raised(rig, payload=b"pickled", **options):
    """A call that ran and raised this."""
    object_id = rig.submit(what=template(max_retries=0, **options))
    worker = rig.grant()
    rig.done(worker, object_id, inline(payload), status=TaskStatus.APPLICATION_ERROR)
    rig.host.advance(BACKGROUND_NS)  # The lease is given back.
    return object_id


@pytest.fixture
def short():
    """An owner that remembers three."""
    return OwnerRig(config=Config(task_history=3))


def test_the_way_of_a_call(rig):
    argument = rig.submit(what=template(name="first"))
    rig.submit(argument, what=template(name="second"))
    assert states(rig) == ["PENDING_NODE_ASSIGNMENT", "PENDING_ARGS_AVAIL"]
    worker = rig.grant()
    assert states(rig) == ["SUBMITTED_TO_WORKER", "PENDING_ARGS_AVAIL"]
    assert rows(rig)[0].worker == worker
    rig.done(worker, argument, inline())
    assert sorted(states(rig)) == ["FINISHED", "PENDING_NODE_ASSIGNMENT"]


def test_the_latest_are_remembered(short):
    ids = [task_of_object(short.ran()) for _ in range(5)]
    assert [row.task_id for row in rows(short)] == ids[2:]
    found, total = short.owner.task_states.rows(2, b"")
    assert [row.task_id for row in found] == ids[3:]
    assert total == 3


def test_one_is_found_by_its_id_however_many_there_are(rig):
    ids = [task_of_object(rig.ran()) for _ in range(5)]
    found, total = rig.owner.task_states.rows(1, ids[1])
    assert [row.task_id for row in found] == [ids[1]]
    assert total == 1


def test_those_under_way_come_before_those_that_have_ended(short):
    for _ in range(3):
        short.ran()
    waiting = short.submit()
    found, total = short.owner.task_states.rows(2, b"")
    assert [row.state for row in found] == ["FINISHED", "PENDING_NODE_ASSIGNMENT"]
    assert found[-1].task_id == task_of_object(waiting)
    assert total == 4


def wanted(rig, first, **tests):
    """Names and states, and how many pass."""
    found, total = rig.owner.task_states.wanted(
        Wanted(first, [Condition(column, value) for column, value in tests.items()])
    )
    return [(row.name, row.state) for row in found], total


def test_the_first_by_their_ids_of_those_that_pass_are_found_among_all(rig):
    ids = sorted(task_of_object(rig.ran(what=template(name="Low"))) for _ in range(5))
    rig.ran(what=template(name="high"))
    waiting = rig.submit(what=template(name="low"))
    assert wanted(rig, 2, name="low", state="finished") == ([("Low", "FINISHED")] * 2, 5)
    found, total = rig.owner.task_states.wanted(Wanted(3, [Condition("name", "Low")]))
    assert [row.task_id for row in found] == sorted([*ids, task_of_object(waiting)])[:3]
    assert total == 6
    assert wanted(rig, 9, task_id=ids[3].hex()) == ([("Low", "FINISHED")], 1)
    assert wanted(rig, 0)[1] == 7


@pytest.mark.parametrize("column", COLUMNS)
def test_what_passes_among_all_is_what_each_passes_alone(rig, column):
    """Those that ended well in a row are tested together."""
    ids = [task_of_object(rig.ran(what=template(name=name))) for name in "aabba"]
    raised(rig, name="b")
    ids.append(task_of_object(rig.ran(what=template(name="b"))))
    every = rows(rig)
    values = {"name": "a", "state": "finished", "task_id": ids[3].hex(), "attempt_number": 0}
    for value in (values.get(column, ""), "NORMAL_TASK"):
        for equal in (True, False):
            tests = [Condition(column, value, equal), Condition("name", "b")]
            for some in (tests, tests[:1]):
                passes = Sieve(some).passes
                found = rig.owner.history.passing(Sieve(some))
                assert [one for one, _, _ in found] == [row.task_id for row in every if passes(row)]


def test_where_a_call_is_that_was_sent_others_know_so_it_passes(rig):
    """Who asks adds what its worker says, and tests again."""
    rig.submit(what=template(name="sent"))
    rig.grant()
    rig.submit(what=template(name="waits", resources={"GPU": 1}))
    sent = ("sent", "SUBMITTED_TO_WORKER")
    assert wanted(rig, 5, state="RUNNING") == ([sent], 1)
    assert wanted(rig, 0, name="sent") == ([sent], 1)
    assert wanted(rig, 5, name="waits", state="RUNNING") == ([], 0)


def test_all_that_pass_are_counted_by_name_kind_and_state(rig):
    for name in ("low", "low", "high"):
        rig.ran(what=template(name=name))
    raised(rig, name="low")
    rig.submit(what=template(name="sent"))
    rig.grant()
    rig.submit(what=template(name="low", resources={"GPU": 1}))
    found, total = rig.owner.task_states.counted(Wanted(0, [], True))
    counts = {(one.name, one.state): one.count for one in found[:-1]}
    assert counts == {
        ("low", "FINISHED"): 2,
        ("high", "FINISHED"): 1,
        ("low", "FAILED"): 1,
        ("low", "PENDING_NODE_ASSIGNMENT"): 1,
    }
    assert {one.kind for one in found[:-1]} == {"NORMAL_TASK"}
    assert (found[-1].name, total) == ("sent", 5)
    only, _ = rig.owner.task_states.counted(Wanted(0, [Condition("name", "high")], True))
    assert [(one.name, one.count) for one in only] == [("high", 1)]


def test_hidden_calls_are_not_shown(rig):
    rig.submit(what=template(hidden=True, name="waits"))
    rig.ran(what=template(hidden=True, name="ended"))
    assert rows(rig) == []


def test_each_attempt_is_remembered(rig):
    object_id = rig.submit(what=template(max_retries=1))
    rig.lose(rig.grant("one"))
    rig.lose(rig.grant("other"))
    assert [(row.attempt, row.state, row.error) for row in rows(rig)] == [
        (0, "FAILED", "WORKER_DIED"),
        (1, "FAILED", "WORKER_DIED"),
    ]
    assert {row.task_id for row in rows(rig)} == {task_of_object(object_id)}


def test_words_for_what_ended_a_call(rig):
    raised(rig)
    refused = Failure(FailureKind.OBJECT_LOST, "gone")
    lost = rig.submit(what=template(max_retries=0))
    rig.done(rig.grant("other"), lost, status=TaskStatus.FAILED, failure=refused)
    cancelled = rig.submit(what=template(name="unwanted"))
    rig.owner.cancel(task_of_object(cancelled), force=False, recursive=False)
    assert [row.error for row in rows(rig)] == [
        "TASK_EXECUTION_EXCEPTION",
        "OBJECT_LOST",
        "TASK_CANCELLED",
    ]


def test_a_call_whose_argument_failed(rig):
    argument = raised(rig)
    rig.submit(argument)
    assert [row.error for row in rows(rig)][1] == "DEPENDENCY_RESOLUTION_FAILED"
    assert rows(rig)[1].start_ns == 0


def test_exceptions_are_kept_while_there_are_not_too_many(rig, monkeypatch):
    monkeypatch.setattr(history, "ERRORS", 2)
    for payload in (b"one", b"two", b"three"):
        raised(rig, payload)
    assert [row.payload for row in rows(rig)] == [b"", b"two", b"three"]


def test_an_exception_that_is_too_large_is_not_kept(rig):
    raised(rig, bytes(history.ERROR_BYTES + 1))
    [row] = rows(rig)
    assert (row.error, row.payload) == ("TASK_EXECUTION_EXCEPTION", b"")


def test_a_name_and_the_function_behind_it(rig):
    rig.ran(what=template(name="given", function_name="defined"))
    [row] = rows(rig)
    assert (row.name, row.function) == ("given", "defined")


def test_what_submitted_a_call(rig):
    parent = TaskId(b"parent of the call......")
    cls = rig.owner.tasks.leases.class_of(template(), b"function")
    rig.owner.tasks.submit(cls, TaskCall(rig.ids.task(), 0, b""), [], "child", parent)
    assert [row.parent for row in rows(rig)] == [parent]


def test_references_and_the_calls_that_make_them(rig):
    argument = rig.put(b"12345")
    result = rig.submit(argument)
    stored = rig.put_stored(1 << 20, RAYLET)
    found, total = rig.owner.object_states.rows(100, b"")
    assert total == 3
    seen = {row.object_id: row for row in found}
    assert (seen[argument].reference, seen[argument].size) == ("USED_BY_PENDING_TASK", 5)
    assert (seen[stored].reference, seen[stored].size) == ("LOCAL_REFERENCE", 1 << 20)
    pending = seen[result]
    assert (pending.size, pending.task_state) == (-1, "PENDING_NODE_ASSIGNMENT")
    rig.done(rig.grant(), result, Return(b"xy", 2))
    [row], _ = rig.owner.object_states.rows(100, result)
    assert (row.size, row.task_state, row.attempt) == (2, "FINISHED", 1)


def test_a_reference_inside_another_object(rig):
    inner = rig.put()
    rig.put(contained=[rig.ref(inner)])
    rig.drop(inner)
    [row], _ = rig.owner.object_states.rows(100, inner)
    assert row.reference == "CAPTURED_IN_OBJECT"


def test_those_that_ended_well_and_otherwise_keep_their_order_in_the_circle():
    rig = OwnerRig(config=Config(task_history=3))
    worked = [task_of_object(rig.ran()) for _ in range(2)]
    failed = task_of_object(raised(rig))
    assert [(row.task_id, row.state) for row in rows(rig)] == [
        (worked[0], "FINISHED"),
        (worked[1], "FINISHED"),
        (failed, "FAILED"),
    ]
    last = task_of_object(rig.ran(what=template(name="last")))
    assert [(row.task_id, row.name) for row in rows(rig)] == [
        (worked[1], "work"),
        (failed, "work"),
        (last, "last"),
    ]
    assert rows(rig)[2].end_ns >= rows(rig)[2].start_ns
