"""Logs in files of bounded size: what is kept, and what a reader gets while they are rotated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raysim.config import Config
from raysim.spec.log import LogPart
from raysim_cluster import rotated
from raysim_cluster.rotated import RotatedFile, parts, read


def bound(most: int, kept: int = 2) -> Config:
    return Config(rotation_max_bytes=most, rotation_backup_count=kept)


def read_all(path: Path, offset: int = 0) -> tuple[bytes, int]:
    data = b""
    while True:
        part = read(path, offset, 4096)
        offset = part.end
        if not part.data:
            return data, offset
        data += part.data


def lines(first: int, last: int) -> bytes:
    return b"".join(b"line %05d\n" % number for number in range(first, last))


def on_disk(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


def test_what_is_on_disk_is_bounded_and_the_latest_of_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "worker.out"
    file = RotatedFile(path, bound(1100))
    for number in range(1000):
        file.write(lines(number, number + 1))
    assert len(parts(path)) == 2
    assert on_disk(path) <= 3 * (1100 + 11)
    assert read_all(path) == (lines(800, 1000), 11_000)
    last = LogPart(lines(999, 1000), 10_989, 11_000)
    assert read(path, 10_989, 4096) == read(path, -11, 4096) == last
    assert read(path, 11_000, 4096) == LogPart(b"", 11_000, 11_000)
    assert read(path, 0, 22) == LogPart(lines(800, 802), 8_800, 11_000)


def test_an_offset_means_the_same_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "worker.out"
    file = RotatedFile(path, bound(1100, kept=100))
    offset = 0
    for number in range(0, 1000, 7):
        file.write(lines(number, number + 7))
        data, offset = read_all(path, offset)
        assert data == lines(number, number + 7)


def test_a_reader_that_follows_loses_no_line(tmp_path: Path) -> None:
    """It looks again and again while another process writes and rotates."""
    path = tmp_path / "worker.out"
    program = """
import sys
from pathlib import Path
from raysim.config import Config
from raysim_cluster.rotated import RotatedFile
file = RotatedFile(Path(sys.argv[1]), Config(rotation_max_bytes=1000, rotation_backup_count=1000))
for number in range(20_000):
    file.write(b"line %05d\\n" % number)
"""
    RotatedFile(path, bound(1000)).open()
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
    data, offset = b"", 0
    while writer.poll() is None:
        added, offset = read_all(path, offset)
        data += added
    assert writer.returncode == 0
    data += read_all(path, offset)[0]
    assert data == lines(0, 20_000)


def test_what_is_written_to_the_descriptor_counts_as_well(tmp_path: Path) -> None:
    """As C libraries do, and processes that a task starts."""
    path = tmp_path / "worker.err"
    descriptor = os.open(os.devnull, os.O_WRONLY)
    file = RotatedFile(path, bound(100, kept=5), (descriptor,))
    file.open()
    for number in range(30):
        os.write(descriptor, lines(number, number + 1))
        file.look()
    os.close(descriptor)
    assert len(parts(path)) == 3
    assert read_all(path)[0] == lines(0, 30)


def test_a_fork_goes_on_in_the_file_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "worker.out"
    file = RotatedFile(path, bound(100, kept=5))
    file.write(lines(0, 1))
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(told, 1)
        file.write(lines(10, 30))
        os._exit(0)
    file.write(lines(1, 10))
    assert len(parts(path)) == 1
    os.write(tell, b"\n")
    assert os.waitpid(child, 0)[1] == 0
    assert len(parts(path)) == 1  # Who has forked rotates.
    file.write(lines(30, 31))
    assert read_all(path)[0] == lines(0, 31)
    os.close(told)
    os.close(tell)


def test_the_next_process_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "gcs.log"
    for number in range(0, 40, 4):
        RotatedFile(path, bound(100, kept=50)).write(lines(number, number + 4))
    assert read_all(path) == (lines(0, 40), 440)


@pytest.mark.parametrize("step", ["link", "rename"])
def test_one_that_is_killed_while_it_rotates_leaves_what_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "gcs.log"
    monkeypatch.setattr(rotated, "_TRIES", 2)

    class KilledError(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "link") if step == "link" else (Path, "rename")), killed)
        file = RotatedFile(path, bound(100))
        with pytest.raises(KilledError):
            file.write(lines(0, 10))
    RotatedFile(path, bound(100)).write(lines(10, 12))
    assert read_all(path)[0] == lines(0, 12)


def test_nothing_is_rotated_where_files_have_no_bound(tmp_path: Path) -> None:
    path = tmp_path / "worker.out"
    file = RotatedFile(path, bound(0))
    file.write(lines(0, 1000))
    assert parts(path) == []


def test_a_process_rotates_its_own_log(tmp_path: Path) -> None:
    path = tmp_path / "gcs.log"
    program = """
import logging, sys
from pathlib import Path
from raysim.config import Config
from raysim_cluster.rotated import log_to
log_to(Path(sys.argv[1]), Config(rotation_max_bytes=1000, rotation_backup_count=2))
for number in range(200):
    logging.getLogger("gcs").warning("message %d", number)
print("the end", flush=True)
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert len(parts(path)) == 2
    assert on_disk(path) < 3 * 1200
    data = read_all(path)[0].decode()
    assert "WARNING gcs: message 199" in data
    assert data.endswith("the end\n")
    assert "message 0\n" not in data


def test_a_log_that_cannot_be_rotated_goes_on(tmp_path: Path) -> None:
    """The disk is full, say."""
    path = tmp_path / "gcs.log"
    program = """
import logging, os, sys
from pathlib import Path
from raysim.config import Config
from raysim_cluster.rotated import log_to
log_to(Path(sys.argv[1]), Config(rotation_max_bytes=100))
def full(*_): raise OSError("no space left")
os.link = full
for number in range(20):
    logging.getLogger("gcs").warning("message %d", number)
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert "no space left" in path.read_text()
