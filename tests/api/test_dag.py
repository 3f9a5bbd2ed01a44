"""Graphs of tasks and actor calls, run as ordinary ones."""

import asyncio
import pickle
from importlib import import_module

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:DAGNode.execute")


@pytest.fixture
def dag(lib):
    return import_module(f"{lib.__name__}.dag")


@pytest.fixture
def add(ray):
    @ray.remote
    def add(a, b=0):
        return a + b

    return add


@pytest.fixture
def counter_class(ray):
    @ray.remote(num_cpus=0)
    class Counter:
        def __init__(self, start=0):
            self.value = start

        def add(self, amount):
            self.value += amount
            return self.value

        def get(self):
            return self.value

        @ray.method(num_returns=2)
        def split(self, value):
            return value, -value

    return Counter


# Functions.


def test_bound_function_runs_when_it_is_executed(ray, add):
    assert ray.get(add.bind(1, b=2).execute()) == 3


def test_node_is_an_argument_of_another(ray, add):
    assert ray.get(add.bind(add.bind(1, 2), add.bind(3, 4)).execute()) == 10


def test_node_inside_a_container_becomes_a_reference_there(ray, add):
    @ray.remote
    def total(parts):
        return sum(ray.get(parts["numbers"]))

    node = total.bind({"numbers": [add.bind(1, 1), add.bind(2, 2)]})
    assert ray.get(node.execute()) == 6


def test_node_inside_an_object_of_a_class_is_found(ray, add):
    class Box:
        def __init__(self, content):
            self.content = content

    @ray.remote
    def open_box(box):
        return ray.get(box.content)

    assert ray.get(open_box.bind(Box(add.bind(1, 1))).execute()) == 2


def test_shared_node_runs_once(ray, add, counter_class):
    counter = counter_class.remote()
    shared = counter.add.bind(1)
    assert ray.get(add.bind(shared, shared).execute()) == 2
    assert ray.get(counter.get.remote()) == 1


def test_each_execution_runs_the_graph_again(ray, counter_class):
    counter = counter_class.remote()
    node = counter.add.bind(1)
    assert [ray.get(node.execute()) for _ in range(3)] == [1, 2, 3]


def test_options_of_a_bound_function_are_its_own(ray):
    @ray.remote
    def pair():
        return 1, 2

    refs = pair.options(num_returns=2).bind().execute()
    assert ray.get(refs) == [1, 2]


def test_error_of_a_node_is_the_error_of_what_depends_on_it(ray, add):
    @ray.remote
    def fail():
        raise KeyError("lost")

    with pytest.raises(KeyError):
        ray.get(add.bind(fail.bind(), 1).execute())


def test_bind_of_a_function_does_not_look_at_its_signature(ray, add):
    node = add.bind(1, 2, 3)
    with pytest.raises(TypeError):
        node.execute()


def test_execute_warns_that_it_is_deprecated(ray, add, lib):
    warning = import_module(f"{lib.__name__}.util.annotations").RayDeprecationWarning
    with pytest.warns(warning, match="execute"):
        ray.get(add.bind(1, 1).execute())


def test_node_cannot_be_bound_or_called_again(add):
    node = add.bind(1, 1)
    with pytest.raises(AttributeError, match="bind"):
        node.bind(1)
    with pytest.raises(AttributeError, match="execute"):
        node.remote()


# Actors of a graph.


def test_class_node_creates_an_actor_for_each_execution(ray, counter_class):
    node = counter_class.bind(10).add.bind(1)
    assert [ray.get(node.execute()) for _ in range(2)] == [11, 11]


def test_executed_class_node_is_a_handle(ray, counter_class):
    handle = counter_class.bind(3).execute()
    assert ray.get(handle.get.remote()) == 3


def test_calls_on_one_class_node_run_in_the_order_of_binding(ray, counter_class, add):
    counter = counter_class.bind(0)
    counter.add.bind(1)
    counter.add.bind(10)
    assert ray.get(counter.get.bind().execute()) == 11


def test_unknown_method_of_a_class_node(counter_class):
    with pytest.raises(AttributeError):
        counter_class.bind().subtract  # noqa: B018  (the access is what is tested)


def test_method_of_a_class_node_has_no_remote(counter_class):
    with pytest.raises(AttributeError, match="bind"):
        counter_class.bind().add.remote(1)


def test_class_node_takes_no_input_node(dag, counter_class):
    with dag.InputNode() as given, pytest.raises(ValueError, match="InputNode"):
        counter_class.bind(given)


def test_argument_of_a_constructor_may_be_a_node(ray, add, counter_class):
    assert ray.get(counter_class.bind(add.bind(1, 1)).get.bind().execute()) == 2


# Actors that live.


def test_bind_of_a_class_does_not_look_at_its_signature(ray, counter_class):
    node = counter_class.bind(1, 2, 3, 4)
    with pytest.raises(TypeError):
        node.execute()


def test_bind_of_a_handle_checks_the_signature(ray, counter_class):
    counter = counter_class.remote()
    with pytest.raises(TypeError):
        counter.add.bind()


def test_method_that_returns_two_gives_two_nodes(ray, counter_class, add):
    counter = counter_class.remote()
    first, second = counter.split.bind(4)
    assert ray.get(add.bind(first, second).execute()) == 0
    assert ray.get(first.execute()) == 4


# Input.


def test_input_is_what_execute_was_given(ray, dag, add):
    with dag.InputNode() as given:
        node = add.bind(given, 1)
    assert ray.get(node.execute(1)) == 2
    assert ray.get(node.execute(5)) == 6


def test_input_by_position_and_keyword(ray, dag, add):
    with dag.InputNode() as given:
        node = add.bind(given[0], given.b)
    assert ray.get(node.execute(1, b=2)) == 3


def test_parts_of_one_argument(ray, dag, add):
    with dag.InputNode() as given:
        by_index = add.bind(given[0], given[1])
    assert ray.get(by_index.execute([3, 4])) == 7
    with dag.InputNode() as given:
        by_key = add.bind(given["x"], given["y"])
    assert ray.get(by_key.execute({"x": 1, "y": 2})) == 3


def test_attributes_of_one_argument(ray, dag, add):
    with dag.InputNode() as given:
        node = add.bind(given.real, given.imag)
    assert ray.get(node.execute(3 + 4j)) == 7


def test_input_outside_of_its_context_is_refused(ray, dag, add):
    with pytest.raises(AssertionError):
        add.bind(dag.InputNode(), 1).execute(1)


def test_two_inputs_in_one_graph_are_refused(ray, dag, add):
    with dag.InputNode() as one, dag.InputNode() as other:
        node = add.bind(one, other)
    with pytest.raises(AssertionError, match="one unique InputNode"):
        node.execute(1)


def test_input_node_takes_no_arguments(dag):
    with pytest.raises(ValueError, match="InputNode"):
        dag.InputNode(1)


def test_input_key_is_an_index_or_a_name(dag):
    with dag.InputNode() as given, pytest.raises(AssertionError):
        given[1.5]


# Output.


def test_several_outputs_are_a_list_of_references(ray, dag, add):
    node = dag.MultiOutputNode([add.bind(1, 1), add.bind(2, 2)])
    assert ray.get(node.execute()) == [2, 4]


def test_outputs_are_a_list_or_a_tuple(dag, add):
    with pytest.raises(ValueError, match="args"):
        dag.MultiOutputNode(add.bind(1, 1))


# What a node knows, ways through the graph.


def test_node_knows_its_arguments(dag, add):
    child = add.bind(1, 1)
    node = add.bind(child, b=2)
    assert list(node.get_args()) == [child]
    assert node.get_kwargs() == {"b": 2}
    assert node.get_stable_uuid() != child.get_stable_uuid()


def test_apply_recursive_visits_each_node_once_children_first(dag, add):
    shared = add.bind(1, 1)
    top = add.bind(shared, add.bind(shared, 2))
    seen = []

    def visit(node):
        seen.append(node.get_stable_uuid())
        return len(seen)

    assert top.apply_recursive(visit) == 3
    assert seen[0] == shared.get_stable_uuid()
    assert seen[-1] == top.get_stable_uuid()
    assert len(seen) == 3


def test_apply_recursive_puts_results_in_the_place_of_children(dag, add):
    top = add.bind(add.bind(1, 2), [add.bind(3, 4)])
    found = top.apply_recursive(lambda node: tuple(node.get_args()))
    assert found == ((1, 2), [(3, 4)])


def test_traverse_and_apply_reaches_what_depends_on_a_node(dag, add):
    shared = add.bind(1, 1)
    users = [add.bind(shared, 1), add.bind(shared, 2)]
    seen = []
    shared.traverse_and_apply(seen.append)
    assert len(seen) == 3
    assert all(any(node is user for node in seen) for user in users)


def test_references_of_the_last_execution_are_kept_if_asked_for(ray, add):
    child = add.bind(1, 1)
    node = add.bind(child, 1)
    node.execute(_ray_cache_refs=True)
    refs = asyncio.run(node.get_object_refs_from_last_execute())
    assert ray.get(refs[child.get_stable_uuid()]) == 2
    node.clear_cache()
    assert node.cache_from_last_execute == {}


def test_reference_among_the_arguments_is_resolved(ray, add):
    assert ray.get(add.bind(ray.put(40), 2).execute()) == 42


def test_graph_may_be_pickled(ray, dag, add):
    with dag.InputNode() as given:
        node = add.bind(add.bind(given, 1), 2)
    copy = pickle.loads(import_module("cloudpickle").dumps(node))
    assert ray.get(copy.execute(10)) == 13
    assert copy.get_stable_uuid() == node.get_stable_uuid()


def test_graph_runs_inside_a_task(ray, dag, add):
    @ray.remote
    def run(node, value):
        return ray.get(node.execute(value))

    with dag.InputNode() as given:
        node = add.bind(given, 1)
    assert ray.get(run.remote(node, 1)) == 2
