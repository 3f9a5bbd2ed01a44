import pytest


def test_result_comes_back(ray):
    @ray.remote
    def double(x):
        return 2 * x

    assert ray.get(double.remote(21)) == 42


def test_references_at_top_level_arrive_as_values(ray):
    @ray.remote
    def pair(a, *, b):
        return a, b

    assert ray.get(pair.remote(ray.put("x"), b=ray.put("y"))) == ("x", "y")


def test_references_in_containers_stay_references(ray):
    @ray.remote
    def look(items):
        return type(items[0]).__name__, ray.get(items)

    assert ray.get(look.remote([ray.put(7)])) == ("ObjectRef", [7])


def test_tasks_form_chains_and_diamonds(ray):
    @ray.remote
    def add(*values):
        return sum(values)

    top = add.remote(1)
    left, right = add.remote(top, 10), add.remote(top, 100)
    assert ray.get(add.remote(left, right)) == 112


def test_many_small_tasks(ray):
    @ray.remote
    def same(x):
        return x

    assert ray.get([same.remote(i) for i in range(300)]) == list(range(300))


def test_arguments_are_taken_when_the_call_is_made(ray):
    @ray.remote
    def total(values):
        return sum(values)

    values = [1, 2]
    ref = total.remote(values)
    values.append(100)
    assert ray.get(ref) == 3


def test_function_is_taken_at_its_first_call(ray):
    """Ray pickles a function once per job, not at each call."""
    box = [1]

    @ray.remote
    def look():
        return box[0]

    assert ray.get(look.remote()) == 1
    box[0] = 2
    assert ray.get(look.remote()) == 1


def test_task_submits_tasks_and_waits_for_them(ray):
    @ray.remote
    def fibonacci(n):
        if n < 2:
            return n
        return sum(ray.get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)]))

    assert ray.get(fibonacci.remote(5)) == 5


def test_waiting_inside_a_task_gives_its_cpus_back(ray):
    """Otherwise the inner task would never find a CPU."""

    @ray.remote(num_cpus=4)
    def inner():
        return "done"

    @ray.remote(num_cpus=4)
    def outer():
        return ray.get(inner.remote())

    assert ray.get(outer.remote(), timeout=60) == "done"


def test_task_returns_a_reference_to_its_caller(ray):
    @ray.remote
    def inner():
        return "value"

    @ray.remote
    def outer():
        return [inner.remote()]

    assert ray.get(ray.get(outer.remote())[0]) == "value"


def test_no_return_value_gives_no_reference(ray):
    @ray.remote(num_returns=0)
    def nothing():
        return None

    assert nothing.remote() is None


def test_tuple_is_one_value_unless_more_are_asked_for(ray):
    @ray.remote
    def pair():
        return 1, 2

    assert ray.get(pair.remote()) == (1, 2)
    first, second = pair.options(num_returns=2).remote()
    assert (ray.get(first), ray.get(second)) == (1, 2)


def test_generator_fills_several_references(ray):
    @ray.remote(num_returns=3)
    def count():
        yield from [10, 20, 30]

    assert ray.get(count.remote()) == [10, 20, 30]


def test_wrong_number_of_values_is_an_error_of_each_reference(ray):
    @ray.remote(num_returns=2)
    def three():
        return 1, 2, 3

    for ref in three.remote():
        with pytest.raises(ValueError, match=r"3 objects.*num_returns=2"):
            ray.get(ref)


def test_one_value_for_two_references_is_a_type_error(ray):
    @ray.remote(num_returns=2)
    def one():
        return 1

    with pytest.raises(TypeError):
        ray.get(one.remote()[0])


def test_options_apply_to_one_call_only(ray):
    @ray.remote(num_cpus=2)
    def resources():
        return ray.get_runtime_context().get_assigned_resources()

    assert ray.get(resources.options(num_cpus=1, resources={"shelf": 1}).remote()) == {
        "CPU": 1.0,
        "shelf": 1.0,
    }
    assert ray.get(resources.remote()) == {"CPU": 2.0}


def test_fractions_of_resources_add_up(ray):
    """Ten tenths are one: a sum of floats would be a little less."""

    @ray.remote(num_cpus=0, resources={"shelf": 0.1})
    def one(i):
        return i

    assert ray.get([one.remote(i) for i in range(30)]) == list(range(30))


def test_large_argument_and_result(ray):
    @ray.remote
    def flip(data):
        return data[::-1]

    data = bytes(range(256)) * 4096
    assert ray.get(flip.remote(data)) == data[::-1]


def test_large_result_goes_from_task_to_task(ray):
    @ray.remote
    def make(n):
        return b"x" * n

    @ray.remote
    def measure(*blocks):
        return [len(block) for block in blocks]

    assert ray.get(measure.remote(make.remote(300_000), make.remote(10))) == [300_000, 10]


def test_lambda_and_closure(ray):
    factor = 3
    assert ray.get(ray.remote(lambda x: factor * x).remote(5)) == 15


def test_remote_function_is_an_argument(ray):
    @ray.remote
    def increment(x):
        return x + 1

    @ray.remote
    def apply(function, x):
        return ray.get(function.remote(x))

    assert ray.get(apply.remote(increment, 1)) == 2


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1,), {"c": 2}, "unexpected keyword argument 'c'"),
        ((1,), {"a": 2}, "multiple values for argument 'a'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_at_the_call(ray, args, kwargs, text):
    @ray.remote
    def function(a, b=2):
        return a, b

    with pytest.raises(TypeError, match=text):
        function.remote(*args, **kwargs)


def test_calling_a_remote_function_names_the_remedy(ray):
    @ray.remote
    def function():
        return 1

    with pytest.raises(TypeError, match=r"function\.remote\(\)"):
        function()
