"""What goes through the channels of a compiled graph: values of all sizes, in order, whoever runs the methods."""

from importlib import import_module

import pytest

HANGS = 30
"""Seconds after which something does."""


@pytest.fixture
def dag(lib):
    return import_module(f"{lib.__name__}.dag")


@pytest.fixture
def errors(lib):
    return import_module(f"{lib.__name__}.exceptions")


@pytest.fixture
def stage_class(ray):
    @ray.remote(num_cpus=0)
    class Stage:
        def __init__(self):
            self.seen = []

        def echo(self, value):
            return value

        def note(self, value):
            self.seen.append(value[0])
            return len(value)

        def late(self, value):
            import time

            time.sleep(0.002)
            self.seen.append(value[0])
            return len(value)

        def fail(self, value):
            raise ValueError(f"no {value[0]}")

        def sleep(self, seconds):
            import time

            time.sleep(seconds)
            return seconds

        def history(self):
            return self.seen

    return Stage


@pytest.fixture
def compiled():
    made = []

    def compile_(node, **options):
        graph = node.experimental_compile(**options)
        made.append(graph)
        return graph

    yield compile_
    for graph in made:
        graph.teardown()


def test_values_of_all_sizes_keep_their_order(ray, dag, stage_class, compiled):
    """Some are written straight, some are messages, some objects of the store."""
    a, b = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        node = b.echo.bind(a.echo.bind(given))
    graph = compiled(node, _buffer_size_bytes=1_000_000)
    sizes = [1, 4000, 4060, 4096, 10, 70_000, 2, 200_000, 3, 102_400]
    for _ in range(2):
        refs = [graph.execute(bytes([size % 251]) * size) for size in sizes]
        assert ray.get(refs) == [bytes([size % 251]) * size for size in sizes]


def test_slow_reader_misses_nothing_that_faster_ones_are_done_with(ray, dag, stage_class, compiled):
    """The error of one output is the error of the pass: the next one begins, and the other output lags."""
    quick, slow = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        node = dag.MultiOutputNode([quick.fail.bind(given), slow.late.bind(given)])
    graph = compiled(node)
    for number in range(60):
        for ref in graph.execute(bytes([number]) * 3900):
            with pytest.raises(ValueError, match=f"no {number}"):
                ray.get(ref)
    graph.teardown()
    seen = ray.get(slow.history.remote())
    assert seen == list(range(len(seen)))


def test_two_readers_of_a_value_and_two_values_of_a_reader(ray, dag, stage_class, compiled):
    a, b, c = (stage_class.remote() for _ in range(3))
    with dag.InputNode() as given:
        first = a.echo.bind(given)
        node = dag.MultiOutputNode([b.note.bind(first), c.note.bind(first), c.note.bind(given)])
    graph = compiled(node)
    for number in range(20):
        assert ray.get(graph.execute(bytes([number, 0]))) == [2, 2, 2]
    assert ray.get(b.history.remote()) == list(range(20))
    assert ray.get(c.history.remote()) == [number for number in range(20) for _ in range(2)]


def test_ordinary_calls_among_many_passes(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.note.bind(given)
    graph = compiled(node)
    for number in range(50):
        ref = graph.execute(bytes([number]))
        call = stage.echo.remote(number)
        assert ray.get(ref) == 1
        assert ray.get(call) == number
    assert ray.get(stage.history.remote()) == list(range(50))


def test_actor_that_dies_while_its_pass_is_waited_for(ray, dag, stage_class, compiled, errors):
    a, b = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        node = b.echo.bind(a.sleep.bind(given))
    graph = compiled(node)
    assert ray.get(graph.execute(0)) == 0
    ref = graph.execute(HANGS)
    ray.kill(a)
    with pytest.raises(errors.ActorDiedError):
        ray.get(ref, timeout=HANGS)
    assert ray.get(b.echo.remote(1)) == 1


def test_actor_that_runs_several_methods_at_once(ray, dag, stage_class, compiled):
    stages = [stage_class.options(max_concurrency=count).remote() for count in (1, 3, 1)]
    with dag.InputNode() as node:
        for stage in stages:
            node = stage.echo.bind(node)
    graph = compiled(node)
    refs = [graph.execute(value) for value in range(8)]
    assert ray.get(refs) == list(range(8))


def test_graph_compiled_again_and_again(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(), stage_class.remote()
    for number in range(10):
        with dag.InputNode() as given:
            node = b.echo.bind(a.echo.bind(given))
        graph = compiled(node)
        assert ray.get(graph.execute(number)) == number
        graph.teardown()
