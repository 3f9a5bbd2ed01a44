"""The GCS's tables on disk: batches, and what a new process finds."""

import subprocess
import sys
from pathlib import Path

from raysim_cluster.storage import SqliteControlStore

KILLED = """
import os, signal, sys
from pathlib import Path
from raysim_cluster.storage import SqliteControlStore
store = SqliteControlStore(Path(sys.argv[1]))
{work}
os.kill(os.getpid(), signal.SIGKILL)
"""


def left_by(path: Path, work: str) -> SqliteControlStore:
    """The tables after a process that did this with them was killed."""
    done = subprocess.run([sys.executable, "-c", KILLED.format(work=work), str(path)])
    assert done.returncode == -9
    return SqliteControlStore(path)


def test_committed_batches_are_found_by_the_next_process(tmp_path: Path) -> None:
    work = """
store.put("jobs", b"1", b"one")
store.put("jobs", b"2", b"two")
store.put("actors", b"1", b"other")
store.commit()
store.put("jobs", b"1", b"uno")
store.delete("jobs", b"2")
store.commit()
store.put("jobs", b"3", b"three")
store.commit()
"""
    store = left_by(tmp_path / "gcs.sqlite", work)
    assert store.load("jobs") == {b"1": b"uno", b"3": b"three"}
    assert store.load("actors") == {b"1": b"other"}
    store.close()


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    store = left_by(tmp_path / "gcs.sqlite", 'store.put("jobs", b"1", b"one")')
    assert store.load("jobs") == {}
    store.close()


def test_the_last_word_on_a_key_in_a_batch_counts(tmp_path: Path) -> None:
    store = SqliteControlStore(tmp_path / "gcs.sqlite")
    store.put("jobs", b"1", b"one")
    store.delete("jobs", b"1")
    store.delete("jobs", b"2")
    store.put("jobs", b"2", b"two")
    store.commit()
    assert store.load("jobs") == {b"2": b"two"}
    store.close()
