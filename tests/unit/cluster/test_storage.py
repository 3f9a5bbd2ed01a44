"""The GCS's tables, in SQLite and in Redis: batches, and what a new process finds."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from raysim_cluster.heads import head_place
from raysim_cluster.redis_place import RedisPlace
from raysim_cluster.redis_store import RedisControlStore
from raysim_cluster.storage import BatchedStore, SqliteControlStore

KILLED = """
import os, signal, sys
from pathlib import Path
import msgspec
from raysim_cluster.redis_place import RedisPlace
from raysim_cluster.redis_store import RedisControlStore
from raysim_cluster.storage import SqliteControlStore
place = sys.argv[1]
if place.startswith("{{"):
    session_id = sys.argv[2]
    store = RedisControlStore(msgspec.json.decode(place, type=RedisPlace), session_id)
else:
    store = SqliteControlStore(Path(place))
{work}
os.kill(os.getpid(), signal.SIGKILL)
"""


class Place:
    """Where tables are, for one head after the other."""

    def __init__(self, arguments: list[str], open_store: Callable[[], BatchedStore]) -> None:
        self.arguments = arguments
        self.open = open_store

    def left_by(self, work: str) -> BatchedStore:
        """The tables after a process that did this with them was killed."""
        program = [sys.executable, "-c", KILLED.format(work=work), *self.arguments]
        done = subprocess.run(program)
        assert done.returncode == -9
        return self.open()


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        path = tmp_path / "gcs.sqlite"
        return Place([str(path)], lambda: SqliteControlStore(path))
    head = head_place(request.getfixturevalue("redis_server").address, "127.0.0.1", 6379)
    storage, session_id = head.storage, head.session_id
    assert isinstance(storage, RedisPlace)
    return Place(
        [msgspec.json.encode(storage).decode(), session_id],
        lambda: RedisControlStore(storage, session_id),
    )


def test_committed_batches_are_found_by_the_next_process(place: Place) -> None:
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
    store = place.left_by(work)
    assert store.load("jobs") == {b"1": b"uno", b"3": b"three"}
    assert store.load("actors") == {b"1": b"other"}
    store.close()


def test_what_was_not_committed_is_not_there(place: Place) -> None:
    store = place.left_by('store.put("jobs", b"1", b"one")')
    assert store.load("jobs") == {}
    store.close()


def test_a_commit_that_breaks_leaves_nothing_of_its_batch(place: Place) -> None:
    work = """
store.put("jobs", b"1", b"one")
store.commit()
store.breaks = True
store.put("jobs", b"1", b"uno")
store.put("actors", b"1", b"other")
store.commit()
"""
    store = place.left_by(work)
    assert store.load("jobs") == {b"1": b"one"}
    assert store.load("actors") == {}
    store.close()


def test_the_last_word_on_a_key_in_a_batch_counts(place: Place) -> None:
    store = place.open()
    store.put("jobs", b"1", b"one")
    store.delete("jobs", b"1")
    store.delete("jobs", b"2")
    store.put("jobs", b"2", b"two")
    store.commit()
    assert store.load("jobs") == {b"2": b"two"}
    store.close()


def test_keys_and_rows_are_any_bytes(place: Place) -> None:
    row = bytes(range(256)) * 4096
    store = place.open()
    store.put("packages", b"\r\n\x00\xff", row)
    store.put("packages", b"empty", b"")
    store.commit()
    store.close()
    again = place.open()
    assert again.load("packages") == {b"\r\n\x00\xff": row, b"empty": b""}
    again.close()
