"""A head that is killed as a whole, and started again at its address: the cluster goes on where it was."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.inspection import children_of, until
from tests.cluster.started import PATIENCE_SECONDS, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path, "-2") as made:
        yield made


@pytest.fixture(params=["sqlite", "redis"])
def storage(request: pytest.FixtureRequest) -> list[str]:
    """Options of a head, which say where its tables are."""
    if request.param == "sqlite":
        return []
    return ["--storage", request.getfixturevalue("redis_server").address]


PROGRAM = """
ray.init(address="auto", namespace="space", log_to_driver=False)
from raysim.util.placement_group import placement_group, get_placement_group
keeper = Keeper.options(name="keeper", lifetime="detached", num_cpus=0, resources={"disk": 1}).remote()
group = placement_group([{"CPU": 1, "disk": 1}], name="group", lifetime="detached")
ray.get(group.ready(), timeout=60)
@ray.remote(num_cpus=1, resources={"disk": 1}, max_retries=0)
def stand(path):
    while not os.path.exists(path): time.sleep(0.02)
    return os.getpid()
held = ray.put(list(range(100_000)))
runs = stand.remote(sys.argv[1])
tell(ray.get(keeper.call.remote(), timeout=60))
wait()
tell([ray.get(runs, timeout=60) > 0, len(ray.get(held, timeout=60))])
wait()
tell(ray.get(ray.get_actor("keeper").call.remote(), timeout=60))
tell(get_placement_group("group").id.hex() == group.id.hex())
ray.get(group.ready(), timeout=60)
tell(ray.get([pid.remote() for _ in range(4)], timeout=60) != [])
"""


def kill_whole(machine: Machine) -> None:
    """As if the machine had lost power: who looks after the node, the node, the GCS, the fork-server, the workers."""

    def below(pid: int) -> list[int]:
        return [pid, *(one for child in children_of(pid) for one in below(child))]

    (supervisor,) = machine.supervisors()
    family = below(supervisor)
    assert len(family) >= 4
    for pid in family:
        os.kill(pid, signal.SIGSTOP)  # None sees the end of another.
    for pid in family:
        with contextlib.suppress(ProcessLookupError):  # Some end with their parents.
            os.kill(pid, signal.SIGKILL)


def kill_supervisor(machine: Machine) -> None:
    (supervisor,) = machine.supervisors()
    os.kill(supervisor, signal.SIGKILL)
    assert until(lambda: not machine.gcs_pids())


def kill_node(machine: Machine) -> None:
    """Who looks after it starts it again, once it has lived for a while."""
    (supervisor,) = machine.supervisors()
    time.sleep(5)
    (node,) = children_of(supervisor)
    os.kill(node, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_whole, kill_supervisor, kill_node])
def test_a_killed_head_goes_on_where_it_was(
    machine: Machine,
    other: Machine,
    tmp_path: Path,
    storage: list[str],
    kill: Callable[[Machine], None],
) -> None:
    """Nodes come back to it, named actors and groups are found, and a program elsewhere has lost nothing."""
    address = machine.start_head("--num-cpus", "1", *storage)
    other.join(address, "--num-cpus", "4", "--resources", '{"disk": 3}')
    door = tmp_path / "open"
    with other.program(PROGRAM, str(door)) as program:
        calls, keeper = program.told()
        assert calls == 1
        kill(machine)
        door.touch()
        program.go_on()
        assert program.told() == [True, 100_000]
        if kill is not kill_node:
            port = address.rpartition(":")[2]
            again = ("start", "--head", "--port", port, "--num-cpus", "1")
            started = machine.raysim(*again, *storage)
            assert started.returncode == 0, started.stderr
            assert f"runs at {address} again" in started.stdout
        program.go_on()
        assert program.told() == [2, keeper]
        assert program.told() is True
        assert program.told() is True
        program.end()
    assert until(lambda: _states(machine) == ["ALIVE", "ALIVE", "DEAD"], PATIENCE_SECONDS)
    other.raysim("stop")
    machine.raysim("stop")
    machine.assert_nothing_left()
    other.assert_nothing_left()


@pytest.mark.parametrize("way", ["node", "http"])
def test_who_follows_a_job_is_told_how_to_go_on_when_the_head_is_lost(
    machine: Machine, way: str
) -> None:
    machine.start_head("--num-cpus", "1")
    where = ("--address", f"http://127.0.0.1:{machine.dashboard_port}") if way == "http" else ()
    follower = subprocess.Popen(
        [
            *(sys.executable, "-m", "raysim", "job", "submit", "--submission-id", "long"),
            *(*where, "--", "echo begun; sleep 600"),
        ],
        env=machine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "begun\n"
        kill_whole(machine)
        _, told = follower.communicate(timeout=PATIENCE_SECONDS)
    assert follower.returncode == 1
    assert "stopped answering while job long was followed" in told
    assert "go on with: raysim job logs long --follow" in told
    assert "init()" not in told


def _states(machine: Machine) -> list[str]:
    shown = machine.raysim("status", "--json")
    return sorted(n["state"] for n in json.loads(shown.stdout)["nodes"]) if shown.stdout else []


def test_a_node_is_drained_by_hand(machine: Machine, other: Machine) -> None:
    """It is told by its name; what it keeps is elsewhere afterwards, and nothing of it is left on its machine."""
    address = machine.start_head("--num-cpus", "1")
    has = ("--num-cpus", "1", "--resources", '{"disk": 1}', "--node-name", "second")
    node = other.run_node("--address", address, *has)
    with machine.program(
        """
ray.init(address="auto", log_to_driver=False)
@ray.remote(resources={"disk": 1}, max_retries=0)
def make(): return list(range(100_000))
made = make.remote()
ray.wait([made], timeout=60, fetch_local=False)
tell(True)
wait()
tell(len(ray.get(made, timeout=60)))
"""
    ) as program:
        program.told()
        wrong = machine.raysim("drain", "secnd")
        assert (wrong.returncode, wrong.stderr) == (
            1,
            "There is no node 'secnd'; did you mean 'second'?\n",
        )
        drained = machine.raysim("drain", "second", "--reason", "a new disk", "--wait")
        assert drained.returncode == 0, drained.stderr
        assert "It is gone: it was drained: a new disk." in drained.stdout
        said, _ = node.communicate(timeout=PATIENCE_SECONDS)
        # What restarts services on failure leaves it alone.
        assert (node.returncode, said.splitlines()[-1]) == (
            0,
            "The node was drained, and has left the cluster.",
        )
        program.go_on()
        assert program.told() == 100_000
        program.end()
    other.assert_nothing_left()
    machine.raysim("stop")
    machine.assert_nothing_left()
