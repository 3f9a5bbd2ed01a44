"""Values to bytes and back: what is copied, what is not, what is found inside."""

import pickle
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.protocol.messages import ContainedRef
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.pickler import dumps
from raysim.runtime.serialization import (
    ALIGNMENT,
    Serialized,
    deserialize,
    serialize,
    serialize_error,
)
from raysim.spec.ids import IdSource, driver_task, job_id
from tests.unit.protocol.fake_host import address

OWNER = address("driver", "near")
OTHER = address("other", "far")
IDS = IdSource(driver_task(job_id(1)))

plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)
arrays = st.integers(0, 200).flatmap(
    lambda n: st.sampled_from(["u1", "<i4", "<f8", "c16"]).map(
        lambda kind: np.arange(n).astype(kind)
    )
)


def through(value):
    """The value, as another process gets it."""
    loaded, is_error, refs = deserialize(serialize(value).join())
    assert (is_error, refs) == (False, [])
    return loaded


@given(values)
def test_values_survive(value):
    assert through(value) == value


@given(st.lists(arrays, max_size=5))
def test_arrays_survive_whatever_their_sizes(many):
    loaded = through(many)
    assert len(loaded) == len(many)
    for before, after in zip(many, loaded, strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_every_buffer_begins_at_a_multiple_of_the_alignment(sizes):
    serialized = serialize([np.full(size, 7, dtype="u1") for size in sizes])
    data = serialized.join()
    assert len(data) == serialized.size
    room = np.zeros(len(data) + ALIGNMENT, dtype="u1")
    start = -room.ctypes.data % ALIGNMENT
    room[start : start + len(data)] = np.frombuffer(data, dtype="u1")
    loaded, _, _ = deserialize(memoryview(room)[start : start + len(data)])
    assert all(array.ctypes.data % ALIGNMENT == 0 for array in loaded if array.size)


def test_array_is_a_read_only_view_of_the_data():
    data = bytearray(serialize(np.arange(1000)).join())
    loaded, _, _ = deserialize(memoryview(data).toreadonly())
    assert not loaded.flags.writeable
    assert np.shares_memory(loaded, np.frombuffer(data, dtype="u1"))
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 1


def test_array_is_not_copied_when_it_is_serialised():
    array = np.arange(1000)
    parts = serialize(array).parts
    assert any(
        isinstance(p, memoryview) and np.shares_memory(np.frombuffer(p), array) for p in parts
    )


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4)[:, ::2],
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.array(3.5),
        np.array(["a", {"b": 1}], dtype=object),
        np.zeros(3, dtype=[("x", "<i4"), ("y", "<f8")]),
    ],
    ids=["strided", "fortran", "scalar", "objects", "record"],
)
def test_unusual_arrays_survive(array):
    loaded = through(array)
    assert loaded.dtype == array.dtype
    np.testing.assert_array_equal(loaded, array)


@given(values)
def test_a_value_is_the_same_bytes_whichever_pickler_writes_it(value):
    """Small containers of plain values take a faster one."""
    expected = b"R" + value if type(value) is bytes else b"V" + dumps(value)
    assert serialize(value).join() == expected


def test_a_reference_in_a_dictionary_of_a_small_container_is_found():
    ref = ObjectRef(IDS.put(), OWNER, None)
    assert serialize(([1], {"by": ref})).contained == [ContainedRef(ref._id, OWNER)]
    assert serialize(([1, [ref]], {})).contained == [ContainedRef(ref._id, OWNER)]


def test_references_inside_are_found_in_both_directions():
    first, second = ObjectRef(IDS.put(), OWNER, None), ObjectRef(IDS.put(), OWNER, None)
    serialized = serialize({"one": first, "more": [second, first]})
    assert set(serialized.contained) == {
        ContainedRef(first._id, OWNER),
        ContainedRef(second._id, OWNER),
    }
    value, _, refs = deserialize(serialized.join())
    assert value["one"] == first
    assert {ref._id for ref in refs} == {first._id, second._id}
    assert all(ref._holder is None and ref._owner == OWNER for ref in refs)


def test_references_of_several_owners_keep_their_owners():
    owners = [OWNER, OWNER, OTHER, OWNER]
    refs = [ObjectRef(IDS.put(), owner, None) for owner in owners]
    value, _, found = deserialize(serialize(refs).join())
    assert value == refs
    assert [ref._owner for ref in value] == owners
    assert len(found) == len(refs)


def test_a_reference_that_a_value_holds_twice_is_one():
    ref = ObjectRef(IDS.put(), OWNER, None)
    (one, two), _, found = deserialize(serialize([ref, ref]).join())
    assert one is two
    assert len(found) == 1


class Wrapped:
    """Pickles what it holds by itself, as some libraries do; opened when somebody looks."""

    def __init__(self, held):
        self.held = held

    def __reduce__(self):
        return Opened, (pickle.dumps(self.held),)


class Opened:
    def __init__(self, pickled):
        self.pickled = pickled


def test_a_reference_in_a_pickle_inside_a_value_stands_there_in_full():
    """It may be read when the value, and its table, is long gone."""
    first, second = (ObjectRef(IDS.put(), OWNER, None) for _ in range(2))
    serialized = serialize([first, Wrapped([first, second]), second])
    assert {ref.object_id for ref in serialized.contained} == {first._id, second._id}
    (one, inner, two), _, _ = deserialize(serialized.join())
    assert (one, two) == (first, second)
    assert pickle.loads(inner.pickled) == [first, second]


def test_a_pickle_of_a_value_that_is_read_without_its_table_says_so():
    ref = ObjectRef(IDS.put(), OWNER, None)
    (head, *_) = serialize([ref]).parts
    with pytest.raises(pickle.UnpicklingError, match=r"use ray\.get"):
        pickle.loads(bytes(head)[1 + 8 + 8 + 8 :])


def test_reference_beside_an_array_is_found():
    ref = ObjectRef(IDS.put(), OWNER, None)
    serialized = serialize((ref, np.arange(100)))
    assert serialized.contained == [ContainedRef(ref._id, OWNER)]
    value, _, refs = deserialize(serialized.join())
    assert refs == [ref]
    assert value[1][99] == 99


def test_error_is_told_from_a_value():
    value, is_error, _ = deserialize(serialize_error(KeyError("x")).join())
    assert is_error
    assert isinstance(value, KeyError)
    value, is_error, _ = deserialize(serialize(KeyError("x")).join())
    assert not is_error


def test_functions_and_local_classes_travel():
    offset = 3

    @dataclass
    class Point:
        x: int
        tags: list = field(default_factory=list)

    assert through(lambda x: x + offset)(4) == 7
    assert through(Point(1, ["a"])).tags == ["a"]


def test_identity_within_one_value_survives():
    shared = object.__new__(type("Node", (), {}))
    one, two = through((shared, shared))
    assert one is two


def test_failed_value_leaves_no_trace_in_the_next_one():
    with pytest.raises(TypeError):
        serialize([ObjectRef(IDS.put(), OWNER, None), threading.Lock()])
    assert serialize([1]).contained == []


def test_bytes_of_a_synthetic_task_are_no_value():
    assert deserialize(b"") == (None, False, [])
    assert deserialize(bytes(10)) == (None, False, [])


def test_one_part_is_joined_without_a_copy():
    part = b"V" + bytes(100)
    assert Serialized.of([part]).join() is part


@pytest.mark.parametrize("size", [0, 1000, 65_535, 65_536, 1_000_000])
def test_bytes_survive_whatever_their_size(size):
    data = bytes(range(250)) * (size // 250 + 1)
    value, is_error, refs = deserialize(serialize(data[:size]).join())
    assert (value, type(value), is_error, refs) == (data[:size], bytes, False, [])


def test_large_bytes_are_not_copied_into_their_pickle():
    data = bytes(1_000_000)
    serialized = serialize(data)
    assert any(isinstance(part, memoryview) and part.obj is data for part in serialized.parts)
    assert serialized.size - len(data) < 200


def test_large_pickle_is_not_copied_for_the_byte_before_it():
    serialized = serialize((7, bytes(1 << 17)))
    assert [len(part) for part in serialized.parts] == [1, serialized.size - 1]
    assert deserialize(serialized.join())[0] == (7, bytes(1 << 17))
