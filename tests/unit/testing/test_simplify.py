"""A failing profile becomes simpler as long as it fails in the same way."""

import msgspec

from raysim.faults import Order, parse_fault
from raysim.faults.swarm import Profile
from raysim.journal import Journal
from raysim.testing.simplify import same_failure, simplify
from raysim.testing.simulation import Outcome

FAULTS = tuple(parse_fault(f"kill_worker(at={i}s)") for i in range(1, 9))
RICH = Profile(
    nodes=4,
    cpus=2,
    order=Order("random"),
    network={"latency": "1ms"},
    connection_resets=True,
    knobs={"chunk_bytes": 1},
    object_store_memory=5,
    faults=FAULTS,
)


def outcome(profile, error=None):
    return Outcome(1, profile, error, Journal())


def runner(fails):
    runs = []

    def run(profile):
        runs.append(profile)
        return outcome(profile, fails(profile))

    return run, runs


def test_what_a_failure_does_not_need_is_taken_out():
    needed = {FAULTS[2], FAULTS[5]}
    run, _ = runner(lambda one: AssertionError("lost 3") if needed <= set(one.faults) else None)
    smallest, passing = simplify(outcome(RICH, AssertionError("lost 7")), run, tries=100)
    assert set(smallest.profile.faults) == needed
    assert msgspec.structs.replace(smallest.profile, faults=()) == Profile(nodes=4, cpus=2)
    assert any(len(one.profile.faults) == 1 for one in passing)
    assert all(one.error is None for one in passing)


def test_another_failure_is_not_the_same():
    def fails(profile):
        return KeyError("other") if not profile.knobs else AssertionError("lost 1")

    run, _ = runner(fails)
    smallest, passing = simplify(outcome(RICH, AssertionError("lost 2")), run)
    assert smallest.profile.knobs == RICH.knobs
    assert not smallest.profile.faults
    assert passing == []


def test_failures_are_the_same_but_for_numbers():
    one, two = (
        outcome(RICH, ValueError("worker 12 of 5")),
        outcome(RICH, ValueError("worker 3 of 7")),
    )
    assert same_failure(one, two)
    assert not same_failure(one, outcome(RICH, ValueError("node 3")))
    assert not same_failure(one, outcome(RICH, TypeError("worker 3 of 7")))
    assert not same_failure(one, outcome(RICH))


def test_no_more_runs_are_made_than_were_allowed():
    run, runs = runner(lambda one: None)
    smallest, _ = simplify(outcome(RICH, AssertionError()), run, tries=5)
    assert smallest.profile == RICH
    assert len(runs) == 5


def test_a_plain_profile_needs_no_run():
    run, runs = runner(lambda one: AssertionError())
    simplify(outcome(Profile(nodes=4), AssertionError()), run)
    assert runs == []
