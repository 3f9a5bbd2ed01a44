"""Stateful tests on a cluster: rules of the program's own, between faults."""

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

import raysim as ray
from raysim.faults import parse_fault
from raysim.testing import always
from raysim.testing.machine import ClusterMachine

few = settings(max_examples=8, stateful_step_count=8, deadline=None, derandomize=True)

found_soon = settings(few, max_examples=100, phases=[Phase.generate, Phase.shrink])


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Sum:
    """Forgets when its process is lost."""

    def __init__(self):
        self.total = 0

    def add(self, amount):
        self.total += amount
        return self.total


class Kept(ClusterMachine):
    """A total that an actor keeps, against one that the test keeps."""

    def __init__(self):
        super().__init__()
        self.actor = Sum.remote()
        self.total = 0

    @rule(amount=st.integers(1, 5))
    def add(self, amount):
        self.total += amount
        assert ray.get(self.actor.add.remote(amount)) == self.total

    @invariant()
    def is_connected(self):
        assert ray.is_initialized()


class Crashing(Kept):
    fault_kinds = "kill_actor"


class Everything(ClusterMachine):
    """A program that any fault may strike."""

    fault_kinds = "all"

    @rule(count=st.integers(1, 4))
    def work(self, count):
        assert ray.get([double.remote(i) for i in range(count)]) == [2 * i for i in range(count)]


class Caught(ClusterMachine):
    @rule()
    def break_a_property(self):
        try:
            always(False, "planted")
        except AssertionError:
            pass


@ray.remote(max_retries=-1)
def double(x):
    return 2 * x


def test_without_faults_an_actor_keeps_its_state():
    run_state_machine_as_test(Kept, settings=few)
    assert not ray.is_initialized()


def test_a_fault_between_two_rules_is_found_to_lose_it():
    with pytest.raises(AssertionError) as raised:
        run_state_machine_as_test(Crashing, settings=found_soon)
    assert any("state.fault(" in line for line in raised.value.__notes__)
    assert not ray.is_initialized()


def test_tasks_survive_whatever_strikes_between_them():
    run_state_machine_as_test(Everything, settings=few)


def test_a_broken_property_that_was_caught_fails_the_example():
    with pytest.raises(AssertionError, match="always: planted"):
        run_state_machine_as_test(Caught, settings=few)


def test_a_fault_that_finds_nobody_is_told_to_who_strikes_it():
    class Alone(ClusterMachine):
        nodes = 1

    machine = Alone()
    try:
        with pytest.raises(ValueError, match="kill_node"):
            machine.strike(parse_fault("kill_node(at=0)"))
    finally:
        machine.teardown()
