"""Commands that look into a cluster of `raysim start`: lists, single things, counts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.started import Machine, Program

PROGRAM = """
ray.init(address="auto", namespace="here", log_to_driver=False)
@ray.remote(num_cpus=0)
def work(number):
    print("working on", number)
    return number
kept = Keeper.options(name="kept", num_cpus=0).remote()
victim = Keeper.options(name="victim", num_cpus=0, max_restarts=1).remote()
@ray.remote(num_cpus=0)
def inner(): pass
@ray.remote(num_cpus=0)
def outer(): ray.get(inner.remote())
ray.get([outer.remote(), victim.call.remote()])
ray.get([kept.call.remote(), *(work.remote(i) for i in range(5))])
large = ray.put(bytes(1 << 20))
tell([ray.get(kept.call.remote())[1], kept._ray_actor_id.hex(), large.hex(), os.getpid()])
wait()
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.start_head("--num-cpus", "2", "--node-name", "first")
    yield machine
    assert machine.raysim("stop").returncode == 0
    machine.assert_nothing_left()


@pytest.fixture(scope="module")
def program(machine: Machine) -> Iterator[Program]:
    with machine.program(PROGRAM) as program:
        program.ids = program.told()
        yield program


def asked(machine: Machine, *args: str) -> Any:
    how = () if "--json" in args else ("--format", "json")
    ended = machine.raysim(*args, *how)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_lists_are_filtered_before_they_are_cut(machine: Machine, program: Program) -> None:
    where = ("list", "tasks", "--filter", "name=work", "--columns", "name,state,task_id")
    tasks = asked(machine, *where)
    assert len({task["task_id"] for task in tasks}) == 5
    assert {(task["name"], task["state"]) for task in tasks} == {("work", "FINISHED")}
    ended = machine.raysim(*where, "--limit", "2", "--offset", "1")
    assert ended.stderr == "Rows 2 to 3 of 5. The next: --offset 3\n"
    assert [line.split()[-1] for line in ended.stdout.splitlines()] == [
        "TASK_ID",
        tasks[1]["task_id"],
        tasks[2]["task_id"],
    ]
    past = machine.raysim(*where, "--offset", "9")
    assert (past.returncode, past.stderr) == (0, "Row 9 is past the last of 5.\n")
    far = machine.raysim(*where, "--offset", "10000")
    assert (far.returncode, far.stdout) == (2, "")
    assert "the first 10,000 rows can be had" in far.stderr


def test_a_command_is_no_job(machine: Machine, program: Program) -> None:
    """Nor were those before it."""
    assert machine.raysim("status").returncode == 0
    jobs = asked(machine, "list", "jobs")
    assert [job["driver_info"]["pid"] for job in jobs] == [str(program.process.pid)]
    drivers = asked(machine, "list", "workers", "--filter", "worker_type=DRIVER")
    assert [one["pid"] for one in drivers] == [program.process.pid]
    events = asked(machine, "list", "cluster-events", "--columns", "message")
    assert not [one for one in events if "Job" in one["message"]]


def test_one_thing_is_found_by_what_its_id_begins_with(machine: Machine, program: Program) -> None:
    pid, actor_id, object_id, driver = program.ids
    actor = asked(machine, "get", "actor", actor_id[:9])
    assert (actor["actor_id"], actor["name"], actor["pid"]) == (actor_id, "kept", pid)
    reference = asked(machine, "get", "object", object_id)
    assert (reference["object_id"], reference["pid"]) == (object_id, driver)
    none = machine.raysim("get", "node", "ffffffffff")
    assert none.returncode == 1
    assert "None of the nodes has an id that begins with ffffffffff" in none.stderr
    several = machine.raysim("get", "task", "")
    assert several.returncode == 2


def test_why_is_told_of_any_id(machine: Machine, program: Program) -> None:
    _, actor_id, object_id, driver = program.ids
    actor = asked(machine, "explain", actor_id, "--json")
    assert (actor["reason"], actor["actor_id"]) == ("ready", actor_id)
    large = machine.raysim("explain", object_id)
    assert f"Referred to by: driver with pid {driver} (local reference)." in large.stdout
    [job] = asked(machine, "list", "jobs")
    assert "its driver is in process" in machine.raysim("explain", job["job_id"]).stdout
    none = machine.raysim("explain", "ff" * 18)
    assert (none.returncode, none.stdout) == (1, "")
    assert "looked for among placement groups" in none.stderr
    assert "`raysim list placement-groups`" in none.stderr


def test_counts(machine: Machine, program: Program) -> None:
    found = asked(machine, "summary", "tasks")["summary"]
    assert found["work"]["state_counts"] == {"FINISHED": 5}
    shown = machine.raysim("summary", "actors").stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["CLASS_NAME", "STATE_COUNTS"],
        ["Keeper", "ALIVE:", "2"],
        ["total_actors:", "2"],
    ]


def test_memory_is_by_who_keeps_it(machine: Machine, program: Program) -> None:
    _, _, object_id, driver = program.ids
    found = asked(machine, "memory", "--group-by", "owner")
    (group,) = [one for one in found["groups"] if one["pid"] == driver]
    assert group["size"] >= 1 << 20
    (store,) = found["stores"]
    assert store["used_bytes"] >= 1 << 20
    (large,) = [one for one in found["references"] if one["object_id"] == object_id]
    assert (large["reference_type"], large["node_id"]) == ("LOCAL_REFERENCE", store["node_id"])
    shown = machine.raysim("memory", "--limit", "1")
    assert "1.000 MiB" in shown.stdout
    assert "1 of 3 references. More: --limit N\n" in shown.stderr


def test_logs_are_listed_and_printed(machine: Machine, program: Program) -> None:
    _, actor_id, *_ = program.ids
    files = asked(machine, "logs")
    (node,) = [file["name"] for file in files if file["kind"] == "raylet"]
    assert machine.raysim("logs", node).returncode == 0
    (task, *_) = asked(machine, "list", "tasks", "--filter", "name=work")
    printed = machine.raysim("logs", "--task", task["task_id"], "--tail", "1")
    assert printed.stdout.startswith("working on ")
    assert len(printed.stdout.splitlines()) == 1
    silent = machine.raysim("logs", "--actor", actor_id[:8], "--err")
    assert (silent.returncode, silent.stdout) == (0, "")
    names = {line.split()[-1] for line in machine.raysim("logs").stdout.splitlines()[1:]}
    assert names == {file["name"] for file in files}
    several = machine.raysim("logs", "*.out", "--follow")
    assert several.returncode == 2
    assert "--follow is for one file, and there are" in several.stderr
    none = machine.raysim("logs", "nothing.out")
    assert (none.returncode, none.stdout) == (1, "")
    assert "No log file is called 'nothing.out'" in none.stderr


def test_the_timeline_has_an_arrow_from_who_submitted(
    machine: Machine, program: Program, tmp_path: Path
) -> None:
    file = tmp_path / "cluster.json"
    assert machine.raysim("timeline", "-o", str(file)).stdout == f"{file}\n"
    events = json.loads(file.read_text())
    [outer] = [one for one in events if one["name"] == "outer"]
    [inner] = [one for one in events if one["name"] == "inner"]
    [begin, end] = [one for one in events if one["cat"] == "submit"]
    assert (begin["ph"], end["ph"], begin["id"]) == ("s", "f", end["id"])
    assert begin["tid"] == outer["tid"]
    assert outer["ts"] <= begin["ts"] <= outer["ts"] + outer["dur"]
    assert (end["tid"], end["ts"]) == (inner["tid"], inner["ts"])


def test_workers_show_their_stacks_and_drivers_are_left_alone(
    machine: Machine, program: Program
) -> None:
    pid, *_, driver = program.ids
    without_spy = {"PATH": "/nonexistent"}
    shown = machine.raysim("stack", **without_spy).stdout
    parts = {part.split()[3]: part for part in shown.split("== ")[1:]}
    assert "most recent call first" in parts[str(pid)]
    assert "worker.py" in parts[str(pid)]
    assert "pip install py-spy" in parts[str(driver)]
    program.process.poll()
    assert program.process.returncode is None


def test_an_actor_is_killed_by_its_name_or_its_id(machine: Machine, program: Program) -> None:
    wrong = machine.raysim("kill-actor", "victm")
    assert wrong.returncode == 1
    assert "No living actor is called 'victm'. Did you mean victim?" in wrong.stderr
    other = machine.raysim("kill-actor", "victim", "--namespace", "there")
    assert other.returncode == 1
    again = machine.raysim("kill-actor", "victim")
    assert again.returncode == 0, again.stderr
    [victim] = asked(machine, "list", "actors", "--filter", "name=victim", "--detail")
    assert victim["state"] in ("RESTARTING", "ALIVE")
    gone = machine.raysim("kill-actor", victim["actor_id"][:10], "--no-restart")
    assert gone.stdout == f"Actor victim ({victim['actor_id'][:12]}): DEAD\n"
    dead = machine.raysim("kill-actor", victim["actor_id"])
    assert (dead.returncode, "is dead already" in dead.stderr) == (1, True)


def test_doctor_finds_the_node_and_a_token_that_others_may_read(machine: Machine) -> None:
    port = machine.address.rpartition(":")[2]

    def verdicts(*args: str) -> tuple[int, dict[str, str]]:
        ended = machine.raysim("doctor", "--format", "json", *args)
        return ended.returncode, {one["check"]: one["verdict"] for one in json.loads(ended.stdout)}

    code, found = verdicts("--port", port)
    assert (found["nodes"], found["port"], found["token"]) == ("ok", "ok", "ok")
    assert code == int("wrong" in found.values())
    assert verdicts("--address", machine.address)[1]["cluster"] == "ok"
    token = machine.temporary.parent / "home" / ".raysim" / "auth_token"
    token.chmod(0o640)
    shown = machine.raysim("doctor", "--address", machine.address)
    token.chmod(0o600)
    assert shown.returncode == 1
    assert f"       Run: chmod 600 {token}\n" in shown.stdout
    assert "WRONG  cluster: " in shown.stdout
