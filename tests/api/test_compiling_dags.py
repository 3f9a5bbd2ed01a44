"""What can be compiled, and what is refused by which words."""

from importlib import import_module

import pytest


@pytest.fixture
def dag(lib):
    return import_module(f"{lib.__name__}.dag")


@pytest.fixture
def stage_class(ray):
    @ray.remote(num_cpus=0)
    class Stage:
        def add(self, value):
            return value

        def join(self, *values, sep="+"):
            return sep.join(map(str, values))

        def echo(self, value):
            return value

    return Stage


@pytest.fixture
def compiled():
    """`compiled(node)`: compiled, and torn down after the test."""
    made = []

    def compile_(node, **options):
        made.append(node.experimental_compile(**options))
        return made[-1]

    yield compile_
    for graph in made:
        graph.teardown()


def test_graph_is_compiled_once(ray, dag, stage_class, compiled):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.add.bind(given)
    compiled(node)
    with pytest.raises(ValueError, match="multiple times"):
        node.experimental_compile()


def test_functions_are_not_compiled(ray, dag):
    @ray.remote
    def twice(value):
        return 2 * value

    with dag.InputNode() as given, pytest.raises(NotImplementedError, match="actor method"):
        twice.bind(given).experimental_compile()


def test_actors_have_to_live_already(ray, dag, stage_class):
    with dag.InputNode() as given:
        node = stage_class.bind().add.bind(given)
    with pytest.raises(ValueError, match="already created"):
        node.experimental_compile()


def test_graph_without_input(ray, stage_class):
    with pytest.raises(ValueError, match="No InputNode"):
        stage_class.remote().add.bind(1).experimental_compile()


def test_method_without_input_of_the_graph(ray, dag, stage_class):
    a, b = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        node = dag.MultiOutputNode([a.add.bind(given), b.add.bind(1)])
    with pytest.raises(ValueError, match="InputNode or at least one other DAGNode"):
        node.experimental_compile()


def test_node_as_a_keyword_argument(ray, dag, stage_class):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.join.bind(given, sep=stage.echo.bind(given))
    with pytest.raises(ValueError, match="kwargs"):
        node.experimental_compile()


def test_node_inside_a_container(ray, dag, stage_class):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        node = stage.echo.bind([stage.echo.bind(given)])
    with pytest.raises(ValueError, match="container"):
        node.experimental_compile()


def test_leaf_that_is_no_output(ray, dag, stage_class):
    a, b = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        middle = a.echo.bind(given)
        b.echo.bind(middle)
        node = b.add.bind(middle)
    with pytest.raises(ValueError, match="leaf"):
        node.experimental_compile()


def test_whole_input_and_parts_of_it(ray, dag, stage_class):
    a, b = stage_class.remote(), stage_class.remote()
    with dag.InputNode() as given:
        node = dag.MultiOutputNode([a.echo.bind(given), b.echo.bind(given[0])])
    with pytest.raises(ValueError, match="directly"):
        node.experimental_compile()


def test_part_of_the_input_that_nobody_uses(ray, dag, stage_class):
    stage = stage_class.remote()
    with dag.InputNode() as given:
        _ = given[1]
        node = stage.echo.bind(given[0])
    with pytest.raises(ValueError, match="unused"):
        node.experimental_compile()


def test_tensors_of_the_input_go_through_host_memory(ray, dag, stage_class):
    with dag.InputNode() as given, pytest.raises(ValueError, match="transport"):
        given.with_tensor_transport(transport="carrier pigeon")
