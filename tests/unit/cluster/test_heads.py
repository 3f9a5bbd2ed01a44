"""What a head leaves for the next one at its address, and what is not believed."""

from pathlib import Path

import pytest

from raysim_cluster import heads
from raysim_cluster.heads import forget_heads, head_place

HOST, PORT = "127.0.0.1", 6379


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(heads, "temporary_folder", lambda: folder)
    return folder


def ran(storage: str = "", port: int = PORT) -> heads.HeadPlace:
    """A head that ran there until now."""
    place = head_place(storage, HOST, port)
    place.settle(f"{HOST}:{port or 4711}")
    return place


def test_the_next_head_at_the_address_of_a_killed_one_takes_its_place() -> None:
    before = ran()
    assert not before.returns
    after = head_place("", HOST, PORT)
    assert (after.returns, after.session_id) == (True, before.session_id)
    assert after.folder == before.folder


def test_one_at_another_address_does_not(temporary: Path) -> None:
    before = ran()
    for host, port in ((HOST, PORT + 1), ("127.0.0.2", PORT), (HOST, 0)):
        after = head_place("", host, port)
        assert not after.returns
        assert after.session_id != before.session_id


def test_one_that_left_in_good_order_leaves_nothing(temporary: Path) -> None:
    ran().leave()
    assert list(temporary.iterdir()) == []
    assert not head_place("", HOST, PORT).returns


def test_one_that_never_ran_is_nobodys_predecessor() -> None:
    head_place("", HOST, PORT)
    assert not head_place("", HOST, PORT).returns


def test_tables_of_another_version_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ran()
    monkeypatch.setattr("raysim.__version__", "99")
    assert not head_place("", HOST, PORT).returns
    assert not before.folder.exists()


def test_what_somebody_else_may_have_put_there_is_not_believed() -> None:
    before = ran()
    before.folder.chmod(0o777)
    assert not head_place("", HOST, PORT).returns


def test_a_folder_that_was_named_stays(tmp_path: Path) -> None:
    before = ran(str(tmp_path / "kept"), port=0)
    before.leave()
    after = head_place(str(tmp_path / "kept"), HOST, 0)
    assert (after.returns, after.session_id, after.port) == (True, before.session_id, 4711)


def test_a_named_folder_is_of_one_address(tmp_path: Path) -> None:
    ran(str(tmp_path / "kept"))
    with pytest.raises(ValueError, match="Start it with --port 6379"):
        head_place(str(tmp_path / "kept"), HOST, PORT + 1)


def test_a_named_folder_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(str(tmp_path / "kept"))
    monkeypatch.setattr("raysim.__version__", "99")
    with pytest.raises(ValueError, match="Use that version"):
        head_place(str(tmp_path / "kept"), HOST, PORT)


def test_killed_heads_can_be_forgotten(tmp_path: Path, temporary: Path) -> None:
    ran()
    ran(str(tmp_path / "kept"))
    forget_heads()
    assert list(temporary.iterdir()) == []
    assert head_place(str(tmp_path / "kept"), HOST, PORT).returns


def test_a_file_is_no_folder_for_tables(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            ValueError, match=r"--storage .*file.* cannot be a folder.*Give a folder"
        ):
            head_place(str(place), HOST, PORT)
