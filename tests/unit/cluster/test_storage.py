"""The GCS's tables on disk: batches, and what a new process finds."""

from pathlib import Path

from raysim_cluster.storage import SqliteControlStore


def test_a_committed_batch_is_found_by_the_next_process(tmp_path: Path) -> None:
    store = SqliteControlStore(tmp_path / "gcs.sqlite")
    store.put("jobs", b"1", b"one")
    store.put("jobs", b"2", b"two")
    store.put("actors", b"1", b"other")
    store.commit()
    store.put("jobs", b"1", b"uno")
    store.delete("jobs", b"2")
    store.commit()
    again = SqliteControlStore(tmp_path / "gcs.sqlite")
    assert again.load("jobs") == {b"1": b"uno"}
    assert again.load("actors") == {b"1": b"other"}
    again.close()
    store.close()


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    store = SqliteControlStore(tmp_path / "gcs.sqlite")
    store.put("jobs", b"1", b"one")
    again = SqliteControlStore(tmp_path / "gcs.sqlite")
    assert again.load("jobs") == {}
    again.close()
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
