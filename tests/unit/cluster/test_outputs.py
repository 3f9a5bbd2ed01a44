"""Where what a worker prints goes, when its node has ended before it."""

from pathlib import Path

import pytest

from raysim.config import Config
from raysim_cluster.rotated import RotatedFile


def test_a_worker_does_not_bring_back_the_folder_of_a_node_that_has_ended(tmp_path: Path) -> None:
    """The node's supervisor may be done with it before the last worker that was forked has begun."""
    folder = tmp_path / "raysim-session"
    file = RotatedFile(folder / "node-1" / "worker-1.out", Config())
    with pytest.raises(FileNotFoundError):
        file.write(b"late")
    assert not folder.exists()
    folder.mkdir()
    file.write(b"in time")
    assert (folder / "node-1" / "worker-1.out").read_text() == "in time"
