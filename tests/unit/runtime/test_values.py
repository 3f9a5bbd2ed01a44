"""put, get, wait and references of a driver: what they cost in messages, and that they leave nothing."""

import copy
import pickle
import threading

import numpy as np
import pytest

from raysim.exceptions import (
    GetTimeoutError,
    ObjectFreedError,
    ObjectLostError,
    ObjectStoreFullError,
    RaySystemError,
    WorkerCrashedError,
)
from raysim.protocol.messages import (
    CancelFetches,
    ExtentRefused,
    FetchFailed,
    FetchObjects,
    FreeObjects,
    LeaseLost,
    ReleasePins,
    RequestExtent,
    SealObject,
)
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.failure import Failure, FailureKind
from tests.unit.runtime.rig import CALLER, HANDLE, RAYLET, WORKER, Session

LARGE = np.arange(100_000)


def double(x):
    return 2 * x


# put


def test_small_value_never_leaves_the_process(driver):
    ref = driver.core.put({"a": [1, 2]})
    assert driver.core.get([ref], None) == [{"a": [1, 2]}]
    assert driver.host.take() == []


def test_value_is_a_copy(driver):
    value = [1]
    ref = driver.core.put(value)
    value.append(2)
    assert driver.core.get([ref], None) == [[1]]


def test_large_value_is_written_into_a_lent_place_and_sealed(driver):
    ref = driver.put_large(LARGE)
    [sealed] = driver.of(SealObject)
    assert (sealed.object_id, sealed.owner) == (ref._id, driver.host.address)
    assert len(driver.host.store.places[HANDLE]) == sealed.size > LARGE.nbytes


def test_full_store_raises_and_leaves_nothing(driver):
    inner = driver.core.put(1)

    def refuse():
        [asked] = driver.of(RequestExtent)
        full = Failure(FailureKind.OBJECT_STORE_FULL, "no room for 800 kB")
        driver.tell(RAYLET, ExtentRefused(asked.number, full))

    driver.host.while_blocked = refuse
    with pytest.raises(ObjectStoreFullError, match="no room for 800 kB"):
        driver.core.put([inner, LARGE])
    del inner
    driver.assert_nothing_left()


def test_what_cannot_be_pickled_is_a_type_error_that_names_it(driver):
    with pytest.raises(TypeError, match=r"Could not serialize the put value.*lock"):
        driver.core.put({"lock": threading.Lock()})
    assert driver.entries == {}


# References


def test_dropped_reference_frees_its_object(driver):
    ref = driver.put_large(LARGE)
    object_id = ref._id
    driver.host.take()
    del ref
    assert [freed.object_ids for freed in driver.of(FreeObjects)] == [[object_id]]
    driver.assert_nothing_left()


def test_reference_inside_a_value_lives_as_long_as_the_value(driver):
    inner = driver.core.put("inner")
    outer = driver.core.put([inner])
    del inner
    driver.drain()
    [[inner]] = driver.core.get([outer], None)
    del outer
    driver.drain()
    assert driver.core.get([inner], None) == ["inner"]
    del inner
    driver.assert_nothing_left()


def test_reference_that_a_stranger_pickles_is_kept_for_ever(driver):
    """Nobody can know how long the bytes are needed (Ray)."""
    ref = driver.core.put("value")
    data = pickle.dumps(ref)
    del ref
    driver.drain()
    assert driver.core.get([pickle.loads(data)], None) == ["value"]


@pytest.mark.parametrize("another", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_reference_keeps_the_object(driver, another):
    """It is counted by itself, and lets go by itself."""
    ref = driver.core.put("value")
    same = another(ref)
    del ref
    driver.drain()
    assert driver.core.get([same], None) == ["value"]
    del same
    driver.assert_nothing_left()


def test_reference_of_another_session_is_refused(driver):
    foreign = Session().core.put(1)
    with pytest.raises(ValueError, match="session that has ended"):
        driver.core.get([foreign], None)


def test_references_are_equal_by_their_object(driver):
    ref = driver.core.put(1)
    assert ObjectRef(ref._id, CALLER, None) == ref
    assert len({ref, ObjectRef(ref._id, CALLER, None)}) == 1


# get


def test_same_reference_twice_is_the_value_twice(driver):
    ref = driver.core.put("value")
    assert driver.core.get([ref, ref], None) == ["value", "value"]


def test_result_of_a_task(driver):
    ref = driver.submit(double, 21)
    driver.host.while_blocked = lambda: driver.answer(42)
    assert driver.core.get([ref], None) == [42]
    del ref
    driver.assert_nothing_left()


def test_time_out_says_what_is_missing_and_leaves_nothing(driver):
    ready, missing = driver.core.put(1), driver.submit(double, 1)
    with pytest.raises(GetTimeoutError, match=r"1 of 2 .*" + missing.hex()):
        driver.core.get([ready, missing], 0.5)
    driver.answer(2)
    del ready, missing
    driver.assert_nothing_left()


def test_object_that_is_not_here_in_time_counts_as_missing(driver):
    ref = driver.put_large(LARGE)
    with pytest.raises(GetTimeoutError, match="1 of 1"):
        driver.core.get([ref], 0.5)
    assert len(driver.of(CancelFetches)) == 1


def test_first_error_ends_the_wait_for_the_others(driver):
    failed, pending = driver.submit(double, 1, max_retries=0), driver.submit(double, 2)
    push = driver.pushed()

    def lose():
        driver.tell(RAYLET, LeaseLost(push.lease_id, WORKER, "exit code -9"))
        driver.core.process.peer_lost(WORKER)

    driver.host.while_blocked = lose
    with pytest.raises(WorkerCrashedError, match="exit code -9"):
        driver.core.get([pending, failed], None)


def test_stored_array_is_read_where_it_lies_and_pinned_until_its_last_view_goes(driver):
    ref = driver.put_large(LARGE)
    driver.host.while_blocked = lambda: driver.local(ref)
    [array] = driver.core.get([ref], None)
    np.testing.assert_array_equal(array, LARGE)
    assert not array.flags.writeable
    assert driver.of(ReleasePins) == []
    driver.host.store.drop_view(HANDLE)
    assert [released.object_ids for released in driver.of(ReleasePins)] == [[ref._id]]


def test_second_get_shares_the_pin_of_a_living_view(driver):
    ref = driver.put_large(LARGE)
    driver.host.while_blocked = lambda: driver.local(ref)
    driver.core.get([ref], None)
    driver.host.take()
    driver.core.get([ref], None)
    assert driver.of(FetchObjects) == []


def test_no_room_to_read_is_an_error_of_this_get(driver):
    ref = driver.put_large(LARGE)
    full = Failure(FailureKind.OBJECT_STORE_FULL, "no room for a copy")

    def refuse():
        driver.tell(RAYLET, FetchFailed(ref._id, [], full))

    driver.host.while_blocked = refuse
    with pytest.raises(ObjectStoreFullError, match="no room for a copy"):
        driver.core.get([ref], None)
    driver.host.while_blocked = lambda: driver.local(ref)
    assert driver.core.get([ref], None)[0][-1] == LARGE[-1]


def test_lost_put_is_an_object_lost_error(driver):
    ref = driver.put_large(LARGE)
    driver.core.owner.objects.node_lost(RAYLET.node_id)
    with pytest.raises(ObjectLostError, match=ref.hex()):
        driver.core.get([ref], None)


def test_bytes_that_are_no_value_are_a_system_error(driver):
    ref = driver.core.put(1)
    driver.entries[ref._id].payload = b"Vnonsense"
    with pytest.raises(RaySystemError, match="deserialised"):
        driver.core.get([ref], None)


def test_own_reference_that_outlived_its_object_says_so(driver):
    ref = driver.core.put(1)
    stray = ObjectRef(ref._id, driver.host.address, None)
    del ref
    driver.drain()
    driver.core.adopt([stray])
    with pytest.raises(ObjectFreedError):
        driver.core.get([stray], None)


# wait


def test_wait_tells_ready_from_not_ready_in_their_order(driver):
    pending, first, second = driver.submit(double, 1), driver.core.put(1), driver.core.put(2)
    refs = [second, pending, first]
    assert driver.core.wait(refs, 2, None, True) == ([second, first], [pending])
    assert driver.core.wait(refs, 1, None, True) == ([second], [pending, first])
    assert driver.core.wait(refs, 3, 0.1, True) == ([second, first], [pending])


@pytest.mark.parametrize("fetch_local", [True, False])
def test_polling_leaves_nothing_behind(driver, fetch_local):
    ref = driver.submit(double, 1)
    for _ in range(20):
        assert driver.core.wait([ref], 1, 0, fetch_local) == ([], [ref])
        with pytest.raises(GetTimeoutError):
            driver.core.get([ref], 0)
    assert driver.core.owner.objects._expected == {}
    assert driver.core.owner.fetches.together == {}
    del ref
    driver.drain()
    driver.answer(2)
    driver.assert_nothing_left()
    assert driver.core.owner.objects._waiting == {}
    assert driver.core.owner.fetches._waiting == {}


def test_wait_looks_no_further_than_it_has_to(driver):
    """Who takes a thousand results as they come calls it a thousand times, with all that are left."""
    ready, pending = driver.core.put(1), [driver.submit(double, n) for n in range(100)]
    entries = driver.core.owner.objects.entries
    looked_at = []

    class Counting(dict):
        def get(self, key, default=None):
            looked_at.append(key)
            return super().get(key, default)

    driver.core.owner.objects.entries = Counting(entries)
    assert driver.core.wait([ready, *pending], 1, None, True) == ([ready], pending)
    assert len(looked_at) < 5


def test_list_may_change_while_get_waits_for_what_it_held(driver):
    refs = [driver.submit(double, 1)]

    def change():
        refs.clear()
        driver.drain()
        driver.answer(2)

    driver.host.while_blocked = change
    assert driver.core.get(refs, None) == [2]
    driver.assert_nothing_left()


def test_two_threads_may_wait_for_the_same_call(driver):
    ref = driver.submit(double, 1)
    found = []

    def another():
        driver.host.while_blocked = lambda: driver.answer(2)
        found.append(driver.core.get([ref], None))

    driver.host.while_blocked = another
    assert driver.core.wait([ref], 1, None, True) == ([ref], [])
    assert found == [[2]]


def test_wait_without_fetching_moves_no_bytes(driver):
    ref = driver.put_large(LARGE)
    driver.host.take()
    assert driver.core.wait([ref], 1, None, False) == ([ref], [])
    assert driver.of(FetchObjects) == []


def test_wait_with_fetching_has_the_object_brought(driver):
    ref = driver.put_large(LARGE)
    driver.host.while_blocked = lambda: driver.local(ref)
    assert driver.core.wait([ref], 1, None, True) == ([ref], [])
    assert len(driver.of(FetchObjects)) == 1


# Arguments


def test_large_argument_becomes_a_reference_that_lives_as_long_as_the_call(driver):
    driver.host.while_blocked = driver.lend
    ref = driver.submit(len, bytes(200_000))
    [call] = driver.pushed().calls
    assert len(call.args) < 1000
    assert [arg.size for arg in call.refs] == [len(driver.host.store.places[HANDLE])]
    assert len(driver.entries) == 2
    del ref
    driver.drain()
    assert len(driver.entries) == 1


def test_argument_that_cannot_be_pickled_is_a_type_error_that_names_the_function(driver):
    with pytest.raises(TypeError, match="the arguments of double"):
        driver.submit(double, threading.Lock())


def test_reference_of_another_session_is_no_argument(driver):
    with pytest.raises(ValueError, match="session that has ended"):
        driver.submit(double, Session().core.put(1))
