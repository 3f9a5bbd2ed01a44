"""Compiled graphs: channels between actors stay open, and a pass costs no scheduling."""

import asyncio
import copy
import pickle
from importlib import import_module

import pytest

from tests.api.patience import until

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
        def __init__(self, amount=0):
            self.amount = amount
            self.seen = []

        def add(self, value):
            self.seen.append(value)
            return value + self.amount

        def join(self, *values, sep="+"):
            return sep.join(map(str, values))

        def echo(self, value):
            return value

        @ray.method(num_returns=2)
        def split(self, value):
            return value, -value

        def fail(self, value):
            if value < 0:
                raise ValueError(f"negative: {value}")
            return value

        def sleep(self, seconds):
            import time

            time.sleep(seconds)
            return seconds

        def history(self):
            return self.seen

        def describe(self, value):
            context = ray.get_runtime_context()
            return context.get_actor_id(), value

        def nested(self, value):
            return ray.get(ray.put(value)) + 1

    return Stage


@pytest.fixture
def compiled():
    """`compiled(node, ...)`: compiled, and torn down after the test."""
    made = []

    def compile_(node, **options):
        graph = node.experimental_compile(**options)
        made.append(graph)
        return graph

    yield compile_
    for graph in made:
        graph.teardown()


@pytest.fixture
def chain(ray, dag, stage_class, compiled):
    """1, 10 and 100 are added by three actors."""
    stages = [stage_class.remote(amount) for amount in (1, 10, 100)]
    with dag.InputNode() as node:
        for stage in stages:
            node = stage.add.bind(node)
    graph = compiled(node)
    graph.stages = stages
    return graph


def is_dead(ray, stage, errors):
    try:
        ray.get(stage.history.remote())
    except errors.ActorDiedError:
        return True
    return False


def run_on(ray, graph):
    """A kill takes its time, and passes may overtake it: run until one of them fails."""
    for _ in range(5000):
        ray.get(graph.execute(1))


# Passes.


def test_chain_of_three_actors(ray, chain):
    assert [ray.get(chain.execute(value)) for value in range(3)] == [111, 112, 113]


def test_passes_under_way_at_once_keep_their_order(ray, chain):
    refs = [chain.execute(value) for value in range(8)]
    assert ray.get(refs) == [111 + value for value in range(8)]
    assert ray.get(chain.stages[2].history.remote()) == [11 + value for value in range(8)]


def test_results_may_be_taken_in_any_order(ray, chain):
    refs = [chain.execute(value) for value in range(3)]
    assert ray.get(refs[2]) == 113
    assert ray.get(refs[0]) == 111
    assert ray.get(refs[1]) == 112


def test_one_value_for_several_readers(ray, dag, stage_class, compiled):
    a, b, c = stage_class.remote(1), stage_class.remote(2), stage_class.remote()
    with dag.InputNode() as given:
        node = c.join.bind(a.add.bind(given), b.add.bind(given))
    graph = compiled(node)
    assert [ray.get(graph.execute(value)) for value in (0, 5)] == ["1+2", "6+7"]


def test_constants_among_the_arguments(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.join.bind("begin", given, "end", sep="-")
    graph = compiled(node)
    assert ray.get(graph.execute("middle")) == "begin-middle-end"


def test_one_actor_twice_in_a_pass(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(1), stage_class.remote(10)
    with dag.InputNode() as given:
        node = a.add.bind(b.add.bind(a.add.bind(given)))
    graph = compiled(node)
    assert [ray.get(graph.execute(value)) for value in range(3)] == [12, 13, 14]
    assert ray.get(a.history.remote()) == [0, 11, 1, 12, 2, 13]


def test_methods_of_one_actor_run_in_the_order_of_binding(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        first, second = stage.add.bind(given[0]), stage.add.bind(given[1])
        node = dag.MultiOutputNode([second, first])
    graph = compiled(node)
    assert ray.get(graph.execute(1, 2)) == [2, 1]
    assert ray.get(stage.history.remote()) == [1, 2]


def test_several_outputs_are_several_references(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(1), stage_class.remote(2)
    with dag.InputNode() as given:
        node = dag.MultiOutputNode([a.add.bind(given), b.add.bind(given)])
    graph = compiled(node)
    refs = graph.execute(0)
    assert ray.get(refs) == [1, 2]
    first, second = graph.execute(10)
    assert ray.get(second) == 12
    assert ray.get(first) == 11


def test_output_that_is_an_input_of_another_method_too(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(1), stage_class.remote(10)
    with dag.InputNode() as given:
        middle = a.add.bind(given)
        node = dag.MultiOutputNode([middle, b.add.bind(middle)])
    assert ray.get(compiled(node).execute(0)) == [1, 11]


def test_method_that_returns_two_values(ray, dag, stage_class, compiled):
    a, b, c = stage_class.remote(), stage_class.remote(100), stage_class.remote(200)
    with dag.InputNode() as given:
        first, second = a.split.bind(given)
        node = dag.MultiOutputNode([b.add.bind(first), c.add.bind(second)])
    assert ray.get(compiled(node).execute(5)) == [105, 195]


def test_input_in_parts(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        node = a.join.bind(given[0], b.echo.bind(given.name), given[1])
    graph = compiled(node)
    assert ray.get(graph.execute("x", "y", name="z")) == "x+z+y"
    with pytest.raises(ValueError, match="2 positional args"):
        graph.execute("x", name="z")
    with pytest.raises(ValueError, match="kwarg `name`"):
        graph.execute("x", "y")


def test_input_as_a_whole_takes_one_argument(chain):
    for args in ((), (1, 2)):
        with pytest.raises(ValueError, match="1 positional args"):
            chain.execute(*args)


def test_large_values_go_through_too(ray, dag, stage_class, compiled):
    np = pytest.importorskip("numpy")
    a, b = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        node = b.echo.bind(a.echo.bind(given))
    graph = compiled(node, _buffer_size_bytes=16_000_000)
    for count in range(3):
        array = np.full(300_000, count)
        assert (ray.get(graph.execute(array)) == array).all()


def test_input_is_taken_when_the_pass_begins(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.echo.bind(given)
    values = [1, 2]
    ref = compiled(node).execute(values)
    values.append(3)
    assert ray.get(ref) == [1, 2]


def test_none_is_a_value(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.echo.bind(given)
    assert ray.get(compiled(node).execute(None)) is None


def test_ordinary_calls_run_between_passes(ray, chain):
    ref = chain.execute(0)
    assert ray.get(chain.stages[0].add.remote(1000)) == 1001
    assert ray.get(ref) == 111


def test_method_knows_its_actor(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.describe.bind(given)
    assert ray.get(compiled(node).execute(3)) == ray.get(stage.describe.remote(3))


def test_method_may_use_the_cluster(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.nested.bind(given)
    graph = compiled(node)
    assert [ray.get(graph.execute(value)) for value in range(3)] == [1, 2, 3]


def test_two_graphs_over_the_same_actors(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(1), stage_class.remote(10)
    with dag.InputNode() as given:
        node = b.add.bind(a.add.bind(given))
    one = compiled(node)
    assert ray.get(one.execute(0)) == 11
    one.teardown()
    with dag.InputNode() as given:
        node = a.add.bind(b.add.bind(given))
    assert ray.get(compiled(node).execute(1)) == 12


def test_actor_may_drive_a_graph(ray, dag, stage_class):
    @ray.remote(num_cpus=0)
    class Driver:
        def run(self, stages, values):
            with dag.InputNode() as node:
                for stage in stages:
                    node = stage.add.bind(node)
            graph = node.experimental_compile()
            found = [ray.get(graph.execute(value)) for value in values]
            graph.teardown()
            return found

    stages = [stage_class.remote(1), stage_class.remote(10)]
    assert ray.get(Driver.remote().run.remote(stages, [0, 1])) == [11, 12]


# Errors of methods.


def test_error_is_raised_as_its_cause_and_the_graph_goes_on(
    ray, dag, stage_class, compiled, errors
):
    a, b = stage_class.remote(), stage_class.remote(1)
    with dag.InputNode() as given:
        node = b.add.bind(a.fail.bind(given))
    graph = compiled(node)
    ref = graph.execute(-1)
    with pytest.raises(ValueError, match="negative: -1") as caught:
        ray.get(ref)
    assert isinstance(caught.value, errors.RayTaskError)
    assert ray.get(graph.execute(1)) == 2
    assert ray.get(b.history.remote()) == [1]


def test_error_of_one_output_is_the_error_of_the_whole_pass(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(), stage_class.remote(1)
    with dag.InputNode() as given:
        node = dag.MultiOutputNode([a.fail.bind(given), b.add.bind(given)])
    graph = compiled(node)
    for ref in graph.execute(-1):
        with pytest.raises(ValueError, match="negative"):
            ray.get(ref)
    assert ray.get(graph.execute(1)) == [1, 2]


def test_wrong_number_of_values(ray, dag, compiled):
    @ray.remote(num_cpus=0)
    class Wrong:
        @ray.method(num_returns=2)
        def three(self, value):
            return value, value, value

    with dag.InputNode() as given:
        first, second = Wrong.remote().three.bind(given)
        node = dag.MultiOutputNode([first, second])
    refs = compiled(node).execute(1)
    with pytest.raises(ValueError):  # noqa: PT011  (Ray has other words)
        ray.get(refs[0])


# References to results.


def test_result_is_taken_once(ray, chain):
    ref = chain.execute(0)
    ray.get(ref)
    with pytest.raises(ValueError, match="only be called once"):
        ray.get(ref)


def test_result_is_no_object(ray, chain):
    ref = chain.execute(0)
    for what in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(ValueError, match="cannot be"):
            what(ref)
    with pytest.raises(TypeError):
        ray.wait([ref])
    with pytest.raises(TypeError):
        ray.put(ref)
    with pytest.raises(TypeError):
        chain.stages[0].add.remote(ref)
    assert ray.get(ref) == 111


def test_results_and_references_do_not_mix_in_one_get(ray, chain):
    ref = chain.execute(0)
    with pytest.raises(ValueError, match="must be a list of CompiledDAGRefs"):
        ray.get([ref, ray.put(1)])
    assert ray.get([ref]) == [111]


def test_result_says_of_which_pass_it_is(ray, chain):
    ray.get(chain.execute(0))
    ref = chain.execute(1)
    assert str(ref) == f"CompiledDAGRef({chain.get_id()}, execution_index=1, channel_index=None)"
    ray.get(ref)


def test_pass_that_takes_too_long(ray, dag, stage_class, compiled, errors):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.sleep.bind(given)
    graph = compiled(node)
    ref = graph.execute(1.5)
    with pytest.raises(errors.RayChannelTimeoutError) as caught:
        ray.get(ref, timeout=0.2)
    assert isinstance(caught.value, TimeoutError)
    assert ray.get(graph.execute(0), timeout=HANGS) == 0


def test_negative_timeout_waits_for_ever(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.sleep.bind(given)
    assert ray.get(compiled(node).execute(0.3), timeout=-1) == 0.3


# Limits.


def test_too_many_passes_under_way(ray, dag, stage_class, compiled, errors):
    stage = stage_class.remote(1)
    with dag.InputNode() as given:
        node = stage.add.bind(given)
    graph = compiled(node, _max_inflight_executions=2)
    refs = [graph.execute(value) for value in range(2)]
    with pytest.raises(errors.RayCgraphCapacityExceeded, match="in-flight"):
        graph.execute(2)
    assert ray.get(refs[0]) == 1
    third = graph.execute(3)
    assert ray.get([refs[1], third]) == [2, 4]


def test_too_many_results_that_nobody_takes(ray, dag, stage_class, compiled, errors):
    stage = stage_class.remote(1)
    with dag.InputNode() as given:
        node = stage.add.bind(given)
    graph = compiled(node, _max_buffered_results=1)
    refs = [graph.execute(value) for value in range(3)]
    with pytest.raises(errors.RayCgraphCapacityExceeded, match="buffered"):
        ray.get(refs[2])
    assert ray.get(refs[0]) == 1


def test_passes_whose_results_nobody_holds_do_not_count(ray, chain):
    for value in range(25):
        chain.execute(value)
    assert ray.get(chain.execute(100)) == 211
    assert len(ray.get(chain.stages[0].history.remote())) == 26


# asyncio.


def test_awaited_passes(ray, dag, stage_class, compiled):
    stages = [stage_class.remote(1), stage_class.remote(10)]
    with dag.InputNode() as node:
        for stage in stages:
            node = stage.add.bind(node)

    async def main():
        graph = compiled(node, enable_asyncio=True)
        futures = [await graph.execute_async(value) for value in range(5)]
        with pytest.raises(ValueError, match="execute_async"):
            graph.execute(1)
        found = [await future for future in futures]
        with pytest.raises(ValueError, match="once"):
            await futures[0]
        graph.teardown()
        return found

    assert asyncio.run(main()) == [11, 12, 13, 14, 15]


def test_gathered_passes_with_two_outputs(ray, dag, stage_class, compiled):
    a, b = stage_class.remote(1), stage_class.remote(10)
    with dag.InputNode() as given:
        node = dag.MultiOutputNode([a.add.bind(given), b.add.bind(given)])

    async def main():
        graph = compiled(node, enable_asyncio=True)

        async def run(value):
            first, second = await graph.execute_async(value)
            return await first, await second

        found = await asyncio.gather(*(run(value) for value in range(4)))
        graph.teardown()
        return found

    assert asyncio.run(main()) == [(value + 1, value + 10) for value in range(4)]


def test_graph_without_asyncio_is_not_awaited(ray, chain):
    async def main():
        with pytest.raises(ValueError, match="enable_asyncio=False"):
            await chain.execute_async(1)

    asyncio.run(main())


# The end.


def test_torn_down_graph_runs_no_more_but_its_actors_do(ray, chain, errors):
    assert ray.get(chain.execute(0)) == 111
    chain.teardown()
    chain.teardown()
    with pytest.raises(errors.RayChannelError):
        chain.execute(1)
    assert ray.get(chain.stages[0].add.remote(1)) == 2


def test_teardown_may_kill_the_actors(ray, chain, errors):
    ray.get(chain.execute(0))
    chain.teardown(kill_actors=True)
    for stage in chain.stages:
        until(lambda stage=stage: is_dead(ray, stage, errors))


def test_death_of_an_actor_ends_the_graph(ray, chain, errors):
    assert ray.get(chain.execute(0)) == 111
    ray.kill(chain.stages[1])
    with pytest.raises(errors.ActorDiedError):
        run_on(ray, chain)
    with pytest.raises(errors.RayChannelError):
        ray.get(chain.execute(2))
    assert ray.get(chain.stages[0].add.remote(5)) == 6


def test_dead_actor_cannot_be_compiled(ray, dag, stage_class, errors):
    stage = stage_class.remote()
    ray.get(stage.history.remote())
    ray.kill(stage)
    until(lambda: is_dead(ray, stage, errors))
    with dag.InputNode() as given:
        node = stage.add.bind(given)
    with pytest.raises(errors.ActorDiedError):
        node.experimental_compile()


# What it says of itself.


def test_drawing(ray, chain):
    text = chain.visualize(format="ascii")
    assert "Nodes Information:" in text
    assert "Method: add" in text
    assert "0 ---> 1" in text
    assert "1 ---> 2" in text


def test_identifier(ray, chain):
    assert isinstance(chain.get_id(), str)
    assert chain.get_id() in str(chain)


def test_settings_of_the_process(dag):
    context = dag.DAGContext.get_current()
    assert context is dag.DAGContext.get_current()
    assert (context.get_timeout, context.submit_timeout) == (10, 10)
    assert (context.max_inflight_executions, context.max_buffered_results) == (10, 1000)
    with pytest.raises(ValueError):  # noqa: PT011  (as above)
        dag.DAGContext(get_timeout=0, read_iteration_timeout=1)
