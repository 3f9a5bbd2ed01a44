"""The life of a cluster by the commands of the README, as they stand there: certificates, a job, a drain, kills."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.inspection import children_of, until
from tests.cluster.started import PATIENCE_SECONDS, Machine

README = Path(__file__).parents[2] / "README.md"

APP = """
import os, time
import raysim as ray
ray.init(namespace="kept")
@ray.remote(num_cpus=1)
def where(i):
    time.sleep(0.2)
    return ray.get_runtime_context().get_node_id()
@ray.remote(num_cpus=0, max_restarts=-1)
class Kept:
    def ping(self): return 1
print("nodes:", len(set(ray.get([where.remote(i) for i in range(20)]))))
kept = Kept.options(name="kept", lifetime="detached", get_if_exists=True).remote()
print("actor:", ray.get(kept.ping.remote()))
"""


def commands() -> list[str]:
    """Of the block that begins with certificates."""
    (block,) = (
        block
        for block in re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL)
        if block.startswith("$ raysim tls make")
    )
    return [line.removeprefix("$ ") for line in block.splitlines()]


class Shell:
    """Runs the README's lines one after another, with the machine's home, and ports that are free."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.port, self.dashboard = _free_port(), _free_port()
        self.exported = ""

    def run(self, line: str) -> str:
        line = line.replace("127.0.0.1:6379", f"127.0.0.1:{self.port}")
        line = line.replace(":8265", f":{self.dashboard}")
        more = f"--head --port {self.port} --dashboard-port {self.dashboard} --object-store-memory 64MiB"
        line = line.replace("--head", more)
        if line.startswith("export "):
            self.exported += f"{line}\n"
            return ""
        done = subprocess.run(
            [
                "bash",
                "-ec",
                f"raysim() {{ '{sys.executable}' -m raysim \"$@\"; }}\n{self.exported}{line}",
            ],
            env=self.machine.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    pytest.importorskip("cryptography")
    pytest.importorskip("uvicorn")
    with Machine(tmp_path) as machine:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "app.py").write_text(APP)
        yield Shell(machine, elsewhere)


def below(pid: int) -> list[int]:
    return [pid, *(one for child in children_of(pid) for one in below(child))]


def states(shell: Shell) -> dict[str, str]:
    nodes = shell.machine.status()["nodes"]
    return {node["name"] if not node["is_head"] else "head": node["state"] for node in nodes}


def test_the_commands_of_the_readme_carry_a_cluster_through_its_life(shell: Shell) -> None:
    lines = iter(commands())
    for line in lines:
        said = shell.run(line)
        if line.startswith("raysim job logs"):
            break
    assert "nodes: 3\n" in said
    assert "actor: 1\n" in said
    drained = next(lines)
    assert drained.startswith("raysim drain second")
    assert "It is gone: it was drained" in shell.run(drained)
    assert states(shell) == {"head": "ALIVE", "second": "DEAD", "third": "ALIVE"}
    head, third = shell.machine.supervisors()
    for pid in reversed(below(head)):
        os.kill(pid, signal.SIGKILL)
    again = shell.run(next(lines))
    assert f"runs at 127.0.0.1:{shell.port} again" in again
    assert until(lambda: states(shell).get("third") == "ALIVE")
    assert shell.run("raysim job status nightly").startswith("nightly: SUCCEEDED")
    kept = "raysim list actors --filter name=kept --columns state"
    assert until(lambda: "ALIVE" in shell.run(kept))
    os.kill(third, signal.SIGKILL)
    assert until(lambda: states(shell).get("third") == "DEAD")
    said = shell.run("raysim job submit --working-dir . -- python app.py")
    assert "nodes: 1\n" in said
    shell.run(next(lines))
    shell.machine.assert_nothing_left()
    assert next(lines, None) is None
