"""Log files of a session, by `raysim.util.state` and `raysim logs`."""

import subprocess
import sys
from pathlib import Path

import pytest

import raysim
from raysim.util import state
from raysim.util.state.exception import RayStateApiException
from tests.cluster.started import Machine


@pytest.fixture(scope="module")
def node_id():
    raysim.init(backend="cluster", num_cpus=1)
    yield raysim.get_runtime_context().get_node_id()
    raysim.shutdown()


def test_the_log_of_a_node_is_there(node_id):
    found = state.list_logs(node_id=node_id)
    [name] = found["raylet"]
    assert name == f"node-{node_id[:12]}.log"
    assert b"".join(state.get_log(node_id=node_id, filename=name, encoding=None)) == b""


def test_a_file_outside_of_the_session_is_no_log(node_id):
    with pytest.raises(RayStateApiException, match=r"no log file '\.\./\.\./etc/passwd'"):
        list(state.get_log(node_id=node_id, filename="../../etc/passwd"))


@pytest.mark.parametrize("unknown", ["00" * 28, "no id"])
def test_a_node_that_never_was_is_said_to_be_none(node_id, unknown):
    with pytest.raises(RayStateApiException, match="There is no node"):
        state.list_logs(node_id=unknown)


PRINTER = """
ray.init(address="auto", log_to_driver=False)
@ray.remote
class Printer:
    def print(self, first, last):
        for number in range(first, last): print(f"line {number:05}")
        os.system("echo by another process")
printer = Printer.remote()
ray.get(printer.print.remote(0, 10))
tell(printer._ray_actor_id.hex())
wait()
for first in range(10, 3000, 10):
    ray.get(printer.print.remote(first, first + 10))
    time.sleep(0.005)
ray.get(printer.print.remote(3000, 3001))
tell(True)
wait()
"""


def test_logs_are_rotated_and_who_follows_one_loses_no_line(tmp_path: Path) -> None:
    """Of what was written in all, many times the bound, each line comes once."""
    with Machine(tmp_path) as machine:
        bound = {"RAY_ROTATION_MAX_BYTES": "4096", "RAYSIM_ROTATION_BACKUP_COUNT": "100"}
        machine.environment.update(bound)
        machine.start_head("--num-cpus", "1", "--no-dashboard")
        with machine.program(PRINTER) as program:
            actor = program.told()
            follows = subprocess.Popen(
                [sys.executable, "-m", "raysim", "logs", "--actor", actor, "--follow"],
                env=machine.environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert follows.stdout is not None
            seen = [follows.stdout.readline()]
            program.go_on()
            while seen[-1] != "line 03000\n":
                seen.append(follows.stdout.readline())
                assert seen[-1], seen[-4:]
            assert program.told() is True
            follows.kill()
            follows.communicate()
            numbered = [line for line in seen if line.startswith("line")]
            assert numbered == [f"line {number:05}\n" for number in range(3001)]
            assert seen.count("by another process\n") == 300
            folder = next(machine.temporary.glob("raysim-" + "[0-9a-f]" * 16))
            files = list(folder.rglob("worker-*.out*"))
            assert len(files) > 5
            assert all(file.stat().st_size < 2 * 4096 for file in files)
            whole = machine.raysim("logs", "--actor", actor, "--tail", "5000")
            assert whole.stdout.splitlines(keepends=True)[: len(seen)] == seen
            tail = machine.raysim("logs", "--actor", actor, "--tail", "2")
            assert tail.stdout == "line 03000\nby another process\n"
            program.go_on()
            program.end()
        assert machine.raysim("stop").returncode == 0
        machine.assert_nothing_left()


def test_a_size_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with Machine(tmp_path) as machine:
        refused = machine.raysim("start", "--head", "--port", "0", RAY_ROTATION_MAX_BYTES="1MB")
        assert refused.returncode == 2
        assert "RAY_ROTATION_MAX_BYTES is '1MB', and no whole number" in refused.stderr
