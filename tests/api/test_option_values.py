"""Bad values of every option: each library refuses them with the same class, at `.options()` or at `.remote()`."""

import warnings

import pytest

HUGE = 2**40

BAD_FOR_BOTH = {
    "accelerator_type": [(3, TypeError), (["T4"], TypeError), ({}, TypeError)],
    "enable_task_events": [(None, TypeError), (1, TypeError), ("yes", TypeError)],
    "fallback_strategy": [
        ({}, TypeError),
        ([{"x": 1}], ValueError),
        ([{"label_selector": ["a"]}], ValueError),
    ],
    "label_selector": [("a=b", TypeError), ({"a": 1}, TypeError), ({1: "a"}, TypeError)],
    "memory": [("1", TypeError), (-1, ValueError), ([1], TypeError)],
    "name": [(3, TypeError), (b"x", TypeError), (["x"], TypeError)],
    "num_cpus": [("1", TypeError), (-1, ValueError), (0.00001, ValueError)],
    "num_gpus": [("1", TypeError), (-0.5, ValueError), (1.5, ValueError)],
    "placement_group": [(3, TypeError), ({}, TypeError), ("nowhere", AssertionError)],
    "placement_group_bundle_index": [(None, TypeError), (1.5, TypeError), (0, ValueError)],
    "placement_group_capture_child_tasks": [(1, TypeError), ("no", TypeError), ([], TypeError)],
    "resources": [
        (["shelf"], TypeError),
        ({"CPU": 1}, ValueError),
        ({"shelf": -1}, ValueError),
        ({"memory": 1}, ValueError),
        ({1: 1}, AttributeError),
    ],
    "runtime_env": [
        ("x", TypeError),
        ([], TypeError),
        ({"env_vars": {"A": 1}}, TypeError),
    ],
    "scheduling_strategy": [(3, TypeError), ([], TypeError), ("NEAREST", ValueError)],
    "_labels": [("a", TypeError), ({"a": 1}, ValueError), ({1: "a"}, ValueError)],
    "nonsense": [(None, ValueError), (1, ValueError), ("x", ValueError)],
}

BAD_FOR_TASKS = {
    **BAD_FOR_BOTH,
    "max_calls": [("1", TypeError), (-1, ValueError), (1, ValueError)],
    "max_retries": [(1.5, TypeError), (-2, ValueError), (None, TypeError), (HUGE, OverflowError)],
    "num_returns": [
        (1.5, TypeError),
        (-1, ValueError),
        ("many", TypeError),
        ("streaming", ValueError),
        (HUGE, OverflowError),
    ],
    "object_store_memory": [(1.5, TypeError), (1, ValueError), ("1", TypeError)],
    "retry_exceptions": [(None, TypeError), ([1], ValueError), ([BaseException], ValueError)],
    "_generator_backpressure_num_objects": [(0, ValueError), ("1", TypeError), (1.5, TypeError)],
    "_num_objects_per_yield": [(0, ValueError), ("1", ValueError), (2, ValueError)],
}

BAD_FOR_ACTORS = {
    **BAD_FOR_BOTH,
    "allow_out_of_order_execution": [(1, TypeError), ("x", TypeError), ([], TypeError)],
    "concurrency_groups": [({}, ValueError), (1, TypeError), ("io", TypeError)],
    "enable_tensor_transport": [(1, TypeError), ("x", TypeError), ([], TypeError)],
    "get_if_exists": [(1, TypeError), (None, TypeError), (True, ValueError)],
    "lifetime": [(1, TypeError), ("for ever", ValueError), ("", ValueError)],
    "max_concurrency": [("1", TypeError), (-1, ValueError), (HUGE, OverflowError)],
    "max_pending_calls": [(None, TypeError), (-2, ValueError), (HUGE, OverflowError)],
    "max_restarts": [(None, TypeError), (-2, ValueError), (1.5, TypeError)],
    "max_task_retries": [(None, TypeError), (-2, ValueError), ("1", TypeError)],
    "namespace": [(1, TypeError), ("", ValueError), ([], TypeError)],
    "object_store_memory": [(1.5, TypeError), (-1, ValueError), ("1", TypeError)],
    "_actor_generator_backpressure_num_objects": [
        (0, ValueError),
        (-2, ValueError),
        ("1", TypeError),
    ],
}

BAD_FOR_METHODS = {
    "concurrency_group": [(1, TypeError), ([], TypeError), (True, TypeError)],
    "name": [(None, TypeError), (1, TypeError), ([], TypeError)],
    "num_returns": [("many", TypeError), (-1, ValueError), ("streaming", ValueError)],
    "retry_exceptions": [("x", AssertionError), (3, AssertionError), ({"a": 1}, AssertionError)],
    "_generator_backpressure_num_objects": [("1", TypeError), ({}, TypeError), ([], TypeError)],
    "_labels": [(True, TypeError), ("a", TypeError), ({"a": 1}, ValueError)],
    "_num_objects_per_yield": [(None, ValueError), (1, ValueError), ("x", ValueError)],
    "nonsense": [(None, TypeError), (1, TypeError), ("x", TypeError)],
}


def cases(table):
    return [
        pytest.param(name, value, error, id=f"{name}={value!r}")
        for name, bad in table.items()
        for value, error in bad
    ]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def function(ray):
    return ray.remote(lambda: 1)


@pytest.fixture(scope="module")
def actor_class(ray):
    class Plain:
        def method(self):
            return ray.get_runtime_context().get_task_name()

    return ray.remote(Plain)


@pytest.fixture(scope="module")
def handle(actor_class):
    return actor_class.remote()


@pytest.mark.parametrize(("option", "value", "error"), cases(BAD_FOR_TASKS))
def test_a_bad_option_of_a_task(function, option, value, error):
    with pytest.raises(error) as refused:
        function.options(**{option: value}).remote()
    assert type(refused.value) is error


@pytest.mark.parametrize(("option", "value", "error"), cases(BAD_FOR_ACTORS))
def test_a_bad_option_of_an_actor(actor_class, option, value, error):
    beside = {"name": "named"} if option == "namespace" else {}
    with pytest.raises(error) as refused:
        actor_class.options(**{option: value}, **beside).remote()
    assert type(refused.value) is error


@pytest.mark.parametrize(("option", "value", "error"), cases(BAD_FOR_METHODS))
def test_a_bad_option_of_a_method(handle, option, value, error):
    with pytest.raises(error) as refused:
        handle.method.options(**{option: value}).remote()
    assert type(refused.value) is error


def test_what_only_calls_have_is_no_option_of_the_method_decorator(ray):
    for option in ("name", "_labels", "max_retries"):
        with pytest.raises(AssertionError):
            ray.method(**{option: "x"})


def test_a_limit_of_a_concurrency_group_is_a_number(ray):
    class Grouped:
        pass

    with pytest.raises(TypeError):
        ray.remote(concurrency_groups={"io": "2"})(Grouped).remote()


def test_truth_values_are_numbers(ray, function, handle):
    """They are integers in Python."""
    assert ray.get(function.options(num_returns=True).remote()) == 1
    assert function.options(num_returns=False).remote() is None
    assert ray.get(handle.method.options(max_task_retries=True).remote())


# --- what the options do ---


def test_a_call_of_a_method_has_the_name_it_was_given(ray, handle):
    assert ray.get(handle.method.remote()) == "Plain.method"
    assert ray.get(handle.method.options(name="my call").remote()) == "my call"
    assert ray.get(handle.method.remote()) == "Plain.method"


def test_labels_change_nothing_about_the_call(ray, function, actor_class, handle):
    labels = {"owner": "me"}
    assert ray.get(function.options(_labels=labels).remote()) == 1
    assert ray.get(handle.method.options(_labels=labels).remote()) == "Plain.method"
    labelled = actor_class.options(_labels=labels).remote()
    assert ray.get(labelled.method.remote()) == "Plain.method"


def test_the_object_store_is_a_resource_of_the_node(ray):
    assert ray.cluster_resources()["object_store_memory"] > 1000


# --- several objects at once from a generator ---


def test_each_yield_gives_as_many_objects_as_declared(ray):
    @ray.remote(_num_objects_per_yield=2)
    def pairs(count):
        for i in range(count):
            yield (i, i * 10)

    assert [ray.get(ref) for ref in pairs.remote(3)] == [0, 0, 1, 10, 2, 20]
    assert [ray.get(ref) for ref in pairs.options(_num_objects_per_yield=2).remote(1)] == [0, 0]


def test_a_list_will_do_and_one_is_no_group(ray):
    @ray.remote(_num_objects_per_yield=2)
    def lists():
        yield [1, 2]

    @ray.remote(_num_objects_per_yield=1)
    def ones():
        yield (1, 2)

    assert [ray.get(ref) for ref in lists.remote()] == [1, 2]
    assert [ray.get(ref) for ref in ones.remote()] == [(1, 2)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((1, 2, 3), "yielded 3 objects, but _num_objects_per_yield=2"),
        (5, "must yield a tuple or list of length 2"),
    ],
)
def test_another_number_of_objects_is_an_error_after_those_before(ray, values, said):
    @ray.remote(_num_objects_per_yield=2)
    def wrong():
        yield 1, 2
        yield values

    *good, bad = wrong.remote()
    assert [ray.get(ref) for ref in good] == [1, 2]
    with pytest.raises(ValueError, match=said):
        ray.get(bad)


def test_methods_of_actors_yield_several_at_once_too(ray):
    class Pairs:
        @ray.method(_num_objects_per_yield=2)
        def give(self):
            yield 1, 2
            yield 3, 4

    class AsyncPairs:
        @ray.method(_num_objects_per_yield=2)
        async def give(self):
            yield 1, 2
            yield 3, 4

    for cls in (Pairs, AsyncPairs):
        actor = ray.remote(cls).remote()
        assert [ray.get(ref) for ref in actor.give.remote()] == [1, 2, 3, 4]


def test_per_yield_cannot_be_changed_by_a_call(ray):
    @ray.remote(_num_objects_per_yield=2)
    def pairs():
        yield 1, 2

    with pytest.raises(ValueError, match="cannot be overridden"):
        pairs.options(_num_objects_per_yield=3).remote()
