"""Methods that are generators, `async def` ones included."""

import asyncio

import pytest

from tests.api.generators import counting, producer, values

LARGE = 300_000
"""Bytes: above what travels in messages."""


@pytest.fixture
def count(ray):
    return counting(ray)


@pytest.fixture
def actor(ray):
    return producer(ray)


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
