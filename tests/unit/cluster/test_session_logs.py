"""Which files of a session's folder are a node's logs, and that nothing else is ever shown as one."""

import os
from pathlib import Path

import pytest

from raysim_cluster.files_of_workers import worker_log
from raysim_cluster.logs import FilesOfNode, SessionLogs

HEAD, JOINED, ALIEN = "aa" * 28, "bb" * 28, "cc" * 28
WORKER = "dd" * 28
MUCH = 1 << 20


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
            [name] = logs.names(node_id)
            part = logs.read(node_id, name, 3, MUCH)
            assert part == (f"{node_id[:2]}\n".encode(), 3, 6)


def test_another_session_s_files_are_not_read(folders: list[Path]) -> None:
    logs = SessionLogs(folders[0])
    assert logs.names(ALIEN) == []
    assert logs.read(ALIEN, f"node-{ALIEN[:12]}/worker-{WORKER}-7.out", 0, MUCH) is None


@pytest.fixture
def head(folders: list[Path]) -> FilesOfNode:
    """With files of all kinds."""
    folder = folders[0]
    for name in (
        *(f"node-{HEAD[:12]}.log", "gcs.log", f"metrics/{JOINED[:12]}.log", "gcs.sqlite"),
        *(f"node-{JOINED[:12]}.log", f"node-{JOINED[:12]}/worker-1.out"),
        *(f"envs-{HEAD[:12]}/package/secrets.log", "deeper/metrics/x.log"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return FilesOfNode(folder, HEAD, is_head=True)


def test_the_head_has_what_is_of_no_node(head: FilesOfNode, folders: list[Path]) -> None:
    own = [f"node-{HEAD[:12]}.log", f"node-{HEAD[:12]}/worker-{WORKER}-7.out"]
    assert head.names() == ["gcs.log", f"metrics/{JOINED[:12]}.log", *own]
    assert FilesOfNode(folders[0], HEAD).names() == own


@pytest.mark.parametrize(
    "name",
    [
        *("../raysim-0123/gcs.log", "/etc/passwd", f"node-{HEAD[:12]}/../gcs.log", "gcs.sqlite"),
        *(f"node-{JOINED[:12]}.log", f"node-{JOINED[:12]}/worker-1.out", "", ".", "..", "none.log"),
        *(f"envs-{HEAD[:12]}/package/secrets.log", f"node-{HEAD[:12]}", "gcs.log\0x"),
    ],
)
def test_what_is_not_its_log_is_not_read(head: FilesOfNode, name: str) -> None:
    assert head.read(name, 0, MUCH) is None


def test_a_link_leads_nowhere_else(head: FilesOfNode, folders: list[Path], tmp_path: Path) -> None:
    secret = tmp_path / "secret.log"
    secret.write_text("secret")
    place = folders[0] / f"node-{HEAD[:12]}"
    (place / "link.log").symlink_to(secret)
    (place / "more.log").symlink_to(place / f"worker-{WORKER}-7.out")
    os.mkfifo(place / "pipe.log")
    assert head.read(f"node-{HEAD[:12]}/link.log", 0, MUCH) is None
    assert head.read(f"node-{HEAD[:12]}/pipe.log", 0, MUCH) is None
    assert head.read(f"node-{HEAD[:12]}/more.log", 0, MUCH) is not None


def test_any_bytes_come_as_they_are_in_parts(folders: list[Path]) -> None:
    content = bytes(range(256)) * 3
    name = f"node-{HEAD[:12]}/worker-{WORKER}-7.out"
    (folders[0] / name).write_bytes(content)
    logs = FilesOfNode(folders[0], HEAD)
    found, offset = b"", 0
    while part := logs.read(name, offset, 100):
        found += part.data
        offset = part.end
        if not part.data:
            break
    assert found == content
    assert logs.read(name, -10, 4) == (content[-10:-6], len(content) - 10, len(content))
