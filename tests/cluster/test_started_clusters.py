"""Clusters of `raysim start`: programs come and go, several at once; heads and nodes end and come back."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.inspection import lives, sockets_of, until
from tests.cluster.started import Machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With a head of four CPUs."""
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        has = ("--num-cpus", "4", "--resources", '{"disk": 2}', "--labels", "kind=large")
        machine.start_head(*has)
        yield machine
        stopped = machine.raysim("stop")
        assert (stopped.returncode, stopped.stdout) == (0, "Ended 1 node.\n")
        machine.assert_nothing_left()


JOB = "ray.get_runtime_context().get_job_id()"


def test_programs_at_the_same_time_are_jobs_of_their_own(machine: Machine) -> None:
    first = machine.program(
        f"""
ray.init(address="auto", namespace="shared")
kept = Keeper.options(name="kept", lifetime="detached", num_cpus=0).remote()
own = Keeper.options(num_cpus=0).remote()
tell([{JOB}, ray.get([kept.call.remote(), own.call.remote()])])
wait()
tell(ray.get([kept.call.remote(), own.call.remote()]))
"""
    )
    with first:
        job, [(one, kept), (_, own)] = first.told()
        with machine.program(
            f"""
ray.init(address=sys.argv[1], namespace="shared")
kept = ray.get_actor("kept")
own = Keeper.options(num_cpus=0).remote()
tell([{JOB}, ray.get([kept.call.remote(), own.call.remote()])])
""",
            machine.address,
        ) as second:
            other_job, [(two, same), (_, other)] = second.told()
            second.end()
        assert (one, two, same) == (1, 2, kept)
        assert job != other_job
        assert len({kept, own, other}) == 3
        assert until(lambda: not lives(other))
        first.go_on()
        assert first.told() == [[3, kept], [2, own]]
        first.end()
    assert until(lambda: not lives(own))
    assert lives(kept)
    with machine.program(
        """
ray.init(namespace="shared")
tell(ray.get(ray.get_actor("kept").call.remote()))
ray.kill(ray.get_actor("kept"))
""",
        RAYSIM_ADDRESS=machine.address,
    ) as last:
        assert last.told() == [4, kept]
        last.end()


def test_a_killed_program_takes_only_what_was_its_own(machine: Machine, tmp_path: Path) -> None:
    running = tmp_path / "running"
    victim = machine.program(
        """
ray.init(address="auto", namespace="killed")
@ray.remote
def run_on(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(600)
kept = Keeper.options(name="kept", lifetime="detached", num_cpus=0).remote()
own = Keeper.options(num_cpus=1).remote()
task = run_on.remote(sys.argv[1])
large = ray.put(bytes(20_000_000))
group = placement_group([{"CPU": 1}])
assert group.wait(30)
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
tell([ray.get(actor.call.remote())[1] for actor in (kept, own)])
wait()
""",
        str(running),
    )
    survivor = machine.program(
        """
ray.init(address="auto", namespace="killed")
own = Keeper.options(num_cpus=1).remote()
value = ray.put(bytes(1_000_000))
tell(ray.get(own.call.remote()))
wait()
tell([ray.get(own.call.remote()), len(ray.get(value)), ray.get(ray.get_actor("kept").call.remote())])
ray.kill(ray.get_actor("kept"))
until = time.monotonic() + 30
while ray.available_resources().get("CPU") != 3 and time.monotonic() < until: time.sleep(0.01)
store = ray.cluster_resources()["object_store_memory"] - ray.available_resources()["object_store_memory"]
tell([ray.available_resources()["CPU"], store])
"""
    )
    with survivor:
        _, own = survivor.told()
        with victim:
            kept, victims = victim.told()
            task = int(running.read_text())
            victim.process.send_signal(signal.SIGKILL)
            victim.process.wait()
        assert until(lambda: not lives(victims) and not lives(task))
        survivor.go_on()
        assert survivor.told() == [[2, own], 1_000_000, [2, kept]]
        free, stored = survivor.told()
        assert free == 3
        assert stored < 20_000_000
        survivor.end()


def test_programs_go_on_when_the_gcs_is_killed(machine: Machine) -> None:
    with machine.program(
        """
ray.init(address="auto", namespace="gcs")
kept = Keeper.options(name="named", num_cpus=0).remote()
tell(ray.get(kept.call.remote()))
results = [pid.options(num_cpus=1).remote() for _ in range(20)]
wait()
tell([len(ray.get(results, timeout=60)), ray.get(ray.get_actor("named").call.remote(), timeout=60)])
more = Keeper.options(num_cpus=0).remote()
tell(ray.get(more.call.remote(), timeout=60)[0])
"""
    ) as program:
        _, kept = program.told()
        (gcs,) = machine.gcs_pids()
        os.kill(gcs, signal.SIGKILL)
        program.go_on()
        assert program.told() == [20, [2, kept]]
        assert program.told() == 1
        program.end()
    assert until(lambda: len(machine.gcs_pids()) == 1)
    with machine.program('ray.init(address="auto"); tell(ray.get(pid.remote()) > 0)') as newcomer:
        assert newcomer.told() is True
        newcomer.end()


def test_what_workers_print_is_shown_by_the_program_whose_it_is(machine: Machine) -> None:
    code = """
ray.init(address="auto", log_to_driver=sys.argv[2] == "shown")
@ray.remote(num_cpus=0)
def nested(word):
    print("nested", word)
    print("error", word, file=sys.stderr)
@ray.remote(num_cpus=0)
def outer(word):
    print("outer", word)
    print("outer again", word)
    ray.get(nested.remote(word))
tell(0)
wait()
ray.get(outer.remote(sys.argv[1]))
wait()
"""
    with (
        machine.program(code, "one", "shown") as one,
        machine.program(code, "two", "shown") as two,
        machine.program(code, "three", "hidden") as three,
    ):
        for program in (one, two, three):
            program.told()
            program.go_on()
        for program, word in ((one, "one"), (two, "two")):
            lines = sorted(program.line() for _ in range(3))
            assert [re.sub(r"pid=\d+", "pid=1", line) for line in lines] == [
                f"(nested pid=1) nested {word}",
                f"(outer pid=1) outer again {word}",
                f"(outer pid=1) outer {word}",
            ]
            program.go_on()
            assert re.search(rf"^\(nested pid=\d+\) error {word}$", program.end(), re.MULTILINE)
        three.go_on()
        assert three.process.communicate(timeout=60) == ("", "")


@pytest.fixture
def other(machine: Machine) -> Iterator[Machine]:
    """Another one, of the same user."""
    with Machine(machine.temporary.parent, name="-other") as made:
        yield made


def test_a_node_joins_and_is_killed(machine: Machine, other: Machine) -> None:
    where = ("--node-ip-address", "127.0.0.2", "--node-name", "second")
    other.join(machine.address, "--num-cpus", "1", *where)
    there = """
ray.init(address="auto")
tell([ray.get(pid.options(num_cpus=1).remote()) > 0, len([n for n in ray.nodes() if n["Alive"]])])
"""
    with machine.program(there) as here, other.program(there) as elsewhere:
        assert here.told() == [True, 2]
        assert elsewhere.told() == [True, 2]
        elsewhere.end()
        here.end()
    assert [node["state"] for node in machine.status()["nodes"]] == ["ALIVE", "ALIVE"]
    (supervisor,) = other.supervisors()
    os.kill(supervisor, signal.SIGKILL)
    assert until(
        lambda: sorted(node["state"] for node in machine.status()["nodes"]) == ["ALIVE", "DEAD"]
    )
    gone = other.program('ray.init(address="auto")')
    with gone:
        _, errors = gone.process.communicate(timeout=60)
        assert "Could not find any running cluster of yours on this machine" in errors
    other.assert_nothing_left()


def test_a_program_joins_at_the_head_where_a_node_beside_it_may_leave_at_any_time(
    lonely: Machine,
) -> None:
    address = lonely.start_head("--num-cpus", "1")
    (head,) = [node["node_id"] for node in lonely.status()["nodes"]]
    lonely.join(address, "--num-cpus", "1")
    where = """
ray.init(address={address!r})
tell(ray.get_runtime_context().get_node_id())
"""
    for named in ("auto", address):
        with lonely.program(where.format(address=named)) as program:
            assert program.told() == head
            program.end()


def test_status_shows_what_is_used_and_what_waits(machine: Machine) -> None:
    with machine.program(
        """
ray.init(address="auto")
own = Keeper.options(num_cpus=1, resources={"disk": 0.5}).remote()
called = ray.get(own.call.remote())[0]
waiting = [pid.options(num_cpus=0, resources={"disk": 2}).remote() for _ in range(3)]
group = placement_group([{"CPU": 64}])
tell(called)
wait()
"""
    ) as program:
        program.told()
        assert until(lambda: len(machine.status()["demands"]) == 2)
        status = machine.status()
        assert status["address"] == machine.address
        head = next(node for node in status["nodes"] if node["is_head"])
        assert (head["resources"]["CPU"], head["resources"]["disk"]) == (4, 2)
        assert status["resources"]["disk"] == {"used": 0.5, "total": 2}
        assert {"kind": "task", "needs": {"disk": 2}, "count": 3} in status["demands"]
        assert {"kind": "placement group", "needs": [{"CPU": 64}], "count": 1} in status["demands"]
        shown = machine.raysim("status", "--address", machine.address).stdout
        assert "  disk: 0.5 of 2\n" in shown
        assert '  3 x task {"disk": 2' in shown
        program.go_on()
        program.end()


def test_a_program_that_joins_is_not_said_to_have_no_tasks(
    machine: Machine, tmp_path: Path
) -> None:
    program = tmp_path / "joins.py"
    program.write_text("import ray\nray.init()\nprint(ray.get(ray.put(7)))\n")
    ended = machine.raysim(
        "run", str(program), "--backend", "cluster", RAYSIM_ADDRESS=machine.address
    )
    assert ended.stdout == "7\n"
    assert f"the program joined the cluster at {machine.address}" in ended.stderr


def test_who_does_not_know_the_token_joins_nothing(machine: Machine) -> None:
    wrong = machine.raysim("start", "--address", machine.address, RAYSIM_AUTH_TOKEN="wrong")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(f"{machine.address} does not know the session's token: ")
    assert "Copy the head's ~/.raysim/auth_token" in wrong.stderr
    none = machine.raysim("start", "--address", machine.address, HOME=str(machine.temporary))
    assert none.returncode == 1
    assert none.stderr.startswith("There is no token for this cluster. Copy the head's ~/.raysim")
    assert len(machine.supervisors()) == 1


def test_two_heads_cannot_have_one_port(machine: Machine) -> None:
    port = machine.address.rpartition(":")[2]
    again = machine.raysim("start", "--head", "--port", port)
    assert again.returncode == 2
    assert f"Port {port} of 127.0.0.1 cannot be had: Address already in use" in again.stderr


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as made:
        yield made


def test_a_head_that_is_killed_leaves_nothing(lonely: Machine) -> None:
    machine = lonely
    machine.start_head("--num-cpus", "1")
    session = next(machine.temporary.glob("raysim-*[0-9a-f]")).name.partition("-")[2]
    with machine.program(
        """
ray.init(address="auto")
own = Keeper.remote()
tell(ray.get(own.call.remote())[0])
try:
    while True: ray.get(own.call.remote(), timeout=60)
except ray.exceptions.RayError as error:
    tell(type(error).__name__)
"""
    ) as program:
        program.told()
        (supervisor,) = machine.supervisors()
        os.kill(supervisor, signal.SIGKILL)
        assert program.told() in ("LocalRayletDiedError", "ActorDiedError")
        program.end()
    stopped = machine.raysim("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "No nodes of yours run here.\n")
    machine.assert_nothing_left()
    assert sockets_of(session) == []
