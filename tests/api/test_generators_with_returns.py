"""Generators with a number of returns, and with num_returns="dynamic"."""

import gc
import warnings

import pytest

from tests.api.generators import counting, producer

LARGE = 300_000
"""Bytes: above what travels in messages."""


@pytest.fixture
def count(ray):
    return counting(ray)


@pytest.fixture
def actor(ray):
    return producer(ray)


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
