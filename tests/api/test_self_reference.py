"""Functions and classes that refer to themselves: what travels is not whole when it is first met."""


def test_function_calls_itself(ray):
    @ray.remote(num_cpus=0)
    def factorial(n):
        return 1 if n == 0 else n * ray.get(factorial.remote(n - 1))

    assert ray.get(factorial.remote(4), timeout=60) == 24


def test_function_with_defaults_calls_itself(ray):
    @ray.remote(num_cpus=0)
    def factorial(n, product=1, *, step=1):
        return product if n == 0 else ray.get(factorial.remote(n - step, product * n))

    assert ray.get(factorial.remote(4), timeout=60) == 24


def test_function_calls_itself_with_options(ray):
    @ray.remote(num_cpus=0)
    def name(depth=1):
        if depth:
            return ray.get(name.options(name="inner").remote(depth - 1))
        return ray.get_runtime_context().get_task_name()

    assert ray.get(name.remote(), timeout=60) == "inner"


def test_functions_call_each_other(ray):
    @ray.remote(num_cpus=0)
    def even(n, zero=True):
        return zero if n == 0 else ray.get(odd.remote(n - 1))

    @ray.remote(num_cpus=0)
    def odd(n, zero=False):
        return zero if n == 0 else ray.get(even.remote(n - 1))

    assert ray.get(even.remote(4), timeout=60) is True
    assert ray.get(even.remote(3), timeout=60) is False


def test_method_creates_actors_of_its_own_class(ray):
    @ray.remote(num_cpus=0)
    class Tree:
        def __init__(self, depth, *, width=2):
            self.depth, self.width = depth, width

        def size(self):
            if self.depth == 0:
                return 1
            children = [Tree.remote(self.depth - 1) for _ in range(self.width)]
            return 1 + sum(ray.get([child.size.remote() for child in children]))

    assert ray.get(Tree.remote(2).size.remote(), timeout=60) == 7


def test_method_creates_a_named_actor_of_its_own_class(ray):
    @ray.remote(num_cpus=0)
    class Parent:
        def name(self):
            return ray.get_runtime_context().get_actor_name()

        def of_child(self):
            return ray.get(Parent.options(name="child").remote().name.remote())

    assert ray.get(Parent.remote().of_child.remote(), timeout=60) == "child"


def test_asynchronous_method_creates_actors_of_its_own_class(ray):
    @ray.remote(num_cpus=0)
    class Chain:
        async def length(self, left):
            return 1 + await Chain.remote().length.remote(left - 1) if left else 0

    assert ray.get(Chain.remote().length.remote(2), timeout=60) == 2
