"""What the GCS shows of its tables to people who ask."""

import pytest

from raysim.config import Config
from raysim.protocol.gcs import counts, left_tasks
from raysim.protocol.messages import (
    CreateActor,
    FinishJob,
    Inspected,
    InspectGcs,
    KeepMetrics,
    KeepTasks,
    KillActor,
    WorkerDied,
)
from raysim.protocol.messages.state import Ending, MetricSeen, Number, ProcessSeen, TaskSeen
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NIL_TASK, NIL_WORKER, JobId, TaskId
from raysim.spec.state import Noun
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, HEAD, SECOND_NS, Head

ASKER = address("asker")


def ask(head, *nouns, limit=100, only=b""):
    head.tell(ASKER, InspectGcs(1, list(nouns), limit, only))
    to, answer = head.one(Inspected)
    assert to == ASKER
    return answer


def rows(head, noun, **more):
    return ask(head, noun, **more).rows


def ended(head, name, ending=Ending.SYSTEM_ERROR):
    """A worker of the head that is gone."""
    seen = ProcessSeen(address(name, "head"), 7, False, 1, 2, ending, "why")
    head.tell(HEAD, WorkerDied(seen.process, "why", seen=seen))
    return seen


def task(name):
    return TaskSeen(TaskId(name.ljust(24).encode()), 0, name, name, "FINISHED", NIL_TASK, 1)


def test_nodes_and_when_they_came_and_went(head: Head) -> None:
    head.join("head")
    one = head.join("one")
    head.host.advance(SECOND_NS)
    head.process.peer_lost(one)
    living, dead = (row.state for row in rows(head, Noun.NODES))
    assert (living.alive, living.end_ns) == (True, 0)
    assert living.start_ns > 0
    assert (dead.alive, dead.end_ns - dead.start_ns >= SECOND_NS - 1) == (False, True)


def test_a_job_and_its_end(head: Head) -> None:
    head.join("head")
    job = head.job()
    head.host.advance(SECOND_NS)
    [row] = rows(head, Noun.JOBS)
    assert (row.job_id, row.driver, row.finished, row.end_ns) == (job, DRIVER, False, 0)
    head.tell(DRIVER, FinishJob(job))
    [row] = rows(head, Noun.JOBS)
    assert row.finished
    assert row.end_ns > row.start_ns > 0


def test_a_dead_actor_shows_where_it_was(head: Head) -> None:
    head.join("head")
    spec = head.spec(head.job(), name="clerk", qualified_name="f.<locals>.Counter")
    _, worker = head.alive(spec)
    [living] = rows(head, Noun.ACTORS)
    assert (living.state, living.process, living.death) == ("ALIVE", worker, None)
    assert living.class_name == "f.<locals>.Counter"
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    [dead] = rows(head, Noun.ACTORS)
    assert (dead.state, dead.process, dead.name) == ("DEAD", worker, "clerk")
    assert dead.death is not None
    assert dead.death.kind is FailureKind.ACTOR_DIED


def test_a_restarted_actor_counts_its_restarts(head: Head) -> None:
    raylet = head.join("head")
    spec = head.spec(head.job(), max_restarts=2)
    _, worker = head.alive(spec)
    head.died(raylet, worker)
    [row] = rows(head, Noun.ACTORS)
    assert (row.state, row.restarts, row.process) == ("RESTARTING", 1, worker)


def test_one_actor_by_its_id(head: Head) -> None:
    head.join("head")
    job = head.job()
    specs = [head.spec(job, number) for number in (1, 2)]
    for spec in specs:
        head.create(spec)
    [row] = rows(head, Noun.ACTORS, only=specs[1].actor_id)
    assert row.actor_id == specs[1].actor_id


def test_dead_actors_are_known_to_the_next_gcs(head: Head) -> None:
    """With what is in its tables: what was kept for people only is gone."""
    head.join("head")
    spec = head.spec(head.job(), name="clerk")
    head.alive(spec)
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    [row] = rows(head.restarted(), Noun.ACTORS)
    assert (row.actor_id, row.state, row.name) == (spec.actor_id, "DEAD", "clerk")


def test_a_name_that_was_taken_made_no_actor(head: Head) -> None:
    head.join("head")
    job = head.job()
    for number in (1, 2):
        head.tell(DRIVER, CreateActor(head.spec(job, number, name="clerk")))
    head.host.take()
    assert len(rows(head, Noun.ACTORS)) == 1


def test_ended_processes_are_kept_the_latest_of_them() -> None:
    head = Head(config=Config(gcs_history=2))
    seen = [ended(head, name) for name in ("a", "b", "c")]
    assert rows(head, Noun.WORKERS) == seen[1:]
    ended(head, "c")  # A copy.
    assert rows(head, Noun.WORKERS) == seen[1:]


def test_a_crash_is_an_event_and_an_end_in_good_order_is_none(head: Head) -> None:
    head.join("head")
    ended(head, "a")
    ended(head, "b", Ending.INTENDED_USER_EXIT)
    joined, crashed = rows(head, Noun.CLUSTER_EVENTS)
    assert (joined.severity, joined.text) == ("INFO", "Node head joined.")
    assert (crashed.severity, crashed.source) == ("ERROR", "RAYLET")
    assert crashed.fields["worker_id"] == address("a", "head").worker_id.hex()


def test_tasks_of_processes_that_have_ended_are_known_on(head: Head) -> None:
    head.tell(address("worker"), KeepTasks([task("one"), task("two")]))
    assert [row.name for row in rows(head, Noun.TASKS)] == ["one", "two"]
    assert [row.name for row in rows(head, Noun.TASKS, only=task("two").task_id)] == ["two"]


def counted(head: Head, worker: str, name: str, *numbers: Number) -> None:
    process = address(worker, "node")
    seen = MetricSeen(process, JobId(b"1234"), name, "counter", "What.", list(numbers))
    head.tell(process, KeepMetrics([seen]))


def test_what_ended_processes_have_counted_is_summed_however_many_they_are(head: Head) -> None:
    for number in range(50):
        counted(head, f"w{number}", "n", ("_total", {"kind": "x"}, 1.0))
    counted(head, "other", "n", ("_total", {"kind": "y"}, 2.0))
    counted(head, "other", "n", ("_total", {"kind": "y"}, 2.0))  # Sent twice.
    row, kept = rows(head, Noun.METRICS)
    assert row.process == Address(address("w0", "node").node_id, NIL_WORKER)
    assert (row.name, row.kind, row.description) == ("n", "counter", "What.")
    assert row.numbers == [("_total", {"kind": "x"}, 50.0), ("_total", {"kind": "y"}, 2.0)]
    assert kept.workers == [
        address(name, "node").worker_id
        for name in [*(f"w{number}" for number in range(50)), "other"]
    ]


def test_of_what_ended_processes_have_counted_the_series_of_the_latest_are_kept(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "SERIES_KEPT", 2)
    counted(head, "1", "old", ("_total", {}, 1.0))
    counted(head, "2", "older", ("_total", {}, 1.0))
    counted(head, "3", "old", ("_total", {}, 1.0))
    counted(head, "4", "new", ("_total", {}, 1.0))
    *found, _ = rows(head, Noun.METRICS)
    assert {row.name: row.numbers[0][2] for row in found} == {"old": 2.0, "new": 1.0}


def test_exceptions_of_ended_programs_are_kept_as_far_as_there_is_room(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_tasks, "ERRORS_BYTES", 5)
    for number in range(3):
        raised, done = task(f"raised {number}"), task(f"done {number}")
        raised.payload = b"12"
        head.tell(address("worker"), KeepTasks([raised, done]))
    found = {row.name: (row.payload, row.text) for row in rows(head, Noun.TASKS)}
    assert found["raised 0"] == (b"", "Its exception was dropped: many came after it.")
    assert [found[f"raised {number}"][0] for number in (1, 2)] == [b"12", b"12"]
    assert found["done 0"] == (b"", "")


def test_the_newest_come_up_to_the_limit_and_all_are_counted(head: Head) -> None:
    head.tell(address("worker"), KeepTasks([task(str(number)) for number in range(5)]))
    answer = ask(head, Noun.TASKS, limit=2)
    assert [row.name for row in answer.rows] == ["3", "4"]
    assert answer.total == 5


def test_an_exception_does_not_travel_with_its_actor(head: Head) -> None:
    head.join("head")
    spec = head.spec(head.job())
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    failure = Failure(FailureKind.ACTOR_DIED, "raised", None, True, bytes(1000))
    head.started(worker, spec, failure=failure)
    [row] = rows(head, Noun.ACTORS)
    assert row.death == Failure(FailureKind.ACTOR_DIED, "raised", None, init_failed=True)


def test_a_worker_that_was_ended_for_memory_is_an_event(head: Head) -> None:
    head.join("head")
    ended(head, "hog", Ending.NODE_OUT_OF_MEMORY)
    [event] = [row for row in rows(head, Noun.CLUSTER_EVENTS) if row.source == "RAYLET"]
    assert event.severity == "WARNING"
    assert event.text.endswith("was ended: why.")
