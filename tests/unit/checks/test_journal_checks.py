"""What a run's notes must say of tasks and actors."""

from raysim.checks import tasks
from raysim.checks.finding import Finding, without_values
from raysim.journal import ActorNoted, CommitBroken, ObjectRebuilt, TaskEnded

TASK = b"t" * 24


def ended(status, attempt=0):
    note = TaskEnded(TASK, "work", attempt, status, 0, 0, 0, 1, b"n", b"w")
    return (1, "driver", "note", note)


def noted(state, incarnation=0, at_ns=1):
    return (at_ns, "gcs", "note", ActorNoted(b"actor", "Counter", state, incarnation, b"n"))


def causes(check, *records):
    return [finding.cause for finding in check(records)]


def test_retries_end_each_once():
    assert causes(tasks.end_once, ended("retried"), ended("retried", 1), ended("finished", 2)) == []


def test_an_attempt_that_ends_twice():
    found = causes(tasks.end_once, ended("finished"), ended("finished"))
    assert found == ["finished, then finished"]


def test_an_attempt_after_the_last_one():
    assert causes(tasks.end_once, ended("failed"), ended("finished", 1)) == ["again after failed"]


def test_a_lost_return_is_made_again():
    rebuilt = (1, "driver", "note", ObjectRebuilt(TASK + b"\x01\x00\x00\x00"))
    assert causes(tasks.end_once, ended("finished"), rebuilt, ended("finished", 1)) == []


def test_incarnations_grow_until_death():
    alive, dead = noted("ALIVE"), noted("DEAD", 1)
    assert causes(tasks.incarnations_grow, alive, noted("RESTARTING", 1), dead) == []
    assert causes(tasks.incarnations_grow, dead, noted("ALIVE", 1)) == ["ALIVE after DEAD"]
    assert causes(tasks.incarnations_grow, noted("ALIVE", 2), noted("ALIVE", 1)) == [
        "a lower number"
    ]


def test_what_was_never_committed_has_not_happened():
    alive, dead, broken = noted("ALIVE", 1), noted("DEAD", 1, 2), (2, "gcs", "note", CommitBroken())
    again, first = noted("ALIVE", 1, 3), noted("ALIVE", 0, 3)
    assert causes(tasks.incarnations_grow, dead, broken, first) == []
    assert causes(tasks.incarnations_grow, alive, dead, broken, again) == []
    # What was committed before it stays.
    assert causes(tasks.incarnations_grow, alive, dead, broken, first) == ["a lower number"]
    later = (3, "gcs", "note", CommitBroken())
    assert causes(tasks.incarnations_grow, dead, later, again) == ["ALIVE after DEAD"]


def test_findings_of_one_bug_are_one_group():
    one = Finding("lease-queued", "at node-1, 3 lease requests wait for 5f7651aca9fb\nmore", 1)
    two = Finding("lease-queued", "at node-2, 1 lease requests wait for 0a0a0a0a0a0a\nother", 2)
    assert one.group() == two.group() == "lease-queued: at node-N, N lease requests wait for ID"
    assert without_values("3.5 kB of 5f7651aca9fb") == "N kB of ID"
