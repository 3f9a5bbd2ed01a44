"""Items of generators whose node goes: made again, from the arguments, under their own references."""

import gc
import time
from importlib import import_module

import pytest

LARGE = 300_000


@pytest.fixture
def away(cluster):
    """A node of one CPU, where alone `away` is."""
    return cluster.add_node(num_cpus=1, resources={"away": 1})


@pytest.fixture
def items(lib, away):
    @lib.remote(num_cpus=0, resources={"away": 0.1})
    def items(n, pause, log):
        for i in range(n):
            lib.get(log.add.remote(i))
            yield bytes([i]) * LARGE
            time.sleep(pause)

    return items


@pytest.fixture
def log(lib, cluster):
    strategies = import_module(f"{lib.__name__}.util.scheduling_strategies")
    head = lib.get_runtime_context().get_node_id()

    @lib.remote(
        num_cpus=0,
        scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(head, soft=False),
    )
    class Log:
        def __init__(self):
            self.seen = []

        def add(self, what):
            self.seen.append(what)

        def get(self):
            return self.seen

    return Log.remote()


def test_lost_items_are_made_again(lib, cluster, away, items, log):
    generator = items.remote(3, 0, log)
    refs = list(generator)
    lib.get(generator.completed())
    cluster.remove_node(away)
    cluster.add_node(num_cpus=1, resources={"away": 1})
    assert [lib.get(ref, timeout=120)[0] for ref in refs] == [0, 1, 2]
    assert lib.get(log.get.remote())[:6] == [0, 1, 2, 0, 1, 2]


def test_lost_items_are_made_again_though_their_generator_is_gone(lib, cluster, away, items, log):
    generator = items.remote(3, 0, log)
    lib.get(generator.completed())
    first, second, third = list(generator)
    del generator, first, third
    gc.collect()
    cluster.remove_node(away)
    cluster.add_node(num_cpus=1, resources={"away": 1})
    assert lib.get(second, timeout=120)[0] == 1


def test_a_generator_goes_on_elsewhere(lib, cluster, away, items, log):
    """What was taken and what was not taken yet is lost with the node, and made again."""
    generator = items.remote(4, 0.5, log)
    taken = [next(generator), next(generator)]
    cluster.remove_node(away)
    cluster.add_node(num_cpus=1, resources={"away": 1})
    refs = taken + list(generator)
    assert [lib.get(ref, timeout=120)[0] for ref in refs] == [0, 1, 2, 3]


def test_items_are_lost_where_nothing_may_run_again(lib, cluster, away, items, log):
    generator = items.options(max_retries=0).remote(1, 0, log)
    lib.get(generator.completed())
    [ref] = list(generator)
    cluster.remove_node(away)
    with pytest.raises(lib.exceptions.ObjectLostError):
        lib.get(ref, timeout=120)


def test_small_items_are_not_lost(lib, cluster, away):
    @lib.remote(resources={"away": 0.1}, max_retries=0)
    def small():
        yield "a"
        yield "b"

    generator = small.remote()
    lib.get(generator.completed())
    cluster.remove_node(away)
    assert [lib.get(ref) for ref in generator] == ["a", "b"]


def test_lost_returns_of_an_actor_are_made_again(lib, cluster, away):
    """By calling it again where it restarted, if its calls may be retried."""

    @lib.remote(num_cpus=0, resources={"away": 0.1}, max_restarts=1, max_task_retries=2)
    class Maker:
        def make(self, value):
            return bytes([value]) * LARGE

    maker = Maker.remote()
    refs = [maker.make.remote(value) for value in range(2)]
    lib.wait(refs, num_returns=2, fetch_local=False)
    cluster.remove_node(away)
    cluster.add_node(num_cpus=1, resources={"away": 1})
    assert [lib.get(ref, timeout=120)[0] for ref in refs] == [0, 1]


def test_lost_returns_of_an_actor_without_retries_are_lost(lib, cluster, away):
    @lib.remote(num_cpus=0, resources={"away": 0.1}, max_restarts=1)
    class Maker:
        def make(self):
            return b"x" * LARGE

    maker = Maker.remote()
    ref = maker.make.remote()
    lib.wait([ref], fetch_local=False)
    cluster.remove_node(away)
    cluster.add_node(num_cpus=1, resources={"away": 1})
    with pytest.raises(lib.exceptions.ObjectLostError):
        lib.get(ref, timeout=120)
