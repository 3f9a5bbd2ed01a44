"""What is left of the files of workers that have ended."""

from pathlib import Path

import pytest

from raysim.spec.ids import NodeId
from raysim_cluster import files_of_workers
from raysim_cluster.files_of_workers import PastOutputs, worker_log, worker_logs

NODE = NodeId(b"n" * 28)


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PastOutputs:
    monkeypatch.setattr(files_of_workers, "TOGETHER", 2)
    monkeypatch.setattr(files_of_workers, "KEPT", 3)
    return PastOutputs(str(tmp_path), NODE)


def printed(folder: Path, pid: int, out: str, err: str = "") -> None:
    for suffix, text in (("out", out), ("err", err)):
        path = worker_log(folder, NODE.hex(), f"{pid:056x}", pid, suffix)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def there(folder: Path) -> list[str]:
    """Pids and suffixes."""
    return sorted(
        path.name.rpartition("-")[2] for path in worker_logs(folder, NODE.hex()).iterdir()
    )


def test_files_in_which_nothing_is_go_with_their_worker(past: PastOutputs, tmp_path: Path) -> None:
    printed(tmp_path, 11, "")
    printed(tmp_path, 12, "something")
    printed(tmp_path, 112, "")  # It lives.
    past.add(11)
    past.add(12)
    assert there(tmp_path) == ["112.err", "112.out", "12.out"]


def test_of_what_was_printed_the_latest_is_kept(past: PastOutputs, tmp_path: Path) -> None:
    printed(tmp_path, 1, "of one that lives")
    for pid in range(11, 17):
        printed(tmp_path, pid, "something")
        past.add(pid)
    assert there(tmp_path) == ["1.err", "1.out", "14.out", "15.out", "16.out"]


def test_what_was_rotated_goes_with_its_file(past: PastOutputs, tmp_path: Path) -> None:
    folder = worker_logs(tmp_path, NODE.hex())
    for pid in range(11, 17):
        printed(tmp_path, pid, "")
        path = worker_log(tmp_path, NODE.hex(), f"{pid:056x}", pid, "out")
        path.with_name(f"{path.name}.0-9").write_text("something")
        past.add(pid)
    left = sorted(path.name.partition("-")[2][54:] for path in folder.iterdir())
    assert left == [f"{pid:02x}-{pid}.out{more}" for pid in (14, 15, 16) for more in ("", ".0-9")]


def test_workers_that_opened_no_file_leave_none(past: PastOutputs, tmp_path: Path) -> None:
    past.add(11)
    past.add(12)
    assert list(tmp_path.iterdir()) == []
