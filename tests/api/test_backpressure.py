"""Generators that wait for their consumer. Ray: `_generator_backpressure_num_objects`."""

import gc
import os
import time

import pytest

from tests.api.generators import counting, log_of, values
from tests.api.patience import until

LARGE = 300_000
"""Bytes: above what travels in messages."""


@pytest.fixture
def count(ray):
    return counting(ray)


@pytest.fixture
def log(ray):
    return log_of(ray)


def stops_at(ray, log, count):
    """Whether the log grows to this length, and no further."""

    def length():
        return len(ray.get(log.get.remote()))

    until(lambda: length() >= count)
    time.sleep(0.5)
    return length() == count


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
    assert stops_at(ray, log, 2)
    next(generator)
    assert stops_at(ray, log, 3)
    next(generator)
    next(generator)
    assert stops_at(ray, log, 5)


def test_a_limited_generator_ends_when_nobody_consumes(ray, limited, log):
    generator = limited.remote(10, log)
    assert stops_at(ray, log, 2)
    del generator
    gc.collect()
    assert stops_at(ray, log, 10)


def test_a_limited_generator_gives_everything(ray, limited, log):
    assert values(ray, limited.remote(20, log)) == list(range(20))


def test_a_limit_of_one_is_a_plain_generator(ray, limited, log):
    one = limited.options(_generator_backpressure_num_objects=1)
    generator = one.remote(10, log)
    assert stops_at(ray, log, 1)
    next(generator)
    assert stops_at(ray, log, 2)


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
    assert stops_at(ray, log, 1)
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
    assert stops_at(ray, log, 1)
    assert values(ray, generator) == [0, 1, 2, 3, 4]
