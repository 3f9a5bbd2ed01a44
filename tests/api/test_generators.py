"""Generators that stream: items as they are made. Ray: `ray.ObjectRefGenerator`."""

import asyncio
import gc
import os
import pickle
import sys
import time

import pytest

from tests.api.generators import counting, log_of, values
from tests.api.patience import until

LARGE = 300_000
"""Bytes: above what travels in messages."""


def end_of(ray, generator):
    try:
        return ray.get(generator.completed(), timeout=20)
    except ray.exceptions.RayError as error:
        return type(error).__name__


@pytest.fixture
def count(ray):
    return counting(ray)


@pytest.fixture
def log(ray):
    return log_of(ray)


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


def test_items_that_nobody_took_go_with_their_generator(ray):
    """Each holds the only handle of an actor, whose name is free when it is gone."""

    @ray.remote(num_cpus=0)
    class Kept:
        def ready(self):
            return True

    @ray.remote(num_cpus=0)
    def give():
        for number in range(2):
            kept = Kept.options(name=f"kept {number}", namespace="kept").remote()
            ray.get(kept.ready.remote())
            yield [kept]

    def names():
        found = ray.util.list_named_actors(all_namespaces=True)
        return {one["name"] for one in found if one["namespace"] == "kept"}

    generator = give.remote()
    taken = next(generator)
    ray.get(generator.completed(), timeout=60)
    del generator
    until(lambda: names() == {"kept 0"})
    assert ray.get(ray.get(taken)[0].ready.remote(), timeout=60)


def test_items_of_an_iterable_that_is_no_generator(ray, backend):
    if backend not in ("sim", "cluster"):
        pytest.skip("Ray fails inside the worker: it sends None into what has no `send`")

    @ray.remote
    def count(n):
        yield from range(n)

    assert values(ray, count.remote(3)) == [0, 1, 2]


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
    # Ray has the value of `completed()` a moment before it knows that there is no further item.
    until(generator.is_finished)
    assert not generator.next_ready()


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
