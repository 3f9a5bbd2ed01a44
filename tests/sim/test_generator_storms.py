"""Generators on clusters that lose workers and nodes: every item is right, in its place, and freed in the end."""

import gc
import time
import warnings

import pytest

import raysim as ray
from tests.sim.test_storms import storm


@ray.remote(max_retries=-1)
def stream(seconds, values, size):
    for value in values:
        time.sleep(seconds)
        yield value, bytes(size)


@ray.remote(max_retries=-1)
def total(seconds, values, size):
    """A generator that is consumed by a task, which may be lost with it."""
    return sum(ray.get(ref)[0] for ref in stream.remote(seconds, values, size))


@ray.remote(max_retries=-1)
def first(item):
    return item[0]


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Streamer:
    def stream(self, seconds, values, size):
        for value in values:
            time.sleep(seconds)
            yield value, bytes(size)


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Waiting:
    async def stream(self, seconds, values, size):
        import asyncio

        for value in values:
            await asyncio.sleep(seconds)
            yield value, bytes(size)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    listed = stream.options(num_returns="dynamic")


def open_one(draw, actors):
    values = [draw.randrange(1000) for _ in range(draw.randrange(12))]
    given = draw.choice([0, 0.01, 0.5]), values, draw.choice([10, 200_000, 5_000_000])
    limit = draw.choice([-1, 1, 3])
    # One that waits for its consumer keeps its CPU, which the next one may need: so it has none.
    plain = stream if limit < 0 else stream.options(num_cpus=0)
    call = draw.choice([plain, plain, *(actor.stream for actor in actors)])
    return call.options(_generator_backpressure_num_objects=limit).remote(*given), values


def lasting(draw):
    """Of those that make their items again, and of which none can be lost for good."""
    generators, kept = [], []
    for _ in range(draw.randrange(15, 30)):
        kind = draw.random()
        if kind < 0.35 or not generators:
            generator, values = open_one(draw, [])
            generators.append((generator, values))
        elif kind < 0.75:
            take(draw, generators, kept)
        elif kind < 0.85:
            values = [draw.randrange(100) for _ in range(5)]
            assert ray.get(total.remote(0.1, values, draw.choice([10, 200_000]))) == sum(values)
        elif kind < 0.95:
            values = [draw.randrange(100) for _ in range(4)]
            items = list(ray.get(listed.remote(0.1, values, draw.choice([10, 200_000]))))
            kept += zip(items, values, strict=True)
        else:
            generators.pop(draw.randrange(len(generators)))
        time.sleep(draw.choice([0, 0, 1]))
        if kept and draw.random() < 0.3:
            ref, value = kept.pop(draw.randrange(len(kept)))
            assert ray.get(first.remote(ref)) == value
    for generator, values in generators:
        kept += zip(generator, values, strict=True)
    assert [ray.get(ref)[0] for ref, _ in kept] == [value for _, value in kept]


def take(draw, generators, kept):
    index = draw.randrange(len(generators))
    generator, values = generators[index]
    for _ in range(draw.randrange(1, 5)):
        ref = next(generator, None)
        if ref is None:
            assert values == []
            generators.pop(index)
            return
        kept.append((ref, values.pop(0)))


def of_actors(draw):
    """What actors made is not made again: an item is right, or lost; the end comes all the same."""
    actors = [Streamer.remote(), Waiting.remote()]
    for _ in range(draw.randrange(5, 15)):
        generator, values = open_one(draw, actors)
        if draw.random() < 0.2:
            next(generator, None)
            continue
        for ref in generator:
            try:
                found = ray.get(ref)[0]
            except (ray.exceptions.ObjectLostError, ray.exceptions.RayActorError):
                values and values.pop(0)
            else:
                assert found == values.pop(0)
        del generator
    del actors
    gc.collect()


@pytest.mark.parametrize("seed", range(15))
def test_a_storm_changes_no_item(seed):
    storm(seed, lasting)


@pytest.mark.parametrize("seed", range(15))
def test_generators_of_actors_end_in_a_storm(seed):
    storm(seed, of_actors)


@pytest.mark.parametrize("seed", [2, 5])
def test_a_storm_of_generators_can_be_repeated(seed):
    assert storm(seed, lasting) == storm(seed, lasting)
