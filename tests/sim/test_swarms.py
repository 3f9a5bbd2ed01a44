"""Random programs under sampled profiles: right values, and a cluster at rest once it is healed."""

import os
import subprocess
import sys
import time

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.faults import FAULTS
from raysim.faults.swarm import Budget, Swarm, sample
from raysim.journal import Journal, Level
from raysim.tape import Draws, Recorder, SeededTape

UNFIT = ("heal", "no_capacity", "fail_constructor", "fill_store", "memory_pressure")
"""Those that have this program end in an error, or that need an autoscaler."""
HEAL_S = 15
BOUND_S = 600
KINDS = tuple(kind.tag() for kind in FAULTS if kind.tag() not in UNFIT)
SWARM = Swarm(nodes=(1, 5), budget=Budget(faults=6, kinds=KINDS), small_stores=False)


@ray.remote(max_retries=-1)
def leaf(seconds, value, size):
    time.sleep(seconds)
    return value, bytes(size)


@ray.remote(max_retries=-1)
def add(seconds, *parts):
    time.sleep(seconds)
    return sum(part[0] for part in parts), bytes(len(parts[0][1]))


@ray.remote(max_retries=-1)
def nested(seconds, refs):
    time.sleep(seconds)
    return sum(value for value, _ in ray.get(refs)), b""


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Adder:
    def add(self, seconds, one, two):
        time.sleep(seconds)
        return one[0] + two, b""


def program(draws, tasks=25):
    """Calls over each other's results; what they give is known beforehand. It needs no luck to end right."""
    refs, values = [], []
    actors = [Adder.remote() for _ in range(draws.below(3))]
    size = draws.one_of([10, 150_000, 600_000])
    for number in range(tasks):
        seconds = draws.one_of([0, 0.001, 0.1, 1.0])
        picks = [draws.below(len(refs)) for _ in range(draws.between(1, 3))] if refs else []
        kind = draws.below(10) if refs else 0
        if kind < 4:
            refs.append(leaf.remote(seconds, number, size))
            values.append(number)
            continue
        total = sum(values[i] for i in picks)
        if kind < 7:
            refs.append(add.remote(seconds, *(refs[i] for i in picks)))
        elif kind < 9 or not actors:
            refs.append(nested.remote(seconds, [refs[i] for i in picks]))
        else:
            actor = draws.one_of(actors)
            refs.append(actor.add.remote(seconds, refs[picks[0]], number))
            total = values[picks[0]] + number
        values.append(total)
        if draws.chance(0.1):
            i = draws.below(len(refs))
            assert ray.get(refs[i])[0] == values[i]
    assert [value for value, _ in ray.get(refs)] == values


def run(seed, tape=None, swarm=SWARM, level=Level.OFF):
    tape = tape or SeededTape(seed)
    profile = sample(tape, swarm)
    journal = Journal(level, keep=False)
    world = {"heal_ns": HEAL_S * 10**9, "converge_ns": BOUND_S * 10**9, "tape": tape}
    ray.init(seed=seed, journal=journal, **profile.init_arguments(**world))
    try:
        program(Draws(tape, "program"))
        current_world().converge(BOUND_S)
        return journal.digest()
    finally:
        ray.shutdown()


@pytest.mark.parametrize("seed", range(40))
def test_a_swarm_of_faults_changes_no_result_and_leaves_nothing_behind(seed):
    run(seed)


@pytest.mark.parametrize("seed", [1, 8, 12])
def test_a_run_on_its_recorded_tape_is_the_same_run(seed):
    recorder = Recorder(SeededTape(seed), seed)
    first = run(seed, recorder, level=Level.ALL)
    recording = recorder.recording()
    assert recording.length > 100
    assert run(seed, recording.tape(), level=Level.ALL) == first
    assert run(seed, level=Level.ALL) == first


def test_the_hash_seed_of_the_process_does_not_matter():
    script = (
        "from tests.sim.test_swarms import *; print([run(s, level=Level.ALL) for s in (1, 8, 12)])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop()) > 90
