"""How workers are started that are no forks: commands, where they find modules, and what they are told."""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from raysim.config import Config
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim.spec.runtime_env import Container
from raysim_cluster import conda
from raysim_cluster.arena import Arena
from raysim_cluster.boot import joined
from raysim_cluster.containers import NoRuntimeError, probe_command, run_command
from raysim_cluster.control import SetUp, StartNode
from raysim_cluster.inheritance import Inheritance, inherit
from raysim_cluster.session import Session


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Puts programs on an empty path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("CONDA_EXE", "MAMBA_EXE", "RAY_CONDA_HOME"):
        monkeypatch.delenv(name, raising=False)

    def add(name: str) -> str:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
        return str(file)

    return add


def test_a_worker_looks_in_the_program_s_folders_then_in_its_own_then_in_the_driver_s() -> None:
    given = ["/program", "/drivers/site-packages", "/drivers/more"]
    own = ["/usr/lib/python3", "/own/site-packages"]
    assert joined(given, own) == [
        "/program",
        "/usr/lib/python3",
        "/own/site-packages",
        "/drivers/site-packages",
        "/drivers/more",
    ]


def test_no_folder_is_looked_in_twice() -> None:
    both = ["/program", "/usr/lib/dist-packages"]
    assert joined(both, both) == both
    assert joined(["/program"], ["/own", "/program"]) == ["/program", "/own"]


# Containers


def test_podman_comes_before_docker(programs: Callable[[str], str]) -> None:
    docker = programs("docker")
    image = Container("demo:1")
    assert run_command(image, [], "/session", ["-m", "x"])[0] == docker
    podman = programs("podman")
    command = run_command(image, ["SHED"], "/session", ["-m", "x"])
    assert command[:2] == [podman, "run"]
    assert "--userns=keep-id" in command
    assert "--env=SHED" in command
    assert "--volume=/session:/session" in command
    assert command[-5:] == ["--entrypoint", "python", "demo:1", "-m", "x"]


def test_files_of_a_container_of_docker_are_of_this_user(programs: Callable[[str], str]) -> None:
    programs("docker")
    command = run_command(Container("demo:1"), [], "/session", [])
    assert f"--user={os.getuid()}:{os.getgid()}" in command


def test_options_come_before_the_image(
    programs: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("podman")
    monkeypatch.setenv("RAYSIM_SHED", "red")
    command = run_command(Container("demo:1", ["--cpus=2"]), ["RAYSIM_SHED"], "/session", [])
    assert command.count("--env=RAYSIM_SHED") == 1
    assert command[-4:] == ["--cpus=2", "--entrypoint", "python", "demo:1"]


def test_nothing_runs_containers(programs: Callable[[str], str]) -> None:
    with pytest.raises(NoRuntimeError, match="neither podman nor docker"):
        probe_command(Container("demo:1"))


# conda


def test_an_installation_that_its_variable_names_comes_first(
    programs: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(conda.CondaError, match="none of conda, mamba, micromamba"):
        conda.tool()
    micromamba = programs("micromamba")
    assert conda.tool() == micromamba
    assert conda.tool() != programs("conda")
    named = programs("elsewhere/conda")
    monkeypatch.setenv("CONDA_EXE", named)
    assert conda.tool() == named


@pytest.mark.parametrize(
    ("program", "create"),
    [("mamba", ["env", "create"]), ("micromamba", ["create", "--yes"])],
)
def test_what_an_environment_is_made_of_is_in_a_file(
    programs: Callable[[str], str], tmp_path: Path, program: str, create: list[str]
) -> None:
    path = programs(program)
    ran: list[Sequence[str]] = []
    spec = {"name": "shed", "dependencies": ["hammer", "pip"]}
    conda.make(spec, tmp_path / "made", ran.append)
    file = tmp_path / "made.yaml"
    assert ran == [[path, *create, "--prefix", str(tmp_path / "made"), "--file", str(file)]]
    python = "python={}.{}".format(*sys.version_info)
    assert json.loads(file.read_text()) == {**spec, "dependencies": ["hammer", "pip", python]}


# What a worker that is no fork is told


@pytest.fixture
def inheritance() -> Iterator[Inheritance]:
    node = Address(NodeId(b"n" * 28), WorkerId(b"w" * 28), "127.0.0.1:1")
    start = StartNode(
        session=Session("shed", b"secret"),
        node_id=node.node_id,
        name="here",
        resources={},
        labels={},
        store_bytes=4096,
        config=Config(),
        seed=0,
        head=None,
        folder="/none",
        journal_keeper=None,
        preload=[],
    )
    arena = Arena.create(4096)
    made = Inheritance(start, SetUp(node, node), 7, arena)
    yield made
    made.close()
    arena.close()


HEIR = """
import sys
from raysim_cluster.inheritance import inherit
settings, set_up, token, arena = inherit(sys.argv[1])
assert (settings.session.token, set_up.raylet.endpoint, token) == (b"secret", "127.0.0.1:1", 7)
arena.bytes[0] = 5
arena.close()
"""


def test_a_worker_is_told_what_a_fork_would_know(inheritance: Inheritance) -> None:
    """By its command line it is known as the one that was started for this."""
    with subprocess.Popen([sys.executable, "-c", HEIR, inheritance.name]) as heir:
        select.select([inheritance], [], [])
        assert inheritance.hand_over() == heir.pid
    assert heir.returncode == 0
    assert inheritance._arena.bytes[0] == 5


def test_who_was_not_started_as_that_worker_is_told_nothing(inheritance: Inheritance) -> None:
    """A process of this user that connects to whatever listens: the worker comes after it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as scan:
        scan.connect(f"\0{inheritance.name}")
        assert inheritance.hand_over() is None
        assert scan.recv(100) == b""
    with subprocess.Popen([sys.executable, "-c", HEIR, inheritance.name]) as heir:
        select.select([inheritance], [], [])
        assert inheritance.hand_over() == heir.pid
    assert heir.returncode == 0


def test_only_processes_of_this_user_are_told_anything(
    monkeypatch: pytest.MonkeyPatch, inheritance: Inheritance
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as heir:
        heir.connect(f"\0{inheritance.name}")
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert inheritance.hand_over() is None
        assert heir.recv(100) == b""
    assert inheritance.hand_over() is None, "nobody else is there"
    inheritance.close()
    with pytest.raises(OSError, match="refused"):
        inherit(inheritance.name)
