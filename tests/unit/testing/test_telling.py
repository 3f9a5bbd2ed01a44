"""How a failing run is told: what struck, the first difference, the line that replays it."""

from raysim.faults import Order, parse_fault
from raysim.faults.swarm import Profile
from raysim.journal import ActorNoted, FaultInjected, Journal, NodeJoined, TaskEnded
from raysim.spec.actor import ActorState
from raysim.testing.simulation import Outcome
from raysim.testing.telling import again, first_difference, nearest, report, told

KILL = parse_fault("kill_worker(at=1s)")


def ended(name, status="finished", attempt=0, reason=""):
    return TaskEnded(bytes(4), name, attempt, status, 0, 0, 0, 0, bytes(4), bytes(4), reason)


def outcome(*notes, seed=1, error=None, **profile):
    journal = Journal()
    for at_ms, note in enumerate(notes):
        journal.write(at_ms * 1_000_000, "node-0/driver-0", "note", note)
    return Outcome(seed, Profile(**profile), error, journal)


def test_notes_are_lines():
    run = outcome(
        ended("work", "retried", 1, "its worker died\nfor some reason"),
        ActorNoted(bytes(4), "Bank", ActorState.ALIVE, 2, bytes(4)),
        FaultInjected("kill_worker", "node-1/worker-0"),
    )
    assert [one.text for one in told(run.journal)] == [
        "work retried (attempt 1): its worker died",
        "actor Bank is ALIVE (incarnation 2)",
        "kill_worker node-1/worker-0",
    ]


def test_runs_differ_where_other_things_happen_not_where_they_happen_later():
    one = outcome(NodeJoined(b"", "node-1", 1), ended("a"), ended("b"), ended("c"))
    other = outcome(ended("a"), FaultInjected("delay", ""), ended("b"), ended("d"))
    found = first_difference(one.journal, other.journal)
    assert found is not None
    assert (found.place, found.failing.text, found.passing.text) == (2, "c finished", "d finished")
    assert first_difference(one.journal, one.journal) is None


def test_a_run_that_ends_earlier_differs_there():
    found = first_difference(outcome(ended("a")).journal, outcome(ended("a"), ended("b")).journal)
    assert found is not None
    assert found.failing is None
    assert found.passing.text == "b finished"


def test_the_nearest_run_is_the_one_that_goes_the_same_way_longest():
    failing = outcome(ended("a"), ended("b"), ended("c"))
    near, far = outcome(ended("a"), ended("b")), outcome(ended("x"))
    assert nearest(failing, [far, near]) is near
    assert nearest(failing, []) is None


def test_a_report_has_all_that_a_person_needs():
    error = AssertionError()
    failing = outcome(ended("a"), seed=7, error=error, faults=(KILL, KILL), order=Order("random"))
    shrunk = outcome(
        FaultInjected("kill_worker", "node-1/worker-0"), ended("b"), seed=7, faults=(KILL,)
    )
    passing = outcome(ended("c"), seed=7)
    text = report(failing, passed=3, shrunk=shrunk, passing=passing, again=["pytest it"])
    assert (
        text
        == """
raysim: it fails with seed 7, after 3 that passed.

The simplest run found that fails like it (1 of 2 faults):
  cluster: 1 node with 1 CPU
  kill_worker(at=1s)

Faults that struck:
     0.000000 s  node-0/driver-0: kill_worker node-1/worker-0

The first difference from the same run without kill_worker(at=1s), which passes:
  fails:     0.001000 s  node-0/driver-0: b finished
  passes:    0.000000 s  node-0/driver-0: c finished

pytest it"""
    )


def test_a_run_without_faults_says_so():
    assert "\nNo fault struck.\n" in report(outcome(seed=2), again=["pytest it"])


def test_a_run_that_did_not_fail_again_is_said_to_depend_on_something_else():
    text = report(outcome(seed=2), again=["pytest it"], fails_again=False)
    assert "The same run, once more, did not fail" in text


def test_the_lines_can_be_pasted_into_a_shell():
    test = "test_a.py::test[x y]"
    assert again(test, "5") == [
        "Replay it:",
        "  pytest 'test_a.py::test[x y]' --raysim-replay 5",
    ]
    assert again(test, ".raysim/a b.json")[1:] == [
        "  pytest 'test_a.py::test[x y]' --raysim-replay '.raysim/a b.json'",
        "What led to it:",
        "  raysim why '.raysim/a b.json'",
    ]
