"""A run is the same wherever it is replayed: as the first of a process, after others, with its choices written down."""

import time

import raysim as ray
from raysim.journal import Journal, Level
from raysim.testing.settings import settings_of
from raysim.testing.simulation import Simulation


@ray.remote(num_cpus=0)
class OnlyHere:
    """Of this test alone: no other has pickled it."""

    def __init__(self):
        self.total = 0

    def add(self, amount):
        self.total += amount
        return self.total


@ray.remote
def add_later(actor, amount):
    time.sleep(0.1)
    return ray.get(actor.add.remote(amount))


def program():
    actor = OnlyHere.remote()
    ray.wait([add_later.remote(actor, i) for i in range(10)], num_returns=10, timeout=60)


def digest(seed, **how):
    simulation = Simulation(program, settings_of(faults="all"))
    return simulation.run(seed, journal=Journal(Level.ALL), **how).journal.digest()


def test_the_first_run_of_a_process_is_like_any_later_one():
    """An actor class that was unpickled here once has another size: its module's name is another string then."""
    first = [digest(seed) for seed in range(5)]
    assert [digest(seed) for seed in reversed(range(5))] == first[::-1]


def test_a_run_whose_choices_are_written_down_is_the_same_run():
    simulation = Simulation(program, settings_of(faults="all"))
    recorded = simulation.run(3, record=True, journal=Journal(Level.ALL))
    assert recorded.journal.digest() == digest(3)
    assert recorded.recording.length > 50
    tape = recorded.recording.tape()
    assert digest(3, profile=recorded.profile, tape=tape) == recorded.journal.digest()


def test_the_command_line_does_not_matter(monkeypatch):
    """A replay has other words there; the job's entry point, which messages carry, is made of them."""
    first = digest(1)
    monkeypatch.setattr("sys.argv", ["pytest", "x" * 10_000])
    assert digest(1) == first
