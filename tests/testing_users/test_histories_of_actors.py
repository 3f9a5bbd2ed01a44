"""Histories of simulated clients, judged: a register that is one, and a cache that is none."""

import random
import time

import pytest

import raysim as ray
from raysim.testing import History, NotLinearizableError, check_linearizable, simulate
from raysim.testing.models import Register

CLIENTS, OPERATIONS = 3, 5


@ray.remote(num_cpus=0, max_restarts=-1)
class Cell:
    """Its value is lost with its process."""

    def __init__(self):
        self.value = 0

    def read(self):
        return self.value

    def write(self, value):
        self.value = value

    def cas(self, old, new):
        if self.value != old:
            return False
        self.value = new
        return True


@ray.remote(num_cpus=0)
class Cache:
    """Answers reads from what it has read before."""

    def __init__(self, cell):
        self.cell = cell
        self.value = None
        self.until = 0

    def read(self):
        if time.monotonic() > self.until:
            self.value = ray.get(self.cell.read.remote())
            self.until = time.monotonic() + 1
        return self.value


@ray.remote(num_cpus=0, max_retries=0)
def client(number, cell, reader, history):
    for i in range(OPERATIONS):
        time.sleep(random.uniform(0, 0.5))
        match random.randrange(3):
            case 0:
                with history.operation("write", 10 * number + i) as op:
                    op.ok(ray.get(cell.write.remote(10 * number + i)))
            case 1:
                with history.operation("read") as op:
                    op.ok(ray.get(reader.read.remote()))
            case 2:
                with history.operation("cas", i, 10 * number + i) as op:
                    op.ok(ray.get(cell.cas.remote(i, 10 * number + i)))


def run(cached):
    history = History()
    cell = Cell.remote()
    reader = Cache.remote(cell) if cached else cell
    refs = [client.remote(number, cell, reader, history) for number in range(CLIENTS)]
    ray.wait(refs, num_returns=CLIENTS, timeout=60)
    assert len(history) > 0
    check_linearizable(history, Register(0))


@simulate(seeds=30)
def test_an_actor_is_a_register():
    run(cached=False)


@simulate(seeds=30)
def cached_reads():
    run(cached=True)


def test_a_stale_read_is_found():
    with pytest.raises(NotLinearizableError, match=r"none of these fits:\n.*read\(\) ->"):
        cached_reads()


@simulate(seeds=30, faults="kill_actor", num_cpus=1)
def forgets():
    run(cached=False)


def test_a_register_that_forgets_is_found():
    with pytest.raises(NotLinearizableError, match="the state is"):
        forgets()


def test_times_are_virtual_and_processes_are_named():
    seen = []

    @simulate(seeds=1, order="fifo", network={})
    def program():
        history = History()
        cell = Cell.remote()
        ray.get(client.remote(1, cell, cell, history))
        seen.extend(history)

    program()
    assert len(seen) == OPERATIONS
    assert {one.process for one in seen} <= {
        f"node-{i}/worker-{j}" for i in range(4) for j in range(3)
    }
    assert all(0 < one.invoked_ns < one.ended_ns < 10 * 10**9 for one in seen)
