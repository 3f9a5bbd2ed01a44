import time

import pytest


@pytest.fixture
def counter_class(ray):
    @ray.remote
    class Counter:
        label = "counter"

        def __init__(self, start=0):
            self.value = start

        def add(self, amount=1):
            self.value += amount
            return self.value

        def get(self):
            return self.value

        @ray.method(num_returns=2)
        def both(self):
            return self.value, -self.value

        @staticmethod
        def twice(x):
            return 2 * x

        @classmethod
        def name_of_class(cls):
            return cls.__name__

        def fail(self):
            raise ValueError("from the actor")

    return Counter


def test_state_is_kept_between_calls(ray, counter_class):
    counter = counter_class.remote(10)
    assert ray.get([counter.add.remote(), counter.add.remote(5), counter.get.remote()]) == [
        11,
        16,
        16,
    ]


def test_calls_of_one_caller_run_in_order(ray):
    @ray.remote
    class Log:
        def __init__(self):
            self.seen = []

        def append(self, item):
            self.seen.append(item)

        def all(self):
            return self.seen

    log = Log.remote()
    for i in range(200):
        log.append.remote(i)
    assert ray.get(log.all.remote()) == list(range(200))


def test_call_waits_for_its_argument_and_holds_back_later_calls(ray):
    @ray.remote
    def slow_value():
        return ray.get(ray.put(100))

    @ray.remote
    class Log:
        def __init__(self):
            self.seen = []

        def append(self, item):
            self.seen.append(item)
            return list(self.seen)

    log = Log.remote()
    log.append.remote(slow_value.remote())
    assert ray.get(log.append.remote(2)) == [100, 2]


def test_actors_are_separate(ray, counter_class):
    one, other = counter_class.remote(), counter_class.remote()
    one.add.remote(5)
    assert ray.get([one.get.remote(), other.get.remote()]) == [5, 0]


def test_more_actors_than_cpus(ray, counter_class):
    """An actor that was given no resources takes none while it lives."""
    counters = [counter_class.remote(i) for i in range(6)]
    assert ray.get([counter.get.remote() for counter in counters], timeout=120) == list(range(6))


def test_handle_is_an_argument(ray, counter_class):
    @ray.remote
    def add(counter, times):
        return ray.get([counter.add.remote() for _ in range(times)])[-1]

    counter = counter_class.remote()
    assert ray.get(add.remote(counter, 5)) == 5
    assert ray.get(add.remote(counter, 5)) == 10


def test_handle_in_a_container_and_in_another_actor(ray, counter_class):
    @ray.remote
    class Owner:
        def __init__(self, counters):
            self.counters = counters

        def add(self):
            return ray.get([c.add.remote() for c in self.counters])

        def give(self):
            return self.counters[0]

    owner = Owner.remote([counter_class.remote(1), counter_class.remote(10)])
    assert ray.get(owner.add.remote()) == [2, 11]
    assert ray.get(ray.get(owner.give.remote()).get.remote()) == 2


def test_actor_creates_an_actor(ray, counter_class):
    @ray.remote
    class Parent:
        def make(self):
            self.child = counter_class.remote(3)
            return ray.get(self.child.add.remote())

    parent = Parent.remote()
    assert ray.get(parent.make.remote()) == 4


def test_method_of_a_temporary_handle(ray, counter_class):
    assert ray.get(counter_class.remote(7).get.remote()) == 7


def test_number_of_returns(ray, counter_class):
    counter = counter_class.remote(3)
    assert ray.get(counter.both.remote()) == [3, -3]
    assert ray.get(counter.both.options(num_returns=1).remote()) == (3, -3)
    assert counter.add.options(num_returns=0).remote() is None
    assert ray.get(counter.get.remote()) == 4


def test_error_of_a_method_leaves_the_actor_alive(ray, counter_class):
    counter = counter_class.remote(1)
    with pytest.raises(ValueError, match="from the actor"):
        ray.get(counter.fail.remote())
    assert ray.get(counter.get.remote()) == 1


def test_failed_argument_fails_the_call_only(ray, counter_class):
    @ray.remote
    def fail():
        raise KeyError("argument")

    counter = counter_class.remote()
    with pytest.raises(KeyError):
        ray.get(counter.add.remote(fail.remote()))
    assert ray.get(counter.get.remote()) == 0


def test_error_of_the_constructor_shows_at_the_first_result(ray):
    @ray.remote
    class Broken:
        def __init__(self):
            raise ValueError("cannot begin")

        def method(self):
            return 1

    broken = Broken.remote()
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError, match="cannot begin") as caught:
            ray.get(broken.method.remote(), timeout=60)
        assert caught.value.actor_init_failed


def test_static_and_class_methods(ray, counter_class):
    assert counter_class.twice(4) == 8
    assert counter_class.label == "counter"
    counter = counter_class.remote()
    assert ray.get(counter.twice.remote(5)) == 10
    assert ray.get(counter.name_of_class.remote()) == "Counter"


def test_inherited_methods(ray):
    class Base:
        def hello(self):
            return f"hello from {type(self).__name__}"

    @ray.remote
    class Derived(Base):
        def __init__(self):
            super().__init__()

    assert ray.get(Derived.remote().hello.remote()) == "hello from Derived"


def test_methods_that_every_actor_has(ray, counter_class):
    counter = counter_class.remote(5)
    assert ray.get(counter.__ray_ready__.remote()) is True
    assert ray.get(counter.__ray_call__.remote(lambda self, x: self.value + x, 1)) == 6


def test_actor_class_is_neither_called_nor_derived_from(ray, counter_class):
    with pytest.raises(TypeError, match=r"Counter\.remote\(\)"):
        counter_class()
    with pytest.raises(TypeError, match="actor class"):

        class Derived(counter_class):
            pass


def test_method_is_not_called_directly(ray, counter_class):
    counter = counter_class.remote()
    with pytest.raises(TypeError, match=r"get\.remote\(\)"):
        counter.get()
    with pytest.raises(AttributeError, match="missing"):
        counter.missing.remote()


def test_arguments_that_do_not_fit_are_refused_at_the_call(ray, counter_class):
    with pytest.raises(TypeError, match="too many positional"):
        counter_class.remote(1, 2)
    counter = counter_class.remote()
    with pytest.raises(TypeError, match="unexpected keyword argument 'by'"):
        counter.add.remote(by=2)


def test_handles_are_equal_by_their_actor(ray, counter_class):
    counter, other = counter_class.remote(), counter_class.remote()
    again = ray.get(ray.put([counter]))[0]
    assert again == counter
    assert hash(again) == hash(counter)
    assert {counter: 1}[again] == 1
    assert counter != other
    assert repr(counter).startswith("Actor(")
    assert "Counter, " in repr(counter)
    assert "add" in dir(counter)


# --- names ---


def test_actor_is_found_by_its_name(ray, counter_class):
    named = counter_class.options(name="by-name").remote(5)
    assert ray.get(ray.get_actor("by-name").add.remote()) == 6
    assert ray.get_actor("by-name") == named


def test_task_finds_an_actor_by_its_name(ray, counter_class):
    @ray.remote
    def add():
        return ray.get(ray.get_actor("for-task").add.remote())

    named = counter_class.options(name="for-task").remote(1)
    assert ray.get(add.remote()) == 2
    assert ray.get(named.get.remote()) == 2


def test_name_that_is_taken(ray, counter_class):
    first = counter_class.options(name="taken").remote()
    ray.get(first.get.remote())
    with pytest.raises(ray.exceptions.ActorAlreadyExistsError):
        counter_class.options(name="taken").remote()
    with pytest.raises(ValueError, match="taken"):
        counter_class.options(name="taken").remote()


def test_get_if_exists_gives_the_actor_that_is_there(ray, counter_class):
    first = counter_class.options(name="one-of-a-kind", get_if_exists=True).remote(1)
    second = counter_class.options(name="one-of-a-kind", get_if_exists=True).remote(100)
    assert first == second
    assert ray.get(second.get.remote()) == 1


def test_namespaces_separate_names(ray, counter_class):
    here = counter_class.options(name="same").remote(1)
    there = counter_class.options(name="same", namespace="elsewhere").remote(2)
    assert ray.get(ray.get_actor("same", namespace="elsewhere").get.remote()) == 2
    assert ray.get(ray.get_actor("same").get.remote()) == 1
    assert here != there


@pytest.mark.parametrize(
    ("name", "namespace", "error"),
    [("", None, ValueError), ("nobody", None, ValueError), ("nobody", "", ValueError)],
)
def test_no_such_name(ray, name, namespace, error):
    with pytest.raises(error):
        ray.get_actor(name, namespace)


# --- the end of an actor ---


def call_on(ray, method):
    """A kill takes its time, and calls may overtake it: call until one of them fails."""
    for _ in range(5000):
        ray.get(method.remote(), timeout=60)


def test_killed_actor_is_dead(ray, counter_class):
    counter = counter_class.remote()
    ray.get(counter.get.remote())
    ray.kill(counter)
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError) as caught:
            call_on(ray, counter.get)
        assert not caught.value.actor_init_failed
    assert isinstance(caught.value, ray.exceptions.RayActorError)


def test_name_of_a_killed_actor_is_free_again(ray, counter_class):
    first = counter_class.options(name="again").remote(1)
    ray.get(first.get.remote())
    ray.kill(first)
    with pytest.raises(ray.exceptions.ActorDiedError):
        call_on(ray, first.get)
    second = counter_class.options(name="again").remote(2)
    assert ray.get(second.get.remote(), timeout=60) == 2


def test_killed_actor_restarts_when_it_may(ray, counter_class):
    """The state begins anew; calls that overtake the kill still count up."""
    counter = counter_class.options(max_restarts=1, max_task_retries=-1).remote(5)
    before = ray.get(counter.add.remote())
    ray.kill(counter, no_restart=False)
    for _ in range(5000):
        now = ray.get(counter.add.remote(), timeout=60)
        if now <= before:
            break
        before = now
    assert now == 6
    ray.kill(counter, no_restart=False)
    with pytest.raises(ray.exceptions.ActorDiedError):
        call_on(ray, counter.add)


def test_actor_ends_with_its_last_handle(ray, counter_class):
    """Its calls finish first. The name shows when it is gone."""
    counter = counter_class.options(name="leaving").remote(1)
    last = counter.add.remote()
    del counter
    assert ray.get(last, timeout=60) == 2

    @ray.remote
    def is_there():
        try:
            ray.get_actor("leaving")
        except ValueError:
            return False
        return True

    for _ in range(600):
        if not ray.get(is_there.remote()):
            break
    else:
        pytest.fail("the actor is still there")


def test_detached_actor_stays_without_handles(ray, counter_class):
    handle = counter_class.options(name="stays", lifetime="detached").remote(1)
    ray.get(handle.get.remote())
    del handle
    assert ray.get(ray.get_actor("stays").add.remote()) == 2
    ray.kill(ray.get_actor("stays"))


def test_kill_of_no_handle_is_a_value_error(ray):
    with pytest.raises(ValueError, match="only"):
        ray.kill("handle")


def test_a_result_does_not_wait_for_the_call_behind_it(ray, tmp_path):
    """Though the calls were sent together, and the second keeps the actor's thread."""
    seen = tmp_path / "seen"

    @ray.remote
    class Actor:
        def short(self):
            return "short"

        def long(self):
            while not seen.exists():
                time.sleep(0.001)

    actor = Actor.remote()
    ray.get(actor.short.remote())
    refs = [actor.short.remote() for _ in range(20)]
    last = actor.long.remote()
    assert ray.get(refs, timeout=60) == ["short"] * 20
    seen.touch()
    ray.get(last, timeout=60)


# --- resources ---


def test_resources_that_were_asked_for_are_held(ray, counter_class):
    """One unit of two: two actors fit, and the third waits until one of them ends."""
    held = counter_class.options(num_cpus=0, resources={"shelf": 1})
    first, second, third = held.remote(1), held.remote(2), held.remote(3)
    assert ray.get([first.get.remote(), second.get.remote()], timeout=60) == [1, 2]
    waiting = third.get.remote()
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(waiting, timeout=0.3)
    ray.kill(first)
    assert ray.get(waiting, timeout=60) == 3
    ray.kill(second)
    ray.kill(third)
