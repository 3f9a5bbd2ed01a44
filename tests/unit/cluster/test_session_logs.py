"""Which log files belong to a node, where nodes of a session share a machine."""

from pathlib import Path

import pytest

from raysim_cluster.logs import SessionLogs
from raysim_cluster.outputs import worker_log

HEAD, JOINED, ALIEN = "aa" * 28, "bb" * 28, "cc" * 28
WORKER = "dd" * 28


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Of a head, of a node that joined it, and of another session."""
    nodes = {
        "raysim-0123": HEAD,
        f"raysim-0123-{JOINED[:12]}": JOINED,
        f"raysim-01234-{ALIEN[:12]}": ALIEN,
    }
    for name, node_id in nodes.items():
        file = worker_log(tmp_path / name, node_id, WORKER, 7, "out")
        file.parent.mkdir(parents=True)
        file.write_text(f"of {node_id[:2]}\n")
    return [tmp_path / name for name in nodes]


def test_nodes_of_a_session_read_each_other_s_files(folders: list[Path]) -> None:
    head, joined, _ = folders
    for own in (head, joined):
        logs = SessionLogs(own)
        for node_id in (HEAD, JOINED):
            name = logs.of_worker(node_id, WORKER, 7, "out")
            assert logs.names(node_id) == [name]
            assert logs.read(node_id, name, 3) == f"{node_id[:2]}\n".encode()


def test_another_session_s_files_are_not_read(folders: list[Path]) -> None:
    logs = SessionLogs(folders[0])
    assert logs.names(ALIEN) == []
    with pytest.raises(FileNotFoundError, match="has printed nothing"):
        logs.of_worker(ALIEN, WORKER, 7, "out")
    with pytest.raises(FileNotFoundError, match="no log file"):
        logs.read(ALIEN, "node-cccccccccccc/worker-x.out", 0)
