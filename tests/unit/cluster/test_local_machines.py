"""Nodes as processes beside the head: what a GCS that was killed has begun, the next one knows of."""

import subprocess
import sys
from pathlib import Path

import pytest

from raysim.spec.autoscaling import NodeType
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.resources import fixed
from raysim_cluster.growth import local
from raysim_cluster.growth.local import LocalNodes
from raysim_cluster.session import Session

KIND = NodeType("wide", fixed({"CPU": 2}))
NODE = NodeId(bytes(range(UNIQUE_ID_BYTES)))


class KilledError(Exception):
    """The GCS ends here."""


def nodes(folder: Path) -> LocalNodes:
    return LocalNodes("127.0.0.1:1", str(folder), Session("session", b"token", "127.0.0.1", None))


def test_a_machine_whose_process_began_when_the_gcs_was_killed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    def begin(self: LocalNodes, node_id: NodeId, kind: NodeType) -> subprocess.Popen[bytes]:
        waits = "import sys; print(flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-c", waits, node_id.hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        begun.append(process)
        assert process.stdout is not None
        process.stdout.readline()  # For a moment its arguments are nobody's yet.
        raise KilledError

    monkeypatch.setattr(local.LocalNodes, "_begin", begin)
    with pytest.raises(KilledError):
        nodes(tmp_path).start(NODE, KIND)
    (process,) = begun
    assert nodes(tmp_path).living() == {NODE: "wide"}
    process.communicate(b"")
    assert nodes(tmp_path).living() == {}
    assert not list(tmp_path.rglob("*.json"))


def test_one_that_never_began_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(self: LocalNodes, node_id: NodeId, kind: NodeType) -> subprocess.Popen[bytes]:
        assert self.living() == {NODE: "wide"}
        raise KilledError

    monkeypatch.setattr(local.LocalNodes, "_begin", begin)
    with pytest.raises(KilledError):
        nodes(tmp_path).start(NODE, KIND)
    assert nodes(tmp_path).living() == {}
