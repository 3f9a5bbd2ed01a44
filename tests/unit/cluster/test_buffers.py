"""Memory of one writer and one reader: what is looked at stays, what is not is used again."""

import os
from collections.abc import Iterator

import pytest

from raysim_cluster.buffers import CAPACITY, VIEWED, BufferReader, BufferWriter

MANY = 2000
"""More than can be in use at once."""


@pytest.fixture
def writer() -> Iterator[BufferWriter]:
    writer = BufferWriter()
    yield writer
    writer.close()


@pytest.fixture
def reader(writer: BufferWriter) -> Iterator[BufferReader]:
    reader = BufferReader.at(writer.place)
    yield reader
    reader.close()


def put(writer: BufferWriter, number: int, size: int) -> int:
    return writer.put([bytes([number % 251]) * size], size)


def test_place_is_used_again_once_its_value_was_taken(
    writer: BufferWriter, reader: BufferReader
) -> None:
    """It is the one that the caches know."""
    at = put(writer, 1, 5000)
    assert reader.take(at, 5000) == b"\1" * 5000
    assert put(writer, 2, 5000) == at


def test_large_value_is_looked_at_where_it_lies(writer: BufferWriter, reader: BufferReader) -> None:
    first = put(writer, 1, VIEWED)
    view = memoryview(reader.take(first, VIEWED))
    assert view.readonly
    assert put(writer, 2, VIEWED) != first
    part = view[10:20]
    del view
    assert put(writer, 3, VIEWED) != first
    assert part == b"\1" * 10
    del part
    assert put(writer, 4, VIEWED) == first


def test_places_come_back_in_any_order(writer: BufferWriter, reader: BufferReader) -> None:
    places = [put(writer, number, VIEWED) for number in range(6)]
    views = {number: reader.take(at, VIEWED) for number, at in enumerate(places)}
    for number in (3, 0, 5):
        del views[number]
    again = [put(writer, number, VIEWED) for number in (7, 8, 9)]
    assert sorted(again) == sorted(places[number] for number in (3, 0, 5))
    assert all(view == bytes([number]) * VIEWED for number, view in views.items())


def test_reader_that_keeps_what_it_reads_leaves_the_writer_room(
    writer: BufferWriter, reader: BufferReader
) -> None:
    size = CAPACITY // 10
    kept = []
    for number in range(30):
        at = put(writer, number, size)
        assert at >= 0
        kept.append(reader.take(at, size))
    assert all(value == bytes([number]) * size for number, value in enumerate(kept))


def test_more_values_than_the_log_has_room_for_are_refused(
    writer: BufferWriter, reader: BufferReader
) -> None:
    places = [put(writer, number, 64) for number in range(MANY)]
    there = places.index(-1)
    assert places[there:] == [-1] * (MANY - there)
    for number in range(there):
        assert reader.take(places[number], 64) == bytes([number % 251]) * 64
    assert put(writer, 0, 64) >= 0


def test_place_that_the_reader_was_not_told_of_is_free(writer: BufferWriter) -> None:
    at = put(writer, 1, CAPACITY)
    assert put(writer, 2, 64) == -1
    writer.take_back(at)
    assert put(writer, 3, CAPACITY) == at


def test_view_outlives_both_sides() -> None:
    writer = BufferWriter()
    reader = BufferReader.at(writer.place)
    view = reader.take(put(writer, 7, VIEWED), VIEWED)
    reader.close()
    writer.close()
    assert view == b"\7" * VIEWED
    del view


def test_both_sides_leave_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    writer = BufferWriter()
    reader = BufferReader.at(writer.place)
    reader.take(put(writer, 7, VIEWED), VIEWED)
    reader.close()
    writer.close()
    assert len(os.listdir("/proc/self/fd")) == before
