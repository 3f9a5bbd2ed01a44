"""A job's log: parts of one size, of which the latest two stay."""

from pathlib import Path

from raysim.jobs.log import LogWriter, delete_log, parts, read_log


def written(folder: Path, *prints: bytes) -> None:
    log = LogWriter(folder, "job", part_bytes=4)
    for data in prints:
        log.write(data)
    log.close()


def test_what_is_printed_is_read_from_any_byte_on(tmp_path: Path) -> None:
    written(tmp_path, b"ab", b"cdefg")
    assert read_log(tmp_path, "job", 0, part_bytes=4) == (b"abcdefg", 7)
    assert read_log(tmp_path, "job", 3, part_bytes=4) == (b"defg", 7)
    assert read_log(tmp_path, "job", 5, part_bytes=4) == (b"fg", 7)
    assert read_log(tmp_path, "job", 7, part_bytes=4) == (b"", 7)


def test_the_oldest_makes_room_and_offsets_stay_what_they_were(tmp_path: Path) -> None:
    written(tmp_path, b"0123456789ab")
    assert [number for number, _ in parts(tmp_path, "job")] == [1, 2]
    assert read_log(tmp_path, "job", 0, part_bytes=4) == (b"456789ab", 12)
    assert read_log(tmp_path, "job", 9, part_bytes=4) == (b"9ab", 12)


def test_a_part_that_is_full_begins_no_next_one_before_there_is_something_for_it(
    tmp_path: Path,
) -> None:
    written(tmp_path, b"0123")
    assert [number for number, _ in parts(tmp_path, "job")] == [0]


def test_a_reader_takes_no_more_than_it_asked_for_and_goes_on_there(tmp_path: Path) -> None:
    written(tmp_path, b"0123456")
    first, offset = read_log(tmp_path, "job", 0, most=5, part_bytes=4)
    assert (first, offset) == (b"01234", 5)
    assert read_log(tmp_path, "job", offset, most=5, part_bytes=4) == (b"56", 7)


def test_a_log_is_deleted_and_none_beside_it(tmp_path: Path) -> None:
    written(tmp_path, b"0123456")
    LogWriter(tmp_path, "job-2").close()
    delete_log(tmp_path, "job")
    assert [path.name for path in tmp_path.iterdir()] == ["job-driver-job-2-00000.log"]
    assert read_log(tmp_path, "job", 0) == (b"", 0)
