"""Where sessions keep their folders."""

from pathlib import Path

import pytest

from raysim_cluster.disk import temporary_folder


def test_choosing_the_folder_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A driver that is killed at that moment must leave nothing; `tempfile` tries a folder with a file."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = tmp_path.stat().st_mtime_ns
    assert temporary_folder() == tmp_path
    assert tmp_path.stat().st_mtime_ns == before
