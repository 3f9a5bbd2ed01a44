"""`raysim.internal.free`: values that go though they are referred to. Ray 2.60 has it no more."""

import gc
import time

import pytest

from raysim.internal import free
from raysim.internal.internal_api import free as free_by_old_name

LARGE = 300_000


@pytest.fixture(autouse=True)
def not_on_ray(backend):
    if backend not in ("sim", "cluster"):
        pytest.skip("Ray 2.60 cannot free objects by hand")


@pytest.fixture
def make(ray):
    @ray.remote
    def make(size):
        return b"m" * size

    return make


@pytest.mark.parametrize("size", [10, LARGE], ids=["small", "large"])
def test_what_was_put_and_freed_cannot_be_had(ray, size):
    ref = ray.put(b"x" * size)
    free(ref)
    with pytest.raises(ray.exceptions.ObjectFreedError, match=ref.hex()):
        ray.get(ref)


@pytest.mark.parametrize("size", [10, LARGE], ids=["small", "large"])
def test_what_a_task_returned_is_not_made_again(ray, make, size):
    ref = make.remote(size)
    ray.get(ref)
    free([ref])
    with pytest.raises(ray.exceptions.ObjectFreedError):
        ray.get(ref)


def test_freed_objects_are_ready(ray):
    ref = ray.put(1)
    free(ref)
    assert ray.wait([ref], timeout=5) == ([ref], [])


def test_a_freed_argument_fails_its_task(ray, make):
    @ray.remote
    def use(value):
        return value

    ref = make.remote(LARGE)
    ray.get(ref)
    free(ref)
    with pytest.raises(ray.exceptions.ObjectFreedError):
        ray.get(use.remote(ref))


def test_borrowers_learn_it(ray, make):
    @ray.remote
    def use(refs):
        try:
            ray.get(refs[0])
        except ray.exceptions.ObjectFreedError:
            return "freed"
        return "there"

    ref = make.remote(LARGE)
    ray.get(ref)
    free(ref)
    assert ray.get(use.remote([ref])) == "freed"


def test_borrowers_free_nothing(ray):
    @ray.remote
    def try_to_free(refs):
        from raysim.internal import free

        free(refs)
        return len(ray.get(refs[0]))

    ref = ray.put(b"x" * LARGE)
    assert ray.get(try_to_free.remote([ref])) == LARGE
    assert len(ray.get(ref)) == LARGE


def test_what_is_not_there_yet_is_left_alone(ray):
    @ray.remote
    def slow():
        time.sleep(0.5)
        return 1

    ref = slow.remote()
    free(ref)
    assert ray.get(ref) == 1


def test_views_stay_whole(ray):
    numpy = pytest.importorskip("numpy")
    ref = ray.put(numpy.arange(LARGE))
    view = ray.get(ref)
    free(ref)
    assert view[-1] == LARGE - 1
    del view
    gc.collect()
    with pytest.raises(ray.exceptions.ObjectFreedError):
        ray.get(ref)


def test_references_inside_go_with_the_value(ray):
    inner = ray.put(b"i" * LARGE)
    outer = ray.put([inner])
    free(outer)
    assert len(ray.get(inner)) == LARGE


def test_freeing_twice_and_nothing(ray):
    ref = ray.put(1)
    free_by_old_name([ref, ref])
    free(ref)
    free([])
    with pytest.raises(ray.exceptions.ObjectFreedError):
        ray.get(ref)


def test_only_references_can_be_freed(ray):
    with pytest.raises(TypeError, match="expected a reference"):
        free([1])
    with pytest.raises(TypeError, match="expected a reference"):
        free("abc")


def test_items_of_generators(ray):
    @ray.remote
    def items():
        yield b"a" * LARGE
        yield b"b" * LARGE

    first, second = list(items.remote())
    free(first)
    with pytest.raises(ray.exceptions.ObjectFreedError):
        ray.get(first)
    assert len(ray.get(second)) == LARGE
