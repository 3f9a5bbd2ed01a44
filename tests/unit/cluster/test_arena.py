"""The shared-memory arena: places never overlap, nothing is lost, views are read-only and tell their end."""

import gc
import os
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raysim_cluster.arena import ALIGNMENT, Allocator, Arena, ArenaAccess, ArenaStore

np = pytest.importorskip("numpy")


class AllocatorMachine(RuleBasedStateMachine):
    """Any order of taking and giving back, against the obvious model: a list of taken ranges."""

    CAPACITY = 4096

    def __init__(self) -> None:
        super().__init__()
        self.allocator = Allocator(self.CAPACITY)
        self.taken: dict[int, int] = {}

    @rule(size=st.integers(0, 1500))
    def take(self, size: int) -> None:
        offset = self.allocator.take(size)
        needed = max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
        if offset is None:
            assert all(hole < needed for _, hole in self.allocator.holes())
        else:
            self.taken[offset] = needed

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.taken)))
        del self.taken[offset]
        self.allocator.give_back(offset)

    @invariant()
    def places_and_holes_tile_the_arena(self) -> None:
        holes = self.allocator.holes()
        position = 0
        for offset, size in sorted([*self.taken.items(), *holes]):
            assert offset == position
            assert offset % ALIGNMENT == 0
            position = offset + size
        assert position == self.CAPACITY
        assert self.allocator.used == sum(self.taken.values())

    @invariant()
    def neighbouring_holes_are_one(self) -> None:
        holes = self.allocator.holes()
        assert all(a + size < b for (a, size), (b, _) in pairwise(holes))


TestAllocator = AllocatorMachine.TestCase


def test_the_place_freed_last_is_used_next() -> None:
    """Its pages are the likeliest to be touched and cached."""
    allocator = Allocator(1 << 16)
    offsets = [allocator.take(256) for _ in range(9)]
    for index in (1, 5, 3):
        allocator.give_back(offsets[index])
    assert [allocator.take(256) for _ in range(3)] == [offsets[3], offsets[5], offsets[1]]


def test_the_smallest_sufficient_hole_is_taken() -> None:
    allocator = Allocator(1 << 16)
    sizes = [1024, 64, 512, 64, 2048, 64]
    offsets = [allocator.take(size) for size in sizes]
    for index in (0, 2, 4):
        allocator.give_back(offsets[index])
    assert allocator.take(300) == offsets[2]


def test_what_never_fits_is_refused() -> None:
    assert Allocator(4096).take(4097) is None


@pytest.fixture
def arena() -> Arena:
    return Arena.create(8 << 20)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_parts_follow_each_other(parts: list[bytes]) -> None:
    arena = Arena.create(1 << 16)
    store, access = ArenaStore(arena), ArenaAccess(arena)
    whole = b"".join(parts)
    handle = store.create(len(whole))
    assert handle is not None
    access.write(handle, parts)
    assert bytes(access.view(handle, len(whole), lambda: None)) == whole
    assert store.read_chunk(handle, 0, len(whole)) == whole
    arena.close()


def test_large_parts_and_arrays_of_any_shape_are_copied_as_their_bytes(arena: Arena) -> None:
    store, access = ArenaStore(arena), ArenaAccess(arena)
    array = np.arange(600_000, dtype=np.float64).reshape(600, 1000)
    handle = store.create(array.nbytes + 3)
    assert handle is not None
    for _ in range(2):  # The second time the pages are touched, and another way is taken.
        access.write(handle, [b"abc", memoryview(array)])
        view = access.view(handle, array.nbytes + 3, lambda: None)
        assert bytes(view[:3]) == b"abc"
        assert bytes(view[3:]) == array.tobytes()


def test_another_mapping_sees_what_was_written(arena: Arena) -> None:
    other = Arena(os.dup(arena.fd), arena.capacity)
    handle = ArenaStore(arena).create(5)
    assert handle is not None
    ArenaAccess(other).write(handle, [b"hello"])
    assert bytes(ArenaAccess(arena).view(handle, 5, lambda: None)) == b"hello"


def test_chunks_make_up_an_object(arena: Arena) -> None:
    store = ArenaStore(arena)
    handle = store.create(10)
    assert handle is not None
    store.write_chunk(handle, 5, b"world", 5)
    store.write_chunk(handle, 0, b"hello", 5)
    assert store.read_chunk(handle, 3, 4) == b"lowo"
    assert store.used() == 64
    store.delete(handle)
    assert store.used() == 0


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1000, 99_999, 1 << 20, (1 << 20) + 1])
def test_a_view_has_its_size_and_cannot_be_written(arena: Arena, size: int) -> None:
    handle = ArenaStore(arena).create(size)
    assert handle is not None
    view = ArenaAccess(arena).view(handle, size, lambda: None)
    assert view.nbytes == size
    assert view.readonly
    with pytest.raises(ValueError, match="read-only"):
        np.frombuffer(view, dtype=np.uint8)[:] = 1


def test_a_view_at_the_very_end_of_the_arena(arena: Arena) -> None:
    """Its ctypes type is of a size class and reaches beyond the place, never beyond the mapping."""
    view = ArenaAccess(arena).view(arena.capacity - 64, 33, lambda: None)
    assert view.nbytes == 33


def test_a_pin_is_released_when_the_last_thing_made_of_the_view_is_gone(arena: Arena) -> None:
    released: list[str] = []
    access = ArenaAccess(arena)
    view = access.view(0, 800, lambda: released.append("once"))
    array = np.frombuffer(view, dtype=np.float64)
    part = array[10:20]
    del view, array
    gc.collect()
    assert released == []
    del part
    assert released == ["once"]


def test_a_pin_is_released_from_whichever_thread_lets_go(arena: Arena) -> None:
    released: list[int] = []
    access = ArenaAccess(arena)
    held = [access.view(0, 8, lambda: released.append(threading.get_ident()))]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert released == [thread.ident]


def test_views_outlive_the_arena_of_their_process(arena: Arena) -> None:
    """`shutdown` must not take an array away from the program."""
    access = ArenaAccess(arena)
    access.write(0, [b"still here"])
    view = access.view(0, 10, lambda: None)
    arena.close()
    assert bytes(view) == b"still here"


def test_a_store_that_a_fault_has_full_takes_what_is_left_to_it() -> None:
    arena = Arena.create(1 << 20)
    store = ArenaStore(arena)
    store.create(1000)
    store.limit = 2 * 1024
    assert store.create(1025) is None
    assert store.create(512) is not None
    arena.close()
