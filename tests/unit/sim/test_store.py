import gc
import pickle

import pytest

from raysim_sim.store import SimObjectStore


def test_a_store_lends_up_to_its_capacity():
    store = SimObjectStore(100)
    first = store.create(60)
    assert store.create(41) is None
    assert store.create(40) is not None
    assert store.used() == 100
    store.delete(first)
    assert store.used() == 40


def test_what_is_written_is_read():
    store = SimObjectStore(100)
    handle = store.create(6)
    store.write(handle, [b"abc", memoryview(b"def")])
    assert bytes(store.view(handle, 6, lambda: None)) == b"abcdef"
    assert store.read_chunk(handle, 2, 3) == b"cde"


def test_chunks_may_come_in_any_order():
    store = SimObjectStore(100)
    handle = store.create(5)
    store.write_chunk(handle, 3, b"de", 2)
    store.write_chunk(handle, 0, b"abc", 3)
    assert bytes(store.view(handle, 5, lambda: None)) == b"abcde"


def test_a_synthetic_object_has_a_size_and_no_bytes():
    store = SimObjectStore(1 << 40)
    handle = store.create(1 << 39)
    store.write(handle, ())
    store.write_chunk(handle, 0, b"", 1 << 20)
    assert store.read_chunk(handle, 0, 1 << 20) == b""
    assert len(store.view(handle, 1 << 39, lambda: None)) == 0
    assert store.used() == 1 << 39


@pytest.mark.parametrize("data", [b"abc", b""])
def test_a_view_is_released_once_with_the_last_thing_made_from_it(data):
    store, released = SimObjectStore(100), []
    handle = store.create(max(1, len(data)))
    store.write(handle, [data])
    view = store.view(handle, len(data), lambda: released.append(1))
    part = view[1:]
    del view
    gc.collect()
    assert released == []
    del part
    assert released == [1]


def test_each_view_of_an_object_is_released_by_itself():
    store, released = SimObjectStore(100), []
    handle = store.create(3)
    store.write(handle, [b"abc"])
    first = store.view(handle, 3, lambda: released.append("first"))
    second = store.view(handle, 3, lambda: released.append("second"))
    del first
    assert released == ["first"]
    del second
    assert released == ["first", "second"]


def test_a_view_outlives_its_object():
    store = SimObjectStore(100)
    handle = store.create(3)
    store.write(handle, [b"abc"])
    view = store.view(handle, 3, lambda: None)
    store.delete(handle)
    assert bytes(view) == b"abc"


def test_views_are_read_only():
    store = SimObjectStore(100)
    handle = store.create(3)
    store.write(handle, [b"abc"])
    with pytest.raises(TypeError):
        store.view(handle, 3, lambda: None)[0] = 1


def test_an_array_over_a_view_shares_its_bytes_and_keeps_it():
    numpy = pytest.importorskip("numpy")
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(numpy.arange(1000), protocol=5, buffer_callback=buffers.append)
    data = buffers[0].raw()
    store, released = SimObjectStore(1 << 20), []
    handle = store.create(data.nbytes)
    store.write(handle, [data])
    array = pickle.loads(
        head, buffers=[store.view(handle, data.nbytes, lambda: released.append(1))]
    )
    tail = array[500:]
    del array
    assert (released, int(tail[0]), tail.flags.writeable) == ([], 500, False)
    del tail
    assert released == [1]


def test_a_part_that_was_read_outlives_its_place():
    """It is on its way to another node when the object is freed here."""
    store = SimObjectStore(100)
    handle = store.create(5)
    store.write(handle, [b"abcde"])
    part = store.read_chunk(handle, 1, 3)
    store.delete(handle)
    assert store.create(100) is not None
    assert part == b"bcd"


def test_an_object_that_comes_in_one_part_is_a_copy_of_it():
    sender, receiver = SimObjectStore(100), SimObjectStore(100)
    here, there = sender.create(5), receiver.create(5)
    sender.write(here, [b"abcde"])
    receiver.write_chunk(there, 0, sender.read_chunk(here, 0, 5), 5)
    assert receiver.content(there) == b"abcde"
    assert receiver.content(there) is not sender.content(here)
