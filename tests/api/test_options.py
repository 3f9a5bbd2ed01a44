"""Each library refuses the same values with the same class of exception, at the same call."""

import pytest


@pytest.fixture
def function(ray):
    return ray.remote(lambda x=1: x)


@pytest.fixture
def actor_class(ray):
    class Plain:
        def method(self, a):
            return a

    return ray.remote(Plain)


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("nonsense", 1, ValueError),
        ("max_restarts", 1, ValueError),
        ("num_cpus", "1", TypeError),
        ("num_cpus", -1, ValueError),
        ("num_cpus", 0.00001, ValueError),
        ("num_gpus", -0.5, ValueError),
        ("memory", -1, ValueError),
        ("resources", ["shelf"], TypeError),
        ("resources", {"CPU": 1}, ValueError),
        ("resources", {"GPU": 1}, ValueError),
        ("resources", {"shelf": -1}, ValueError),
        ("object_store_memory", 1, ValueError),
        ("max_calls", 1, ValueError),
        ("max_calls", -1, ValueError),
        ("max_retries", -2, ValueError),
        ("max_retries", 1.5, TypeError),
        ("num_returns", -1, ValueError),
        ("num_returns", "many", TypeError),
        ("num_returns", "streaming", ValueError),
        ("retry_exceptions", [1], ValueError),
        ("retry_exceptions", [BaseException], ValueError),
        ("retry_exceptions", None, TypeError),
        ("name", 3, TypeError),
        ("scheduling_strategy", 3, TypeError),
    ],
)
def test_task_option_is_refused(function, option, value, error):
    with pytest.raises(error):
        function.options(**{option: value})


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("nonsense", 1, ValueError),
        ("num_returns", 1, ValueError),
        ("max_retries", 1, ValueError),
        ("concurrency_groups", {}, ValueError),
        ("get_if_exists", True, ValueError),
        ("get_if_exists", 1, TypeError),
        ("lifetime", "for ever", ValueError),
        ("max_restarts", -2, ValueError),
        ("max_task_retries", -2, ValueError),
        ("max_concurrency", -1, ValueError),
        ("max_concurrency", "1", TypeError),
        ("num_cpus", -1, ValueError),
        ("name", 3, TypeError),
    ],
)
def test_actor_option_is_refused(actor_class, option, value, error):
    with pytest.raises(error):
        actor_class.options(**{option: value})


@pytest.mark.parametrize(
    "options", [{"name": ""}, {"name": "x", "namespace": ""}], ids=["name", "namespace"]
)
def test_empty_names_are_refused(actor_class, options):
    with pytest.raises(ValueError, match=r"empty|valid namespace"):
        actor_class.options(**options).remote()


def test_unknown_strategy_is_refused(function):
    with pytest.raises(ValueError, match="NEAREST"):
        function.options(scheduling_strategy="NEAREST").remote()


@pytest.mark.parametrize("strategy", ["DEFAULT", "SPREAD", None])
def test_strategies_by_name(ray, function, strategy):
    assert ray.get(function.options(scheduling_strategy=strategy).remote(3)) == 3


def test_decorator_without_options_is_an_assertion_error(ray):
    with pytest.raises(AssertionError):
        ray.remote()
    with pytest.raises(AssertionError):
        ray.remote(3)
    with pytest.raises(AssertionError):
        ray.remote(3, num_cpus=1)


def test_decorator_over_the_wrong_thing(ray, function, actor_class):
    for wrong in (function, actor_class, len):
        with pytest.raises(TypeError, match="function or a class"):
            ray.remote(wrong)

    async def coroutine():
        pass

    with pytest.raises(ValueError, match="async def"):
        ray.remote(coroutine)


def test_method_decorator(ray):
    with pytest.raises(AssertionError):
        ray.method(3)
    with pytest.raises(AssertionError):
        ray.method(3, num_returns=2)
    with pytest.raises(AssertionError):
        ray.method(nonsense=1)

    @ray.method
    def bare(self):
        return 1

    assert bare(None) == 1


def test_method_options_are_checked(ray, actor_class):
    handle = actor_class.remote()
    assert ray.get(handle.method.options(max_task_retries=1).remote(1)) == 1
    with pytest.raises(ValueError, match="-1"):
        handle.method.options(num_returns=-1).remote(1)


def test_options_leave_the_original_as_it_was(ray, function):
    function.options(num_returns=0)
    assert ray.get(function.remote(5)) == 5
