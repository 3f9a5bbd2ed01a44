"""Generators: streaming, dynamic, with a number of returns. Ray: `ray.ObjectRefGenerator`."""

import asyncio
import gc
import os
import pickle
import sys
import time
import warnings

import pytest

LARGE = 300_000
"""Bytes: above what travels in messages."""


def values(ray, generator):
    """Of each item its value, or the name of what it raises."""
    found = []
    for ref in generator:
        try:
            found.append(ray.get(ref))
        except ray.exceptions.RayError as error:
            found.append(type(error).__name__)
    return found


def end_of(ray, generator):
    try:
        return ray.get(generator.completed(), timeout=20)
    except ray.exceptions.RayError as error:
        return type(error).__name__


@pytest.fixture
def count(ray):
    @ray.remote
    def count(n):
        for i in range(n):  # noqa: UP028  (Ray cannot iterate over what is no generator)
            yield i

    return count


@pytest.fixture
def log(ray):
    @ray.remote(num_cpus=0)
    class Log:
        def __init__(self):
            self.seen = []

        def add(self, what):
            self.seen.append(what)

        def get(self):
            return self.seen

    return Log.remote()


def settled(ray, log):
    """How much is in the log once it does not grow any more."""
    before, now = -1, 0
    while before != now:
        time.sleep(0.5)
        before, now = now, len(ray.get(log.get.remote()))
    return now


# Streaming


def test_generator_functions_stream_by_default(ray, count):
    generator = count.remote(4)
    assert isinstance(generator, ray.ObjectRefGenerator)
    assert values(ray, generator) == [0, 1, 2, 3]


def test_streaming_can_be_asked_for(ray):
    @ray.remote(num_returns="streaming")
    def letters():
        yield "a"
        yield "b"

    assert values(ray, letters.remote()) == ["a", "b"]


def test_items_are_references(ray, count):
    refs = list(count.remote(3))
    assert all(isinstance(ref, ray.ObjectRef) for ref in refs)
    assert ray.get(refs) == [0, 1, 2]


def test_items_are_the_returns_after_the_call_s_own(ray, count):
    generator = count.remote(2)
    ids = [ref.hex()[-8:] for ref in (generator.completed(), *generator)]
    assert ids == ["01000000", "02000000", "03000000"]


def test_first_item_is_there_before_the_generator_ends(ray):
    @ray.remote
    def slow():
        yield "first"
        time.sleep(60)
        yield "second"

    generator = slow.remote()
    assert ray.get(next(generator), timeout=30) == "first"
    ray.cancel(generator, force=True)


def test_producer_does_not_wait_for_the_consumer(ray, log):
    @ray.remote
    def eager(log):
        for i in range(5):
            ray.get(log.add.remote(i))
            yield i

    generator = eager.remote(log)
    ray.get(generator.completed())
    assert len(ray.get(log.get.remote())) == 5
    assert values(ray, generator) == [0, 1, 2, 3, 4]


def test_nothing_comes_after_the_last_item(ray, count):
    generator = count.remote(1)
    next(generator)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(generator)


def test_generator_without_items(ray):
    @ray.remote
    def empty():
        return
        yield

    generator = empty.remote()
    assert list(generator) == []
    assert ray.get(generator.completed()) is None


def test_return_value_is_dropped(ray):
    @ray.remote
    def returning():
        yield 1
        return 5

    generator = returning.remote()
    assert values(ray, generator) == [1]
    assert ray.get(generator.completed()) is None


def test_large_items(ray):
    @ray.remote
    def large(n):
        for i in range(n):
            yield bytes([i]) * LARGE

    assert [ray.get(ref)[-1] for ref in large.remote(4)] == [0, 1, 2, 3]


def test_items_outlive_their_generator(ray):
    @ray.remote
    def mixed():
        yield "small"
        yield b"x" * LARGE

    small, large = list(mixed.remote())
    gc.collect()
    assert (ray.get(small), len(ray.get(large))) == ("small", LARGE)


def test_items_are_arguments(ray, count):
    @ray.remote
    def double(x):
        return 2 * x

    assert ray.get([double.remote(ref) for ref in count.remote(3)]) == [0, 2, 4]


def test_references_inside_items(ray):
    @ray.remote
    def nested():
        yield ray.put("in")
        yield [ray.put(b"y" * LARGE)]

    generator = nested.remote()
    assert ray.get(ray.get(next(generator))) == "in"
    assert len(ray.get(ray.get(next(generator))[0])) == LARGE


def test_references_inside_items_that_wait(ray):
    """They are held until the consumer comes, though the producer has long ended."""

    @ray.remote
    def nested():
        for i in range(3):
            yield [ray.put(i)]

    generator = nested.remote()
    ray.get(generator.completed())
    assert [ray.get(ray.get(ref)[0]) for ref in generator] == [0, 1, 2]


def test_generator_that_takes_references(ray, count):
    @ray.remote
    def repeat(value, times):
        for _ in range(times):
            yield value

    assert values(ray, repeat.remote(ray.put("x"), 2)) == ["x", "x"]


def test_generators_in_tasks(ray, count):
    @ray.remote
    def outer(n):
        return sum(ray.get(ref) for ref in count.remote(n))

    assert ray.get(outer.remote(5)) == 10


def test_two_generators_side_by_side(ray, count):
    """Neither holds up the other, though they may share a worker."""
    pairs = zip(count.remote(5), count.remote(5), strict=True)
    assert [ray.get(list(pair)) for pair in pairs] == [[i, i] for i in range(5)]


def test_many_small_items(ray, count):
    assert values(ray, count.remote(500)) == list(range(500))


# Errors


def test_error_is_one_item_more(ray):
    @ray.remote
    def failing():
        yield 1
        raise ValueError("boom")

    generator = failing.remote()
    assert ray.get(next(generator)) == 1
    with pytest.raises(ValueError, match="boom") as raised:
        ray.get(next(generator))
    assert isinstance(raised.value, ray.exceptions.RayTaskError)
    with pytest.raises(StopIteration):
        next(generator)
    assert ray.get(generator.completed()) is None


def test_error_before_the_first_item(ray):
    @ray.remote
    def failing(kind):
        raise kind("at once")
        yield

    assert values(ray, failing.remote(KeyError)) == ["RayTaskError(KeyError)"]


def test_item_that_cannot_be_pickled_ends_the_generator(ray):
    @ray.remote
    def unpicklable():
        import threading

        yield 1
        yield threading.Lock()
        yield 3

    assert values(ray, unpicklable.remote()) == [1, "RayTaskError(TypeError)"]


def test_failed_argument_is_the_last_reference(ray):
    @ray.remote
    def bad():
        raise ValueError("bad")

    @ray.remote
    def after(x):
        yield x

    generator = after.remote(bad.remote())
    assert values(ray, generator) == ["RayTaskError(ValueError)"]
    assert end_of(ray, generator) == "RayTaskError(ValueError)"


def test_lost_worker_is_the_last_reference(ray):
    @ray.remote(max_retries=0)
    def dying():
        yield 1
        yield 2
        time.sleep(0.5)
        os._exit(1)

    generator = dying.remote()
    refs = list(generator)
    assert ray.get(refs[:2]) == [1, 2]
    assert refs[2] == generator.completed()
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(refs[2])
    assert generator.is_finished()


def test_sys_exit_is_a_lost_worker(ray):
    @ray.remote(max_retries=0)
    def leaving():
        yield 1
        sys.exit(0)

    assert values(ray, leaving.remote()) == [1, "WorkerCrashedError"]


def test_retry_goes_on_where_the_consumer_is(ray, tmp_path):
    """Items that were seen stay what they were; the others come from the second attempt."""

    @ray.remote(max_retries=1)
    def dying(path):
        attempt = 1 if os.path.exists(path) else 0
        for i in range(4):
            if i == 2 and attempt == 0:
                open(path, "w").close()
                time.sleep(0.5)
                os._exit(1)
            yield i, attempt

    generator = dying.remote(str(tmp_path / "died"))
    found = values(ray, generator)
    assert [i for i, _ in found] == [0, 1, 2, 3]
    assert found[3] == (3, 1)
    assert found[0] == (0, 0)


def test_retry_of_exceptions(ray, tmp_path):
    @ray.remote(max_retries=2, retry_exceptions=True)
    def failing(path):
        for i in range(4):
            if i == 2 and not os.path.exists(path):
                open(path, "w").close()
                raise ValueError("once")
            yield i

    assert values(ray, failing.remote(str(tmp_path / "raised"))) == [0, 1, 2, 3]


def test_fewer_items_at_the_second_attempt(ray, tmp_path):
    """What had arrived of the first one stays."""

    @ray.remote(max_retries=1)
    def shrinking(path):
        if not os.path.exists(path):
            open(path, "w").close()
            yield 0
            yield 1
            yield 2
            time.sleep(0.5)
            os._exit(1)
        yield 0

    assert values(ray, shrinking.remote(str(tmp_path / "died"))) == [0, 1, 2]


# The object


def test_get_gives_the_generator_back(ray, count):
    generator = count.remote(1)
    assert ray.get(generator) is generator


def test_get_of_a_list_with_a_generator_is_a_type_error(ray, count):
    with pytest.raises(TypeError):
        ray.get([count.remote(1)])


def test_generators_cannot_be_pickled(ray, count):
    generator = count.remote(1)
    with pytest.raises(TypeError, match="pass a generator"):
        pickle.dumps(generator)
    with pytest.raises(TypeError, match=r"[Ss]erializ"):
        ray.put(generator)
    with pytest.raises(TypeError, match=r"[Ss]erializ"):
        count.remote(generator)


@pytest.mark.parametrize("name", ["send", "throw", "close", "asend", "athrow", "aclose"])
def test_generators_take_nothing_in(ray, count, name):
    given = {"send": [None], "asend": [None], "throw": [ValueError()], "athrow": [ValueError()]}

    async def use(generator):
        answer = getattr(generator, name)(*given.get(name, ()))
        await answer

    with pytest.raises(NotImplementedError, match=name):
        asyncio.run(use(count.remote(1)))


def test_is_finished_and_next_ready(ray, log):
    @ray.remote
    def waiting(log):
        while not ray.get(log.get.remote()):
            time.sleep(0.05)
        yield 1

    generator = waiting.remote(log)
    assert not generator.next_ready()
    assert not generator.is_finished()
    log.add.remote("go")
    ray.wait([generator], timeout=30)
    assert generator.next_ready()
    ray.get(generator.completed())
    assert not generator.is_finished()
    next(generator)
    assert not generator.next_ready()
    assert generator.is_finished()


def test_error_that_was_not_taken_is_not_the_end(ray):
    @ray.remote
    def failing():
        yield 1
        raise ValueError("boom")

    generator = failing.remote()
    next(generator)
    ray.get(generator.completed())
    assert not generator.is_finished()
    next(generator)
    with pytest.raises(StopIteration):
        next(generator)
    assert generator.is_finished()


# wait


def test_wait_for_the_next_item(ray, log):
    @ray.remote
    def waiting(log):
        yield 1
        while not ray.get(log.get.remote()):
            time.sleep(0.05)
        yield 2

    generator = waiting.remote(log)
    assert ray.wait([generator], timeout=30) == ([generator], [])
    next(generator)
    assert ray.wait([generator], timeout=0.2) == ([], [generator])
    log.add.remote("go")
    assert ray.wait([generator], timeout=30) == ([generator], [])


def test_an_exhausted_generator_is_ready(ray, count):
    generator = count.remote(1)
    list(generator)
    assert ray.wait([generator], timeout=5) == ([generator], [])


def test_wait_for_generators_and_references(ray, count):
    generator, ref = count.remote(2), ray.put(1)
    assert ray.wait([generator, ref], num_returns=2, timeout=30) == ([generator, ref], [])


def test_wait_for_a_failed_generator(ray):
    @ray.remote(max_retries=0)
    def dying():
        os._exit(1)
        yield

    generator = dying.remote()
    assert ray.wait([generator], timeout=30) == ([generator], [])
    assert values(ray, generator) == ["WorkerCrashedError"]


def test_wait_for_large_items(ray):
    @ray.remote
    def large():
        yield b"x" * LARGE

    generator = large.remote()
    ray.wait([generator], timeout=30)
    assert len(ray.get(next(generator), timeout=0)) == LARGE


def test_wait_refuses_the_same_generator_twice(ray, count):
    generator = count.remote(1)
    with pytest.raises(ValueError, match="unique"):
        ray.wait([generator, generator])


# Back-pressure


@pytest.fixture
def limited(ray):
    @ray.remote(_generator_backpressure_num_objects=2)
    def limited(n, log):
        for i in range(n):
            ray.get(log.add.remote(i))
            yield i

    return limited


def test_a_limited_generator_waits_for_its_consumer(ray, limited, log):
    generator = limited.remote(10, log)
    assert settled(ray, log) == 2
    next(generator)
    assert settled(ray, log) == 3
    next(generator)
    next(generator)
    assert settled(ray, log) == 5


def test_a_limited_generator_ends_when_nobody_consumes(ray, limited, log):
    generator = limited.remote(10, log)
    assert settled(ray, log) == 2
    del generator
    gc.collect()
    assert settled(ray, log) == 10


def test_a_limited_generator_gives_everything(ray, limited, log):
    assert values(ray, limited.remote(20, log)) == list(range(20))


def test_a_limit_of_one_is_a_plain_generator(ray, limited, log):
    one = limited.options(_generator_backpressure_num_objects=1)
    generator = one.remote(10, log)
    assert settled(ray, log) == 1
    next(generator)
    assert settled(ray, log) == 2


def test_no_limit(ray, limited, log):
    generator = limited.options(_generator_backpressure_num_objects=-1).remote(5, log)
    ray.get(generator.completed())
    assert values(ray, generator) == [0, 1, 2, 3, 4]


def test_limited_generator_that_runs_again(ray, log, tmp_path):
    """The second attempt makes again what was taken, without waiting for it to be taken again."""

    @ray.remote(max_retries=1, _generator_backpressure_num_objects=1)
    def dying(path):
        for i in range(4):
            if i == 2 and not os.path.exists(path):
                open(path, "w").close()
                os._exit(1)
            yield i

    assert values(ray, dying.remote(str(tmp_path / "died"))) == [0, 1, 2, 3]


def test_limited_large_items(ray):
    @ray.remote(_generator_backpressure_num_objects=1)
    def large(n):
        for i in range(n):
            yield bytes([i]) * LARGE

    assert [ray.get(ref)[0] for ref in large.remote(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"_generator_backpressure_num_objects": 0}, "_generator_backpressure_num_objects=0"),
        ({"_num_objects_per_yield": 0}, "_num_objects_per_yield"),
    ],
)
def test_wrong_options(ray, options, text):
    with pytest.raises(ValueError, match=text):

        @ray.remote(**options)
        def function():
            yield 1


def test_objects_per_yield_is_for_decorators(ray, count):
    with pytest.raises(ValueError, match="cannot be overridden per task call"):
        count.options(_num_objects_per_yield=2)


# Actors


@pytest.fixture
def actor(ray):
    @ray.remote(num_cpus=0)
    class Producer:
        def __init__(self):
            self.calls = 0

        def count(self, n):
            self.calls += 1
            for i in range(n):
                yield i + 10 * self.calls

        def plain(self):
            return self.calls

        def failing(self):
            yield 1
            raise KeyError("boom")

        @ray.method(num_returns=2)
        def pair(self):
            yield "a"
            yield "b"

        def dying(self):
            yield 1
            time.sleep(0.5)
            os._exit(1)

    return Producer.remote()


def test_methods_that_stream(ray, actor):
    assert values(ray, actor.count.remote(3)) == [10, 11, 12]
    assert values(ray, actor.count.remote(2)) == [20, 21]


def test_methods_that_fail(ray, actor):
    assert values(ray, actor.failing.remote()) == [1, "RayTaskError(KeyError)"]
    assert ray.get(actor.plain.remote()) == 0


def test_methods_run_one_after_another(ray, actor):
    first, second = actor.count.remote(3), actor.count.remote(3)
    assert values(ray, second) == [20, 21, 22]
    assert values(ray, first) == [10, 11, 12]


def test_a_dead_actor_is_the_last_reference(ray, actor):
    assert values(ray, actor.dying.remote()) == [1, "ActorDiedError"]


def test_an_actor_that_could_not_be_made(ray):
    @ray.remote(num_cpus=0)
    class Broken:
        def __init__(self):
            raise ValueError("no")

        def stream(self):
            yield 1

    assert values(ray, Broken.remote().stream.remote()) == ["ActorDiedError"]


def test_only_generators_stream(ray, actor):
    with pytest.raises(ValueError, match="generator function"):
        actor.plain.options(num_returns="streaming").remote()

    def function():
        return [1]

    with pytest.raises(ValueError, match="generator function"):
        ray.remote(num_returns="streaming")(function).remote()


def test_limited_methods(ray, log):
    @ray.remote(num_cpus=0)
    class Producer:
        @ray.method(_generator_backpressure_num_objects=1)
        def stream(self, log):
            for i in range(5):
                ray.get(log.add.remote(i))
                yield i

    generator = Producer.remote().stream.remote(log)
    ray.wait([generator])
    assert settled(ray, log) == 1
    assert values(ray, generator) == [0, 1, 2, 3, 4]


def test_actors_with_a_limit_for_all_their_generators(ray, log):
    @ray.remote(num_cpus=0, _actor_generator_backpressure_num_objects=1)
    class Producer:
        def stream(self, log):
            for i in range(5):
                ray.get(log.add.remote(i))
                yield i

    generator = Producer.remote().stream.remote(log)
    ray.wait([generator])
    assert settled(ray, log) == 1
    assert values(ray, generator) == [0, 1, 2, 3, 4]


@pytest.fixture
def coroutines(ray):
    @ray.remote(num_cpus=0)
    class Coroutines:
        async def count(self, n):
            for i in range(n):
                await asyncio.sleep(0.01)
                yield i

        async def failing(self):
            yield 1
            raise ValueError("boom")

        def plain(self, n):
            for i in range(n):  # noqa: UP028  (as above)
                yield i

        async def endless(self):
            i = 0
            while True:
                await asyncio.sleep(0.01)
                yield i
                i += 1

    return Coroutines.remote()


def test_asynchronous_generators(ray, coroutines):
    assert values(ray, coroutines.count.remote(3)) == [0, 1, 2]
    assert values(ray, coroutines.failing.remote()) == [1, "RayTaskError(ValueError)"]


def test_ordinary_generators_of_asynchronous_actors(ray, coroutines):
    assert values(ray, coroutines.plain.remote(3)) == [0, 1, 2]


def test_asynchronous_generators_run_at_once(ray, coroutines):
    endless = coroutines.endless.remote()
    next(endless)
    assert values(ray, coroutines.count.remote(2)) == [0, 1]


def test_limited_asynchronous_generators(ray, coroutines):
    limited = coroutines.count.options(_generator_backpressure_num_objects=1)
    assert values(ray, limited.remote(4)) == [0, 1, 2, 3]


def test_async_for(ray, count, coroutines):
    async def collect(generator):
        return [await ref async for ref in generator]

    async def main():
        return await asyncio.gather(
            collect(count.remote(3)), collect(coroutines.count.remote(3)), collect(count.remote(0))
        )

    assert asyncio.run(main()) == [[0, 1, 2], [0, 1, 2], []]


# A number of returns


def raised(ray, refs):
    found = []
    for ref in refs:
        try:
            found.append(ray.get(ref))
        except ValueError as error:
            found.append(str(error).strip().splitlines()[-1])
    return found


@pytest.fixture
def three(ray):
    @ray.remote(num_returns=3)
    def three(n, fails=False):
        for i in range(n):  # noqa: UP028  (as above)
            yield i
        if fails:
            raise ValueError("boom")

    return three


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((3,), [0, 1, 2]),
        ((4,), [0, 1, 2]),
        ((3, True), [0, 1, 2]),
        ((1, True), [0, "ValueError: boom", "ValueError: boom"]),
        ((2,), [0, 1, "ValueError: Task returned 2 objects, but num_returns=3."]),
    ],
    ids=["as many", "more", "error after the last", "error before", "fewer"],
)
def test_generators_with_a_number_of_returns(ray, three, given, expected):
    assert raised(ray, three.remote(*given)) == expected


def test_a_generator_with_one_return_gives_its_first_item(ray, count):
    assert ray.get(count.options(num_returns=1).remote(3)) == 0


def test_a_generator_without_returns(ray, count):
    assert count.options(num_returns=0).remote(3) is None


def test_methods_with_a_number_of_returns(ray, actor):
    assert ray.get(actor.pair.remote()) == ["a", "b"]
    assert ray.get(actor.count.options(num_returns=2).remote(2)) == [10, 11]


def test_large_items_with_a_number_of_returns(ray):
    @ray.remote(num_returns=2)
    def large():
        yield b"a" * LARGE
        yield b"b" * LARGE

    assert [ray.get(ref)[:1] for ref in large.remote()] == [b"a", b"b"]


# Dynamic


@pytest.fixture
def dynamic(ray):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)

        @ray.remote(num_returns="dynamic")
        def dynamic(n, fails=False, size=0):
            for i in range(n):
                yield bytes([i]) * size if size else i
            if fails:
                raise ValueError("boom")

    return dynamic


def test_dynamic_is_deprecated(ray):
    def function():
        yield 1

    with pytest.warns(DeprecationWarning, match="num_returns='dynamic' is deprecated"):
        ray.remote(num_returns="dynamic")(function).remote()


def test_dynamic_items(ray, dynamic):
    ref = dynamic.remote(3)
    assert isinstance(ref, ray.ObjectRef)
    items = ray.get(ref)
    assert isinstance(items, ray.DynamicObjectRefGenerator)
    assert len(items) == 3
    assert [ray.get(item) for item in items] == [0, 1, 2]
    assert len(items) == 0


def test_dynamic_large_items(ray, dynamic):
    assert [ray.get(item)[-1] for item in ray.get(dynamic.remote(3, size=LARGE))] == [0, 1, 2]


def test_dynamic_error_is_one_item_more(ray, dynamic):
    *good, bad = ray.get(dynamic.remote(2, fails=True))
    assert ray.get(good) == [0, 1]
    with pytest.raises(ValueError, match="boom"):
        ray.get(bad)


def test_dynamic_items_as_an_argument(ray, dynamic):
    @ray.remote
    def add(items):
        return sum(ray.get(item) for item in items)

    assert ray.get(add.remote(dynamic.remote(4))) == 6


def test_dynamic_methods(ray, actor):
    with pytest.warns(DeprecationWarning, match="dynamic"):
        ref = actor.count.options(num_returns="dynamic").remote(2)
    assert [ray.get(item) for item in ray.get(ref)] == [10, 11]


def test_dynamic_items_outlive_their_list(ray, dynamic):
    items = list(ray.get(dynamic.remote(2, size=LARGE)))
    gc.collect()
    assert [len(ray.get(item)) for item in items] == [LARGE, LARGE]
