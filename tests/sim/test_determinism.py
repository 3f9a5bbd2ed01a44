"""The same program and seed give the same run: to the last message, in any process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import random, time
import raysim as ray
from raysim.faults import parse_fault
from raysim.journal import Journal, Level

journal = Journal(Level.ALL)
faults = [parse_fault("kill_node(at=3s)"), parse_fault("kill_worker(at=1s)")]
ray.init(backend="sim", nodes=4, num_cpus=2, seed={seed}, journal=journal, world={{"faults": faults}})

@ray.remote
def work(x, tags):
    time.sleep(random.uniform(0.1, 2))
    return {{f"{{tag}}-{{x}}" for tag in tags}}

@ray.remote
def gather(refs):
    return sorted(set().union(*ray.get(refs)))

@ray.remote(max_restarts=-1, max_task_retries=-1)
class Log:
    def __init__(self):
        self.lines = []
    def add(self, line):
        self.lines.append(line)
        return len(self.lines)

log = Log.remote()
refs = [work.remote(i, {{"red", "green", "blue", "grey"}}) for i in range(40)]
groups = [gather.remote(refs[i::4]) for i in range(4)]
ray.get([log.add.remote(i) for i in range(10)])
total = sum(len(group) for group in ray.get(groups))
print(total, time.time(), journal.count, journal.digest())
ray.shutdown()
"""


def run(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(seed=seed)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", [1, 2])
def test_the_hash_seed_of_the_process_does_not_matter(seed):
    first, second = run(seed, "1"), run(seed, "2")
    assert first.startswith("160 ")
    assert first == second


def test_the_seed_does_matter():
    assert run(1, "0") != run(2, "0")


def run_all_in_one(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "all_in_one.py", str(seed)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_that_uses_everything_is_the_same_in_fresh_processes():
    """Tasks, actors, generators, threads, asyncio, chance of all kinds, clocks, numpy, sets, faults."""
    first = run_all_in_one(1, "1")
    assert run_all_in_one(1, "2") == first
    assert run_all_in_one(1, "random") == first
    assert run_all_in_one(2, "1") != first
