"""What those who wait for objects give back meanwhile, so that others can make them."""

import pytest

PATIENCE = 60


@pytest.fixture
def inner(ray):
    @ray.remote(num_cpus=4)
    def inner():
        return "done"

    return inner


def test_wait_gives_the_cpus_back_too(ray, inner):
    @ray.remote(num_cpus=4)
    def outer():
        ready, _ = ray.wait([inner.remote()])
        return ray.get(ready)

    assert ray.get(outer.remote(), timeout=PATIENCE) == ["done"]


def test_actor_keeps_its_cpus_while_it_waits(ray, inner):
    """They are its own for life, not for a call."""

    @ray.remote(num_cpus=1)
    class Outer:
        def ask(self):
            ref = inner.remote()
            return ray.wait([ref], timeout=0.5)[0], [ref]

    outer = Outer.remote()
    ready, [ref] = ray.get(outer.ask.remote(), timeout=PATIENCE)
    assert ready == []
    ray.kill(outer)
    with pytest.raises(ray.exceptions.OwnerDiedError):
        ray.get(ref, timeout=PATIENCE)


def test_constructor_keeps_the_cpus_of_its_actor(ray, inner):
    @ray.remote(num_cpus=1)
    class Outer:
        def __init__(self):
            self.ready, _ = ray.wait([inner.remote()], timeout=0.5)

        def read(self):
            return self.ready

    outer = Outer.remote()
    assert ray.get(outer.read.remote(), timeout=PATIENCE) == []
    ray.kill(outer)


def test_default_actor_has_nothing_to_give_back(ray, inner):
    """It holds no CPU: what it waits for finds them all."""

    @ray.remote
    class Outer:
        def __init__(self):
            self.made = ray.get(inner.remote())

        def ask(self):
            return self.made, ray.get(inner.remote())

    assert ray.get(Outer.remote().ask.remote(), timeout=PATIENCE) == ("done", "done")


def test_only_cpus_are_given_back(ray):
    """What else a task has it keeps, even while it waits for somebody who needs just that."""

    @ray.remote(num_cpus=0, resources={"shelf": 1})
    def needs_shelf():
        return "done"

    @ray.remote(num_cpus=1, resources={"shelf": 2})
    def has_both_shelves():
        ref = needs_shelf.remote()
        ready, _ = ray.wait([ref], timeout=0.5)
        return ready, [ref]

    ready, [ref] = ray.get(has_both_shelves.remote(), timeout=PATIENCE)
    assert ready == []
    assert ray.get(ref, timeout=PATIENCE) == "done"


def test_depth_beyond_the_cpus(ray):
    @ray.remote(num_cpus=2)
    def depth(n):
        return 0 if n == 0 else 1 + ray.get(depth.remote(n - 1))

    assert ray.get(depth.remote(6), timeout=PATIENCE) == 6


def test_task_goes_on_though_its_cpus_are_lent(ray):
    """More may be in use for a moment than there is; nobody waits for that to end."""

    @ray.remote(num_cpus=4)
    def holds_all(refs):
        return ray.get(refs[0])

    @ray.remote(num_cpus=4)
    def outer():
        first = ray.put(1)
        return ray.get(holds_all.remote([first])) + 1

    assert ray.get(outer.remote(), timeout=PATIENCE) == 2
