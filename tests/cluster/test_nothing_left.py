"""However a session ends: within 2 s there is no process, no socket, no shared memory, no folder of ours."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cluster.inspection import (
    assert_nothing_left,
    children_of,
    leftovers,
    lives,
    marked,
    processes_of,
    sockets_of,
    until,
)

PRELUDE = """
import json, os, sys, time
sys.path[:0] = json.loads(os.environ["TEST_PATH"])
import raysim as ray

@ray.remote
def work(seconds=0.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return os.getpid()

@ray.remote
def sleepy():
    time.sleep(1_000)

@ray.remote
class Actor:
    def ping(self):
        return os.getpid()

CHILD = f'sh -c \\'{sys.executable} "$@"; true\\' sh'
# As in a container: what was started waits, and the worker is the child of another program.
ORPHAN = f'sh -c \\'setsid -f {sys.executable} "$@"; exec sleep 1000\\' sh'

def strike(text):
    from raysim.api.session import current_world
    from raysim.faults import parse_fault
    return current_world().strike(parse_fault(text))

def begin(nodes=1, env=None):
    context = ray.init(backend="cluster", num_cpus=2, nodes=nodes, object_store_memory=32 << 20)
    actor = Actor.remote()
    ray.get([work.remote(), actor.ping.remote()])
    array = [ray.put(b"x" * 4_000_000) for _ in range(12)]  # Most of them go to disk.
    running = [work.remote(1_000), work.remote(1_000)]
    if env:
        running.append(sleepy.options(runtime_env=env, num_cpus=0).remote())
        time.sleep(0.5)
    time.sleep(0.1)
    print(json.dumps(context.address_info), flush=True)
    sys.stdin.readline()
    return actor, array, running
"""


class Program:
    """A driver in a process of its own."""

    def __init__(self, body: str, folder: Path) -> None:
        self.mark = f"raysim-test-{uuid4()}"
        environment = {
            **os.environ,
            "TEST_PATH": json.dumps(sys.path),
            "TMPDIR": str(folder),
            "RAYSIM_CACHE_DIR": str(folder / "cache"),
            "RAYSIM_TEST_MARK": self.mark,
        }
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + body],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def info(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        info: dict[str, Any] = json.loads(line)
        assert (
            len(processes_of(info["session_id"])) >= 4
        )  # Node, fork-server, two workers at least.
        assert sockets_of(info["session_id"])
        return info

    def marked(self) -> list[int]:
        return marked(self.mark)

    def go_on(self) -> None:
        """Let `begin` return."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        for pid in self.marked():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    programs = []

    def begin(body: str) -> Program:
        programs.append(Program(body, tmp_path))
        return programs[-1]

    yield begin
    for one in programs:
        one.end()


ENDS = {
    "falls off its end": "begin()",
    "falls off its end with several nodes": "begin(3)",
    "shutdown": "begin()\nray.shutdown()",
    "raises": "begin()\nraise RuntimeError('on purpose')",
    "sys.exit": "begin()\nsys.exit(3)",
    "os._exit": "begin()\nos._exit(3)",
    "kills itself": "begin()\nos.kill(os.getpid(), 9)",
    "kills itself with several nodes": "begin(3)\nos.kill(os.getpid(), 9)",
    "is terminated": "begin()\nos.kill(os.getpid(), 15)",
    "dies while another of its children lives on": (
        "begin()\nif os.fork():\n    os.kill(os.getpid(), 9)\ntime.sleep(30)"
    ),
    "kills itself while workers of another interpreter run": (
        "own = {'env_vars': {'PYTHONHASHSEED': '0'}}\nbegin(env=own)\nos.kill(os.getpid(), 9)"
    ),
    "kills itself while workers run that are children of a command": (
        "own = {'py_executable': CHILD}\nbegin(env=own)\nos.kill(os.getpid(), 9)"
    ),
    "kills itself while workers run that are children of nobody": (
        "own = {'py_executable': ORPHAN}\nbegin(env=own)\nos.kill(os.getpid(), 9)"
    ),
    "shuts down while workers run that are children of nobody": (
        "own = {'py_executable': ORPHAN}\nbegin(env=own)\nray.shutdown()"
    ),
    "kills itself while all its nodes stand still": (
        "begin(2)\nstrike('pause_node(at=0, node=0, lasting=1h)')\n"
        "strike('pause_node(at=0, node=1, lasting=1h)')\nos.kill(os.getpid(), 9)"
    ),
    "kills itself while a worker stands still": (
        "kept = begin()\nstrike('pause_worker(at=0, node=0, lasting=1h)')\nos.kill(os.getpid(), 9)"
    ),
    "kills itself while an environment is made": (
        "slow = {'pip': {'packages': ['.'], 'pip_version': '==99.99'}}\n"
        "begin(env=slow)\nos.kill(os.getpid(), 9)"
    ),
    "shuts down while an environment is made": (
        "slow = {'pip': {'packages': ['.'], 'pip_version': '==99.99'}}\n"
        "begin(env=slow)\nray.shutdown()"
    ),
}


@pytest.mark.parametrize("body", ENDS.values(), ids=ENDS.keys())
def test_nothing_is_left_when_the_driver(program: Callable[[str], Program], body: str) -> None:
    running = program(body)
    info = running.info()
    running.go_on()
    running.process.wait(60)
    assert_nothing_left(info)


def test_ctrl_c_ends_the_program_and_its_cluster(program: Callable[[str], Program]) -> None:
    running = program("actor, array, running = begin()\nray.get(running)")
    info = running.info()
    running.go_on()
    running.process.send_signal(signal.SIGINT)
    _, error = running.process.communicate(timeout=60)
    assert "KeyboardInterrupt" in error
    assert_nothing_left(info)


def test_ctrl_c_of_the_whole_foreground_reaches_only_the_program(
    program: Callable[[str], Program],
) -> None:
    """A terminal sends SIGINT to the process group: the cluster's processes are not in it."""
    running = program("begin()")
    info = running.info()
    ours = os.getpgid(running.process.pid)
    groups = [os.getpgid(pid) for pid in processes_of(info["session_id"])]
    assert ours not in groups
    running.go_on()
    running.process.wait(60)
    assert_nothing_left(info)


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_nothing_is_left_when_the_driver_is_killed_while_it_starts(
    program: Callable[[str], Program], after: float
) -> None:
    running = program("print('go', flush=True)\nbegin()")
    assert running.process.stdout is not None
    running.process.stdout.readline()
    time.sleep(after)  # Which moment of the start it hits is the thing under test.
    running.process.kill()
    running.process.wait()
    assert until(lambda: not running.marked(), 2)
    assert until(lambda: not list(running.folder.iterdir()), 2)


def test_workers_end_with_their_node_process(program: Callable[[str], Program]) -> None:
    running = program("kept = begin(2)\ntime.sleep(60)")
    info = running.info()
    second = int(info["node_pids"].split(",")[1])
    theirs = _children(second)
    assert theirs
    os.kill(second, signal.SIGKILL)
    assert until(lambda: not [pid for pid in theirs if lives(pid)], 2)
    assert running.process.poll() is None
    running.process.kill()
    assert_nothing_left(info)


def test_workers_end_with_their_fork_server(program: Callable[[str], Program]) -> None:
    """Then the node can start no more workers: it ends too."""
    running = program("kept = begin()\ntime.sleep(60)")
    info = running.info()
    node = int(info["node_pids"])
    (forks,) = children_of(node)
    os.kill(forks, signal.SIGKILL)
    assert until(lambda: not processes_of(info["session_id"]), 2)
    running.process.kill()
    running.process.wait()
    # Its node was gone before the driver: nobody was left to remove the folder.
    assert until(lambda: all(what.startswith("folder") for what in leftovers(info)), 2)


def _children(pid: int) -> list[int]:
    found = []
    for child in children_of(pid):
        found += [child, *_children(child)]
    return found
