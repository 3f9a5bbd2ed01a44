"""Compiled graphs on several simulated nodes: what they cost, what the loss of a node does to them."""

import time

import pytest

import raysim as ray
from raysim.dag import InputNode
from raysim.journal import Level
from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy


@ray.remote(num_cpus=0)
class Stage:
    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def work(self, value):
        if self.seconds:
            time.sleep(self.seconds)
        return value


def chain(seconds=0.0):
    """One actor on each node, and the graph through them."""
    stages = []
    with InputNode() as node:
        for info in ray.nodes():
            there = NodeAffinitySchedulingStrategy(info["NodeID"], soft=False)
            stages.append(Stage.options(scheduling_strategy=there).remote(seconds))
            node = stages[-1].work.bind(node)
    return stages, node.experimental_compile()


def run_passes():
    stages, graph = chain()
    return stages, [ray.get(graph.execute(value)) for value in range(20)]


def test_pass_costs_one_message_for_each_edge(init):
    journal = init(nodes=3)
    _, graph = chain()
    ray.get(graph.execute(0))
    before = journal.count
    start = time.time()
    assert ray.get(graph.execute(1)) == 1
    # To the head's own actor, two hops between nodes, and back: 20 + 100 + 100 + 100 microseconds.
    assert time.time() - start == pytest.approx(320e-6, rel=0.05)
    assert journal.count - before <= 2 * 4 + 4


def test_passes_overlap_in_a_pipeline(init):
    init(nodes=3)
    _, graph = chain(seconds=1.0)
    start = time.time()
    assert ray.get([graph.execute(value) for value in range(8)]) == list(range(8))
    assert time.time() - start == pytest.approx(10, abs=0.1)


def test_loss_of_a_node_ends_the_graph(init):
    init(nodes=3)
    from raysim.api.session import current_world

    world = current_world()
    _, graph = chain(seconds=5.0)
    refs = [graph.execute(value) for value in range(2)]
    time.sleep(1)
    world.kill_node(world.nodes[2].node_id.hex())
    for ref in refs:
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(ref, timeout=-1)
    with pytest.raises(ray.exceptions.RayChannelError):
        graph.execute(3)


def test_same_seed_gives_the_same_messages(init):
    digests = []
    for _ in range(2):
        journal = init(nodes=3, seed=7)
        assert journal.level >= Level.ALL
        assert run_passes()[1] == list(range(20))
        ray.shutdown()
        digests.append(journal.digest())
    assert digests[0] == digests[1]


def test_large_values_move_between_nodes_and_are_freed(init):
    np = pytest.importorskip("numpy")
    init(nodes=3)
    _, graph = chain()
    array = np.arange(1_000_000)
    for _ in range(3):
        assert (ray.get(graph.execute(array)) == array).all()
    time.sleep(5)
    from raysim.api.session import current_world

    used = [node.store.used() for node in current_world().nodes]
    assert used == [0, 0, 0]
