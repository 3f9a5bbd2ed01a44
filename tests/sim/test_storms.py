"""Random programs on clusters that lose workers and nodes: every value is right, and nothing stays lent."""

import random
import time
from collections.abc import Callable

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.faults import Fault, KillNode, KillWorker, Moment
from raysim.journal import Journal, Level

SECOND = 1_000_000_000


@ray.remote
def leaf(seconds, value, size):
    time.sleep(seconds)
    return value, bytes(size)


@ray.remote
def add(seconds, *parts):
    time.sleep(seconds)
    return sum(part[0] for part in parts), bytes(len(parts[0][1]))


@ray.remote
def tree(depth, seconds):
    time.sleep(seconds)
    if depth == 0:
        return 1
    return sum(ray.get([tree.remote(depth - 1, seconds) for _ in range(2)]))


@ray.remote
def gather(refs):
    return sum(value for value, _ in ray.get(refs))


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Adder:
    def add(self, seconds, one, two):
        time.sleep(seconds)
        return one[0] + two


@ray.remote(max_retries=-1)
def spawn(seconds, values):
    """Its tasks outlive it; their owner is the worker that it ran on."""
    return [leaf.remote(seconds, value, 10) for value in values], ray.put(sum(values))


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Shelf:
    """Keeps references of others for a while."""

    def __init__(self):
        self.kept = {}

    def keep(self, key, refs):
        self.kept[key] = refs

    def show(self, key):
        return [value for value, _ in ray.get(self.kept.pop(key))]


def faults_of(draw: random.Random, nodes: int) -> list[Fault]:
    """At least the head and one more node are left."""
    kills = [KillNode(at=_moment(draw)) for _ in range(draw.randrange(max(1, nodes - 1)))]
    return [*kills, *(KillWorker(at=_moment(draw)) for _ in range(draw.randrange(5)))]


def _moment(draw: random.Random) -> Moment:
    return Moment(ns=int(draw.uniform(0, 30) * SECOND))


def program(draw: random.Random) -> None:
    """Twenty to sixty calls over each other's results; what they give is known beforehand."""
    refs, values = [], []
    size = draw.choice([10, 1_000, 200_000, 20_000_000])
    actors = [Adder.remote() for _ in range(draw.randrange(3))]
    for number in range(draw.randrange(20, 60)):
        seconds = draw.choice([0, 0.001, 0.1, draw.expovariate(0.5)])
        kind = draw.random()
        if kind < 0.4 or not refs:
            refs.append(leaf.options(max_retries=-1).remote(seconds, number, size))
            values.append(number)
        elif kind < 0.7:
            chosen = [draw.randrange(len(refs)) for _ in range(draw.randrange(1, 4))]
            parts = [refs[i] for i in chosen]
            refs.append(add.options(max_retries=-1).remote(seconds, *parts))
            values.append(sum(values[i] for i in chosen))
        elif kind < 0.8:
            assert ray.get(tree.options(max_retries=-1).remote(2, seconds)) == 4
        elif kind < 0.9 or not actors:
            chosen = [draw.randrange(len(refs)) for _ in range(3)]
            held = gather.options(max_retries=-1).remote([refs[i] for i in chosen])
            assert ray.get(held) == sum(values[i] for i in chosen)
        else:
            i = draw.randrange(len(refs))
            assert ray.get(draw.choice(actors).add.remote(seconds, refs[i], 1)) == values[i] + 1
        if draw.random() < 0.1:
            i = draw.randrange(len(refs))
            assert ray.get(refs[i])[0] == values[i]
            del refs[i], values[i]
    assert [value for value, _ in ray.get(refs)] == values


def lending_program(draw: random.Random) -> None:
    """References travel inside values, results and actors; what a loss may take away is a typed error."""
    lost = (
        ray.exceptions.ObjectLostError,
        ray.exceptions.RayTaskError,
        ray.exceptions.ObjectFreedError,
    )
    shelves = [Shelf.remote() for _ in range(2)]
    for number in range(draw.randrange(10, 30)):
        seconds = draw.choice([0, 0.01, 0.5, 2])
        values = [draw.randrange(100) for _ in range(draw.randrange(1, 4))]
        kind = draw.random()
        if kind < 0.4:
            try:
                spawned, put = ray.get(spawn.remote(seconds, values))
                assert [value for value, _ in ray.get(spawned)] == values
                assert ray.get(put) == sum(values)
            except lost:
                continue
        elif kind < 0.8:
            shelf = draw.choice(shelves)
            refs = [
                leaf.options(max_retries=-1).remote(seconds, value, 200_000) for value in values
            ]
            ray.get(shelf.keep.remote(number, refs))
            del refs
            time.sleep(draw.choice([0, 1, 5]))
            try:
                assert ray.get(shelf.show.remote(number)) == values
            except KeyError:
                continue  # It was restarted, without its state.
        else:
            ref = leaf.options(max_retries=-1).remote(seconds, number, 10)
            time.sleep(draw.choice([0, 0.3]))
            ray.cancel(ref)
            try:
                assert ray.get(ref)[0] == number
            except ray.exceptions.TaskCancelledError:
                continue


def tight_program(draw: random.Random) -> None:
    """Little room in the stores and few retries: every call ends, in its value or in a typed error."""
    refs, values = [], []
    options = {"max_restarts": draw.randrange(2), "max_task_retries": draw.randrange(2)}
    actors = [Adder.options(**options).remote() for _ in range(2)]
    for number in range(40):
        size = draw.choice([10, 5_000_000, 20_000_000, 60_000_000 if draw.random() < 0.3 else 10])
        seconds, kind = draw.choice([0, 0.1, 1]), draw.random()
        retries = {"max_retries": draw.choice([0, 1, 3])}
        if kind < 0.4 or not refs:
            refs.append(leaf.options(**retries).remote(seconds, number, size))
            values.append(number)
        elif kind < 0.6:
            chosen = [draw.randrange(len(refs)) for _ in range(2)]
            refs.append(add.options(**retries).remote(seconds, *(refs[i] for i in chosen)))
            values.append(sum(values[i] for i in chosen))
        elif kind < 0.7:
            try:
                refs.append(ray.put((number, bytes(size))))
                values.append(number)
            except ray.exceptions.ObjectStoreFullError:
                continue
        elif kind < 0.8:
            i = draw.randrange(len(refs))
            value_or_error(draw.choice(actors).add.remote(seconds, refs[i], 1), values[i] + 1)
        elif kind < 0.9:
            i = draw.randrange(len(refs))
            value_or_error(refs[i], values[i])
        elif kind < 0.95:
            ray.kill(draw.choice(actors), no_restart=draw.random() < 0.5)
        else:
            i = draw.randrange(len(refs))
            if draw.random() < 0.5:
                ray.cancel(refs[i])
            del refs[i], values[i]
    for ref, value in zip(refs, values, strict=True):
        value_or_error(ref, value)


def value_or_error(ref, value) -> None:
    try:
        found = ray.get(ref)
    except ray.exceptions.RaySystemError:
        raise  # A deadlock, or a bug.
    except ray.exceptions.RayError:
        return
    assert (found[0] if isinstance(found, tuple) else found) == value


def storm(seed: int, program: Callable[[random.Random], None]) -> str:
    draw = random.Random(seed)
    nodes = draw.randrange(2, 6)
    world = {
        "faults": faults_of(draw, nodes),
        "connection_resets": draw.random() < 0.5,
        "network": draw.choice(["lan", "free", {"latency": "20ms", "bandwidth": "100Mbit/s"}]),
        "wire": draw.random() < 0.3,
    }
    journal = Journal(Level.ALL, keep=False)
    ray.init(
        backend="sim",
        nodes=nodes,
        num_cpus=draw.randrange(1, 4),
        seed=seed,
        journal=journal,
        world=world,
        object_store_memory=100_000_000 if program is tight_program else None,
    )
    try:
        program(draw)
        nothing_stays_lent()
        digest = journal.digest()
    finally:
        ray.shutdown()
    assert digest is not None
    return digest


def nothing_stays_lent() -> None:
    """Once no reference is left and the dust has settled: stores empty, resources whole."""
    time.sleep(200)
    for node in current_world().nodes:
        if node.alive:
            assert node.store.used() == 0, f"{node.name} keeps {node.store.used()} bytes"
    for node in ray.nodes():
        if node["Alive"]:
            cpus = node["Resources"]["CPU"]
            assert cpus > 0
    assert ray.available_resources()["CPU"] == ray.cluster_resources()["CPU"]


@pytest.mark.parametrize("seed", range(15))
def test_a_storm_changes_no_result(seed):
    storm(seed, program)


@pytest.mark.parametrize("seed", range(15))
def test_what_is_lent_in_a_storm_comes_back(seed):
    storm(seed, lending_program)


@pytest.mark.parametrize("seed", range(15))
def test_a_storm_in_little_room_ends_in_values_or_typed_errors(seed):
    storm(seed, tight_program)


@pytest.mark.parametrize("seed", [3, 7])
def test_a_storm_can_be_repeated(seed):
    assert storm(seed, lending_program) == storm(seed, lending_program)
