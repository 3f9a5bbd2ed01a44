"""A head whose tables are in Redis, which goes away, comes back, and loses them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.inspection import until
from tests.cluster.started import PATIENCE_SECONDS, Machine
from tests.cluster.test_head_returns import kill_whole
from tests.redis_server import RedisServer


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as made:
        yield made


MAKER = """
import threading
ray.init(address="auto", namespace="space", log_to_driver=False)
made = []
def make():
    while True:
        number = len(made)
        how = dict(name=f"keeper-{number}", lifetime="detached", num_cpus=0, resources={"disk": 0.01})
        one = Keeper.options(**how).remote()
        made.append((number, ray.get(one.call.remote())[1]))
threading.Thread(target=make, daemon=True).start()
def some_more(enough):
    until = len(made) + enough
    while len(made) < until: time.sleep(0.02)
    return len(made)
tell(some_more(3))
wait()
before = len(made)
time.sleep(2)
tell(len(made) - before)
wait()
tell(some_more(2))
wait()
tell(list(made))
wait()
tell([number for number, pid in made if ray.get(ray.get_actor(f"keeper-{number}").call.remote(), timeout=60)[1] != pid])
os._exit(0)
"""


def test_nothing_that_was_acknowledged_is_lost_with_redis_or_the_head(
    machine: Machine, tmp_path: Path, redis_server: RedisServer
) -> None:
    """Actors are made all the time: none while Redis is away; each that was made is found afterwards."""
    options = ("--num-cpus", "1", "--storage", redis_server.address)
    address = machine.start_head(*options)
    with Machine(tmp_path, "-2") as other:
        other.join(address, "--num-cpus", "1", "--resources", '{"disk": 10}')
        with other.program(MAKER) as program:
            program.told()
            redis_server.kill()
            program.go_on()
            # One may have been made whose rows were there before.
            assert program.told() <= 1
            redis_server.start()
            program.go_on()
            program.told()
            kill_whole(machine)
            again = ("start", "--head", "--port", address.rpartition(":")[2])
            started = machine.raysim(*again, *options)
            assert f"runs at {address} again" in started.stdout, started.stderr
            program.go_on()
            assert len(program.told()) >= 5
            program.go_on()
            assert program.told() == []
        other.raysim("stop")
        other.assert_nothing_left()
    machine.raysim("stop")
    machine.assert_nothing_left()


def test_a_head_whose_tables_are_gone_ends_and_says_so(
    machine: Machine, redis_server: RedisServer
) -> None:
    head = subprocess.Popen(
        [
            *(sys.executable, "-m", "raysim", "start", "--head", "--block", "--port", "0"),
            *("--num-cpus", "1", "--no-dashboard"),
        ],
        env={**machine.environment, "RAY_REDIS_ADDRESS": f"127.0.0.1:{redis_server.port}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert until(lambda: bool(machine.gcs_pids()), PATIENCE_SECONDS)
        redis_server.kill()
        redis_server.forget()
        redis_server.start()
        _, said = head.communicate(timeout=PATIENCE_SECONDS)
    finally:
        head.kill()
        head.wait()
    assert head.returncode == 1
    assert f"{redis_server.address}, namespace default is another head's now" in said
    machine.assert_nothing_left()


def test_a_password_on_the_command_line_is_refused(machine: Machine) -> None:
    """Others would read it in the list of processes."""
    storage = "redis://ada:hidden@127.0.0.1:6379/0"
    refused = machine.raysim("start", "--head", "--port", "0", "--storage", storage)
    assert refused.returncode == 2
    assert "set RAYSIM_REDIS_PASSWORD" in refused.stderr
    assert "hidden" not in refused.stderr


def test_a_redis_that_does_not_answer_ends_the_start(machine: Machine, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    server.close()
    refused = machine.raysim("start", "--head", "--port", "0", "--storage", server.address)
    assert refused.returncode == 1
    assert f"The Redis at 127.0.0.1:{server.port} does not answer" in refused.stderr
    machine.assert_nothing_left()
