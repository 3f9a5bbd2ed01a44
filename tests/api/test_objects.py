import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.patience import pass_replies


def test_value_comes_back_equal_but_not_the_same(ray):
    value = {"a": [1, 2, (3, None)]}
    ref = ray.put(value)
    first, second = ray.get(ref), ray.get(ref)
    assert first == value
    assert first is not value
    assert first is not second


def test_put_takes_the_value_as_it_is_now(ray):
    value = [1]
    ref = ray.put(value)
    value.append(2)
    assert ray.get(ref) == [1]


def test_list_keeps_order_and_duplicates(ray):
    a, b = ray.put("a"), ray.put("b")
    assert ray.get([b, a, b]) == ["b", "a", "b"]


def test_get_does_not_look_into_containers(ray):
    ref = ray.put(1)
    assert ray.get(ray.put({"inner": ref}))["inner"] == ref


def test_empty_list(ray):
    assert ray.get([]) == []
    assert ray.wait([]) == ([], [])


@pytest.mark.parametrize("wrong", ["text", 3, None, {"a": 1}])
def test_get_of_no_reference_is_a_value_error(ray, wrong):
    with pytest.raises(ValueError, match="Invalid type of object refs"):
        ray.get(wrong)


def test_get_of_a_tuple_is_a_value_error(ray):
    with pytest.raises(ValueError, match="Invalid type of object refs"):
        ray.get((ray.put(1),))


def test_get_of_a_list_with_anything_else_is_a_type_error(ray):
    with pytest.raises(TypeError):
        ray.get([ray.put(1), 2])


def test_get_gives_up_after_its_timeout(ray):
    @ray.remote(resources={"shelf": 5})
    def never():
        return 1

    ref = never.remote()
    for seconds in (0, 0.1):
        with pytest.raises(ray.exceptions.GetTimeoutError):
            ray.get(ref, timeout=seconds)
    with pytest.raises(TimeoutError):
        ray.get(ref, timeout=0.05)
    ray.cancel(ref)


def test_timeout_of_years_waits(ray):
    """No kernel waits for so long at once. One thread waits for the sockets, the other for that one."""

    @ray.remote
    def slow():
        time.sleep(0.1)
        return 1

    years = 100_000_000
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(ray.get, slow.remote(), timeout=years) for _ in range(2)]
        assert [one.result() for one in both] == [1, 1]
    assert ray.wait([slow.remote()], timeout=years)[1] == []


def test_timeout_of_minus_one_waits(ray):
    assert ray.get(ray.put(1), timeout=-1) == 1


def test_get_of_what_is_there_needs_no_time(ray):
    assert ray.get(ray.put(1), timeout=0) == 1


def test_put_of_a_reference_is_refused(ray):
    with pytest.raises(TypeError, match="wrap"):
        ray.put(ray.put(1))


def test_put_of_what_cannot_be_pickled_is_a_type_error(ray):
    with pytest.raises(TypeError, match="lock"):
        ray.put(threading.Lock())


def test_references_are_equal_and_hashed_by_their_object(ray):
    ref = ray.put(1)
    again = ray.get(ray.put([ref]))[0]
    assert again == ref
    assert {ref: "found"}[again] == "found"
    assert ref != ray.put(1)


def test_reference_ids_contain_task_and_job(ray):
    @ray.remote
    def function():
        return 1

    ref = function.remote()
    assert len(ref.binary()) == 28
    assert ref.hex() == ref.binary().hex()
    assert ref.hex().endswith("01000000")
    assert ray.get_runtime_context().get_job_id() in ref.hex()
    assert repr(ref) == f"ObjectRef({ref.hex()})"


def test_large_value_is_stored_once_and_read_by_tasks(ray):
    @ray.remote
    def count(data):
        return len(data)

    ref = ray.put(b"x" * 500_000)
    assert ray.get([count.remote(ref) for _ in range(5)]) == [500_000] * 5
    assert ray.get(ref) == b"x" * 500_000


def test_arrays_come_back_read_only(ray):
    numpy = pytest.importorskip("numpy")
    for size in (10, 200_000):
        array = ray.get(ray.put(numpy.arange(size)))
        assert array[size - 1] == size - 1
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_arrays_outlive_their_reference(ray):
    numpy = pytest.importorskip("numpy")
    ref = ray.put(numpy.full(200_000, 7.0))
    part = ray.get(ref)[100:200]
    del ref
    for _ in range(5):
        ray.get(ray.put(numpy.zeros(200_000)))
    assert part.tolist() == [7.0] * 100


def test_array_is_an_argument_and_a_result(ray):
    numpy = pytest.importorskip("numpy")

    @ray.remote
    def double(array):
        return array.flags.writeable, array * 2

    writeable, doubled = ray.get(double.remote(numpy.ones(100_000)))
    assert not writeable
    assert doubled.sum() == 200_000


# --- wait ---


def test_wait_splits_into_ready_and_others_in_input_order(ray):
    @ray.remote(resources={"shelf": 5})
    def never():
        return 1

    stuck = [never.remote(), never.remote()]
    done = [ray.put(0), ray.put(1)]
    mixed = [stuck[0], done[0], stuck[1], done[1]]
    ready, others = ray.wait(mixed, num_returns=4, timeout=0.2)
    assert ready == done
    assert others == stuck
    for ref in stuck:
        ray.cancel(ref)


def test_wait_gives_no_more_than_asked_for(ray):
    refs = [ray.put(i) for i in range(4)]
    ready, others = ray.wait(refs, num_returns=2)
    assert len(ready) == 2
    assert sorted(map(refs.index, ready + others)) == [0, 1, 2, 3]
    assert others == [ref for ref in refs if ref not in ready]


def test_wait_sees_an_error_as_ready(ray):
    @ray.remote
    def fail():
        raise ValueError("expected")

    ref = fail.remote()
    assert ray.wait([ref], timeout=60) == ([ref], [])


def test_wait_takes_results_as_they_come(ray):
    @ray.remote
    def same(i):
        return i

    waiting, values = [same.remote(i) for i in range(20)], set()
    while waiting:
        ready, waiting = ray.wait(waiting)
        values.update(ray.get(ready))
    assert values == set(range(20))


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ("one", {}, TypeError),
        ("tuple", {}, TypeError),
        ("numbers", {}, TypeError),
        ("twice", {}, ValueError),
        ("list", {"num_returns": 0}, ValueError),
        ("list", {"num_returns": 3}, ValueError),
        ("list", {"timeout": -1}, ValueError),
    ],
)
def test_wait_refuses_what_makes_no_sense(ray, arguments, options, error):
    a, b = ray.put(1), ray.put(2)
    given = {"one": a, "tuple": (a, b), "numbers": [1], "twice": [a, a], "list": [a, b]}
    with pytest.raises(error):
        ray.wait(given[arguments], **options)


# --- cancel ---


def test_cancelled_before_it_starts(ray):
    @ray.remote(resources={"shelf": 5})
    def never():
        return 1

    ref = never.remote()
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=60)


def test_cancelled_while_it_waits_for_an_argument(ray):
    @ray.remote(resources={"shelf": 5})
    def never():
        return 1

    @ray.remote
    def follow(x):
        return x

    ref = follow.remote(never.remote())
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=60)


def test_cancel_of_what_is_done_changes_nothing(ray):
    @ray.remote
    def done():
        return 1

    ref = done.remote()
    assert ray.get(ref) == 1
    pass_replies(ray)
    ray.cancel(ref)
    assert ray.get(ref) == 1


def test_cancel_of_no_reference_is_a_type_error(ray):
    with pytest.raises(TypeError):
        ray.cancel("ref")
