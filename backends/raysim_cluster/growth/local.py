"""Nodes that are processes on the head's machine. Never on another one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from raysim.spec.autoscaling import NodeType
from raysim.spec.ids import NodeId
from raysim.spec.resources import CPU, GPU, MEMORY, OBJECT_STORE_MEMORY, floats
from raysim_cluster.auth_token import VARIABLES as TOKEN
from raysim_cluster.growth.machines import MachineError
from raysim_cluster.session import Session
from raysim_cluster.tls_files import VARIABLES as CERTIFICATES

_FOLDER: Final = "machines"


class LocalNodes:
    """A file for each, named after its node, so that the next life of the GCS finds it."""

    def __init__(self, head: str, folder: str, session: Session) -> None:
        self._head = head
        self._session = session
        self._folder = Path(folder, _FOLDER)
        self._folder.mkdir(exist_ok=True)
        self._mine: dict[NodeId, subprocess.Popen[bytes]] = {}
        self._starting: set[NodeId] = set()
        self._lock = threading.Lock()

    def start(self, node_id: NodeId, kind: NodeType) -> None:
        self._starting.add(node_id)
        # Before the process is: the GCS may be killed when it has just begun, and the next life has to know of it.
        self._write(node_id, 0, kind)
        try:
            process = self._begin(node_id, kind)
        except OSError as error:
            self._starting.remove(node_id)
            raise MachineError(f"its process does not start: {error}") from error
        with self._lock:
            self._mine[node_id] = process
        self._write(node_id, process.pid, kind)
        self._starting.remove(node_id)

    def _begin(self, node_id: NodeId, kind: NodeType) -> subprocess.Popen[bytes]:
        with Path(self._folder, f"{node_id.hex()[:12]}.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "raysim", *start_arguments(self._head, node_id, kind)],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_what_lets_in(self._session)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def end(self, node_id: NodeId) -> None:
        pid = self._pid(node_id)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def living(self) -> dict[NodeId, str]:
        found: dict[NodeId, str] = {}
        for file in self._folder.glob("*.json"):
            node_id = NodeId(bytes.fromhex(file.stem))
            name = json.loads(file.read_text())[1]
            if self._pid(node_id) is not None or node_id in self._starting:
                found[node_id] = name
            else:
                file.unlink(missing_ok=True)
        return found

    def close(self) -> None:
        for node_id in self.living():
            self.end(node_id)

    def _write(self, node_id: NodeId, pid: int, kind: NodeType) -> None:
        file = self._file(node_id)
        whole = file.with_suffix(".new")
        whole.write_text(json.dumps([pid, kind.name]))
        whole.rename(file)

    def _file(self, node_id: NodeId) -> Path:
        return self._folder / f"{node_id.hex()}.json"

    def _pid(self, node_id: NodeId) -> int | None:
        """None once it has ended: a number may be somebody else's by then, whose arguments name no such node."""
        with self._lock:
            mine = self._mine.get(node_id)
            if mine is not None:
                if mine.poll() is None:
                    return mine.pid
                del self._mine[node_id]
                return None
        try:
            pid = int(json.loads(self._file(node_id).read_text())[0])
        except FileNotFoundError:
            return None
        if pid:
            return pid if _is_node(pid, node_id) else None
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return next((pid for pid in pids if _is_node(pid, node_id)), None)


def _is_node(pid: int, node_id: NodeId) -> bool:
    """Whether it is the process that was started for this node: the first that has it among its arguments."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return node_id.hex().encode() in arguments


def _what_lets_in(session: Session) -> dict[str, str]:
    """Variables of a process that may join: by command line anybody could read the token."""
    variables = {TOKEN[0]: session.token.decode()}
    if session.tls is not None:
        files = (session.tls.cert, session.tls.key, session.tls.ca)
        variables |= dict(zip(CERTIFICATES, files, strict=True))
    return variables


def start_arguments(head: str, node_id: NodeId, kind: NodeType) -> list[str]:
    """Of the command `raysim`, for a node of this type."""
    left = floats(kind.resources)
    arguments = ["start", "--block", "--address", head, "--node-id", node_id.hex()]
    arguments += ["--node-name", f"{kind.name}-{node_id.hex()[:6]}"]
    arguments += ["--num-cpus", f"{left.pop(CPU, 0):g}", "--num-gpus", f"{left.pop(GPU, 0):g}"]
    for option, resource in (("memory", MEMORY), ("object-store-memory", OBJECT_STORE_MEMORY)):
        size = int(left.pop(resource, 0))
        if size:
            arguments += [f"--{option}", str(size)]
    if left:
        arguments += ["--resources", json.dumps(left)]
    return [*arguments, "--labels", json.dumps(kind.labels)]
