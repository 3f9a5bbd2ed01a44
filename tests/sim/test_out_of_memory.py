"""A simulated node's memory runs out: its raylet does what it does on a real machine."""

import time

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.protocol.raylet.memory_monitor import MemoryUsage

FULL = MemoryUsage(99, 100, lambda token: token)


def run_out(node=0):
    current_world().nodes[node].raylet.memory.measured(FULL)


def test_the_newest_task_runs_again_later_and_all_end(init):
    init(cpus=3)

    @ray.remote(max_retries=1)
    def work(name):
        time.sleep(5)
        return name

    refs = []
    for name in "abc":
        refs.append(work.remote(name))
        time.sleep(1)
    run_out()
    began = time.monotonic()
    assert ray.get(refs) == ["a", "b", "c"]
    assert 6 < time.monotonic() - began < 9, "two seconds later, and from its beginning"


def test_it_costs_no_retry_however_often(init):
    """Each wait is twice the last."""
    init(cpus=3)

    @ray.remote(max_retries=1)
    def work(seconds):
        time.sleep(seconds)
        return seconds

    refs = [work.remote(60), work.remote(60)]
    time.sleep(1)
    refs.append(work.remote(5))
    for wait in (2, 4, 8):
        time.sleep(1)
        run_out()
        time.sleep(wait)
    assert ray.get(refs) == [60, 60, 5]


def test_what_cannot_but_run_out_again_fails(init):
    init(cpus=1)

    @ray.remote
    def work():
        time.sleep(3)

    ref = work.remote()
    time.sleep(1)
    run_out()
    with pytest.raises(ray.exceptions.OutOfMemoryError, match="ran out of memory"):
        ray.get(ref)


def test_an_actor_restarts_as_after_a_crash(init):
    init(cpus=1)

    @ray.remote(max_restarts=1)
    class Counter:
        def __init__(self):
            self.count = 0

        def add(self):
            self.count += 1
            return self.count

    counter = Counter.remote()
    assert ray.get([counter.add.remote() for _ in range(2)]) == [1, 2]
    run_out()
    time.sleep(1)
    assert ray.get(counter.add.remote()) == 1
    run_out()
    time.sleep(1)
    with pytest.raises(ray.exceptions.OutOfMemoryError, match="ran out of memory"):
        ray.get(counter.add.remote())
