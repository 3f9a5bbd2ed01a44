"""A node's spilled files: real ones, with threads, and no loop but the test's."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import pytest

from raysim.protocol.disk import PartsRead, Written
from raysim_cluster import disk as disk_module
from raysim_cluster.arena import Arena, ArenaStore
from raysim_cluster.disk import NodeDisk, make_folders, remove_folders
from raysim_cluster.poller import Poller

LIMIT_NS = 60_000_000_000


class Rig:
    def __init__(self, directories: list[str], threads: int = 2) -> None:
        self.arena = Arena.create(1 << 20)
        self.store = ArenaStore(self.arena)
        self.poller = Poller()
        self.disk = NodeDisk(self.arena, self.poller, directories, threads)

    def place(self, data: bytes) -> tuple[int, int]:
        handle = self.store.create(len(data))
        assert handle is not None
        self.store.write_chunk(handle, 0, data, len(data))
        return handle, len(data)

    def until(self, answers: list[Any], count: int = 1) -> Any:
        while len(answers) < count:
            self.poller.handle(self.poller.wait(LIMIT_NS))
        return answers[-1]

    def write(self, file: int, *pieces: bytes, part_bytes: int = 1000) -> Written:
        answers: list[Written] = []
        places = [self.place(piece) for piece in pieces]
        self.disk.write(file, places, part_bytes, answers.append)
        assert answers == [], "never from inside the call"
        written: Written = self.until(answers)
        return written

    def read(self, file: int, position: int, size: int, part_bytes: int = 1000) -> PartsRead:
        answers: list[PartsRead] = []
        self.disk.read(file, position, size, part_bytes, answers.append)
        read: PartsRead = self.until(answers)
        return read

    def close(self) -> None:
        self.disk.close()
        self.arena.close()
        self.poller.close()


@pytest.fixture
def make() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def new(*args: Any) -> Rig:
        rigs.append(Rig(*args))
        return rigs[-1]

    yield new
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make: Callable[..., Rig], tmp_path: Path) -> Rig:
    return make([str(tmp_path)])


def test_what_was_written_is_read_back_with_the_same_checksums(rig: Rig) -> None:
    one, two = os.urandom(2500), os.urandom(700)
    written = rig.write(1, one, two)
    assert written.checksums == [
        [crc32(one[:1000]), crc32(one[1000:2000]), crc32(one[2000:])],
        [crc32(two)],
    ]
    assert rig.read(1, 0, 2500) == PartsRead(written.checksums[0], one)
    assert rig.read(1, 2500, 700) == PartsRead(written.checksums[1], two)
    assert rig.read(1, 1000, 1000).data == one[1000:2000]


def test_an_object_is_read_into_its_place(rig: Rig) -> None:
    data = os.urandom(2500)
    written = rig.write(1, b"x" * 64, data)
    handle, size = rig.place(bytes(2500))
    answers: list[PartsRead] = []
    rig.disk.fill(1, 64, (handle, size), 1000, answers.append)
    assert rig.until(answers) == PartsRead(written.checksums[1])
    assert bytes(rig.store.read_chunk(handle, 0, size)) == data


def test_a_file_has_no_name(rig: Rig, tmp_path: Path) -> None:
    """So that nothing is left, whatever ends the process."""
    rig.write(1, b"abc")
    assert list(tmp_path.iterdir()) == []


def test_nor_has_one_where_the_file_system_has_no_nameless_ones(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = os.open

    def refuses(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return opens(path, flags, *rest)

    monkeypatch.setattr(disk_module.os, "open", refuses)
    rig.write(1, b"abc")
    assert rig.read(1, 0, 3).data == b"abc"
    assert list(tmp_path.iterdir()) == []


def test_a_changed_byte_shows_in_the_checksum(rig: Rig) -> None:
    written = rig.write(1, b"a" * 100)
    fd = os.open(f"/proc/self/fd/{rig.disk._files[1]}", os.O_WRONLY)
    os.pwrite(fd, b"b", 50)
    os.close(fd)
    assert rig.read(1, 0, 100).checksums != written.checksums[0]


def test_a_file_that_was_cut_cannot_be_read(rig: Rig) -> None:
    rig.write(1, b"a" * 100)
    os.ftruncate(rig.disk._files[1], 40)
    assert rig.read(1, 0, 100).problem == "the file ends at byte 40"


def test_folders_are_taken_in_turn_and_one_that_fails_is_passed_over(
    make: Callable[..., Rig], tmp_path: Path
) -> None:
    good, gone = tmp_path / "good", tmp_path / "gone"
    good.mkdir()
    rig = make([str(gone), str(good)])
    for file in range(4):
        assert rig.write(file, b"abc").problem == ""
    good.rmdir()
    problem = rig.write(5, b"abc").problem
    assert problem.count("No such file or directory") == 2
    assert str(gone) in problem
    assert rig.read(0, 0, 3).data == b"abc"


def test_a_full_disk_is_told_and_leaves_no_file() -> None:
    rig = Rig(["/dev/full"])
    full = os.open("/dev/full", os.O_WRONLY)
    answers: list[Written] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_module, "_create", lambda directory: full)
        rig.disk.write(1, [rig.place(b"abc")], 1000, answers.append)
        written = rig.until(answers)
    assert written.problem == "/dev/full: No space left on device"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(full)
    rig.close()


def test_a_deleted_file_is_closed(rig: Rig, tmp_path: Path) -> None:
    rig.write(1, b"abc")
    assert open_in(tmp_path)
    rig.disk.delete(1)
    while rig.disk._under_way:
        rig.poller.handle(rig.poller.wait(LIMIT_NS))
    assert open_in(tmp_path) == []


def open_in(folder: Path) -> list[str]:
    """What this process has open there."""
    names = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [name for name in names if name.startswith(str(folder))]


def test_many_things_at_once_are_each_answered_once(rig: Rig) -> None:
    data = os.urandom(5000)
    rig.write(1, data)
    answers: list[PartsRead] = []
    for start in range(0, 5000, 100):
        rig.disk.read(1, start, 100, 100, answers.append)
    rig.until(answers, 50)
    assert sorted(read.data for read in answers) == sorted(
        data[start : start + 100] for start in range(0, 5000, 100)
    )


def test_how_full_the_disk_is(rig: Rig, make: Callable[..., Rig], tmp_path: Path) -> None:
    assert 0 < rig.disk.usage() < 1
    assert make([str(tmp_path / "gone")]).disk.usage() == 1


def test_folders_are_made_and_taken_away_again(tmp_path: Path) -> None:
    there, missing = tmp_path, tmp_path / "a" / "b"
    made = make_folders([str(there), str(missing)])
    assert made == [str(missing)]
    remove_folders(made)
    assert not missing.exists()


def test_a_folder_with_something_in_it_stays(tmp_path: Path) -> None:
    made = make_folders([str(tmp_path / "a")])
    (tmp_path / "a" / "theirs").touch()
    remove_folders(made)
    assert (tmp_path / "a" / "theirs").exists()


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"No object can be spilled to .*file/x.*Not a directory"):
        make_folders([str(tmp_path / "file" / "x")])


def test_a_disk_that_a_fault_has_full_takes_nothing_and_keeps_what_it_has(make, tmp_path) -> None:
    rig = make([str(tmp_path)])
    rig.write(1, b"x" * 2000)
    rig.disk.full = True
    assert "No space left" in rig.write(2, b"y").problem
    assert rig.disk.usage() == 1
    assert rig.read(1, 0, 2000).data == b"x" * 2000
    rig.disk.full = False
    assert rig.write(2, b"y").problem == ""


def test_a_file_that_a_fault_spoils_is_gone_or_has_a_wrong_byte(make, tmp_path) -> None:
    rig = make([str(tmp_path)])
    assert rig.disk.spoil(Random(1), lose=True) == ""
    written = rig.write(1, b"x" * 2000)
    assert "of file 1" in rig.disk.spoil(Random(1), lose=False)
    assert list(rig.read(1, 0, 2000).checksums) != list(written.checksums[0])
    assert rig.disk.spoil(Random(1), lose=True) == "file 1"
    assert "the file ends at byte 0" in rig.read(1, 0, 2000).problem
    assert rig.disk.spoil(Random(1), lose=True) == ""


def test_a_disk_that_a_fault_makes_slower_waits_so_much_longer(make, tmp_path, monkeypatch) -> None:
    waited = []
    monkeypatch.setattr(disk_module.time, "sleep", waited.append)
    rig = make([str(tmp_path)])
    rig.write(1, b"x")
    assert waited == []
    rig.disk.factor = 10
    rig.write(2, b"x")
    assert len(waited) == 1
