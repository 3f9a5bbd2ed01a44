"""Hypothesis makes clusters, faults, programs and the choices of a run, and simplifies all of them."""

import time
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import raysim as ray
from raysim.faults import parse_order, plan_faults
from raysim.faults.swarm import Profile
from raysim.tape import Recording, SeededTape
from raysim.testing import simulated
from raysim.testing.campaign.operations import PUT, TASK
from raysim.testing.strategies import (
    IN_ALL,
    OF_ONE_LABEL,
    HypothesisTape,
    clusters,
    faults,
    tapes,
    workloads,
)

few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@ray.remote
def square(x):
    time.sleep(0.01)
    return x * x


@few
@given(profile=clusters(nodes=(2, 3)))
def test_a_drawn_cluster_can_be_started(profile):
    assert profile.nodes in (2, 3)
    assert not profile.faults
    with simulated(profile):
        assert ray.get([square.remote(i) for i in range(4)]) == [0, 1, 4, 9]
        assert len(ray.nodes()) == profile.nodes


def test_the_simplest_cluster_is_one_plain_node():
    assert find(clusters(), lambda profile: True) == Profile()


@few
@given(drawn=faults("crashes + network", nodes=3, most=3, node_losses=1))
def test_drawn_faults_can_strike_a_cluster_of_that_size(drawn):
    assert len(drawn) <= 3
    plan_faults(drawn, nodes=3, expected_makespan_ns=None, rng=_Anything())


class _Anything:
    """Takes the first of what there is to choose from."""

    def choice(self, values):
        return values[0]

    def sample(self, values, size):
        return list(values)[:size]


def test_drawn_faults_are_of_the_kinds_that_were_named():
    found = find(faults("kill_worker", nodes=2), lambda drawn: bool(drawn))
    assert [str(one) for one in found] == ["kill_worker(at=0)"]
    with pytest.raises(ValueError, match="there is no 'crashs'; did you mean 'crashes'"):
        find(faults("crashs"), lambda drawn: True)


@few
@given(workload=workloads(operations=(1, 10)), profile=clusters(nodes=(1, 3)))
def test_a_drawn_program_gives_what_the_reference_interpreter_says(workload, profile):
    with simulated(profile):
        workload.run()


@few
@given(workload=workloads(), drawn=faults("crashes", nodes=3), tape=tapes())
def test_a_drawn_program_under_drawn_faults_gives_right_values_or_allowed_errors(
    workload, drawn, tape
):
    with simulated(Profile(nodes=3, cpus=2, faults=tuple(drawn)), tape=tape):
        workload.run(faults=True)
    tape.check()


def test_a_wrong_result_of_a_program_is_told(monkeypatch):
    from raysim.testing.campaign import driver

    workload = find(workloads(), lambda one: any(op.kind in (TASK, PUT) for op in one.program))
    monkeypatch.setattr(driver, "expect", _one_more)
    with simulated(), pytest.raises(AssertionError, match="gave 0 instead of 1"):
        workload.run()


def _one_more(program, **what_may_happen):
    from raysim.testing.campaign.reference import Expected, expect

    right = expect(program, **what_may_happen)
    return {number: Expected(one.value + 1, one.may) for number, one in right.items()}


@ray.remote(num_cpus=0)
class Log:
    def __init__(self):
        self.lines = []

    def add(self, line):
        self.lines.append(line)

    def read(self):
        return self.lines


@ray.remote
def write(log, line):
    ray.get(log.add.remote(line))


def log_of_two(tape):
    """What two tasks, started one after the other, write into one log."""
    order = parse_order("random(bound=1ms)")
    with simulated(Profile(cpus=2, order=order), tape=tape):
        log = Log.remote()
        ray.get([write.remote(log, "first"), write.remote(log, "second")])
        return ray.get(log.read.remote())


def test_hypothesis_finds_an_order_of_events_that_surprises_and_makes_it_simple():
    def surprises(tape):
        lines = log_of_two(tape)
        tape.check()
        return lines == ["second", "first"]

    assert log_of_two(Recording(0).simplest().tape()) == ["first", "second"]
    # The same search in each run: others take twice as many runs to make it simple.
    searched = settings(max_examples=300, deadline=None, database=None)
    tape = find(tapes(), surprises, settings=searched, random=Random(2))
    changed = [value for values in tape.drawn.values() for value in values if value]
    assert 0 < len(changed) <= 5, tape


def test_a_tape_draws_no_more_than_hypothesis_can_hold():
    @few
    @given(tapes())
    def many(tape):
        values = [tape.draw(f"label {i % 10}", 1000) for i in range(2000)]
        assert values[IN_ALL:] == [0] * (2000 - IN_ALL)
        assert all(tape.draw("label 0", 5) == 0 for _ in range(OF_ONE_LABEL))
        tape.check()

    many()


def test_a_run_is_not_left_half_way_when_hypothesis_has_enough():
    class Enough(BaseException):
        pass

    def draw(strategy):
        raise Enough

    tape = HypothesisTape(draw)
    with simulated(Profile(order=parse_order("random(bound=1ms)")), tape=tape):
        assert ray.get(square.remote(3)) == 9
    with pytest.raises(Enough):
        tape.check()


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_data_of_a_test_can_be_a_tape(data):
    tape = HypothesisTape(data.draw)
    with simulated(Profile(nodes=2), tape=tape):
        assert ray.get(square.remote(2)) == 4
    tape.check()


def test_units_are_below_one():
    tape = HypothesisTape(lambda strategy: SeededTape(1).draw("any", 1))
    assert tape.unit("label") == 0.0
