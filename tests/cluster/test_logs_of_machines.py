"""Logs and figures of a node whose files are not on the head's machine, as the head shows them."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")

from tests.cluster.started import Machine, Program

IP = "127.0.0.2"

WORK = """
ray.init("auto", log_to_driver=False)
@ray.remote(resources={"far": 0.1})
class Speaker:
    def say(self, what):
        os.write(1, what)
        context = ray.get_runtime_context()
        return context.get_actor_id(), context.get_task_id(), context.get_node_id(), os.getpid()
    def fail(self): raise ValueError("over there")
speaker = Speaker.remote()
told = ray.get(speaker.say.remote(b"first\\nsecond \\xff\\xfe\\n"))
try: ray.get(speaker.fail.remote())
except ValueError as error: tell([*told, str(error)])
while True:
    wait()
    ray.get(speaker.say.remote(b"later\\n"))
    tell("said")
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with Machine(tmp_path_factory.mktemp("machines")) as machine:
        machine.start_head("--num-cpus", "1")
        yield machine
        machine.raysim("stop")


@pytest.fixture(scope="module")
def program(head: Machine) -> Iterator[Program]:
    """With an actor on a node of another machine, which has printed two lines."""
    with Machine(head.temporary.parent, "-far") as far:
        there = ("--node-ip-address", IP, "--node-name", "far", "--resources", '{"far": 1}')
        far.join(head.address, "--num-cpus", "1", *there)
        with head.program(WORK) as running:
            running.ids = running.told()
            yield running
        far.raysim("stop")


def printed(head: Machine, *args: str) -> bytes:
    command = [sys.executable, "-m", "raysim", "logs", *args]
    shown = subprocess.run(command, env=head.environment, capture_output=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def listed(head: Machine, *args: str) -> Any:
    shown = head.raysim("logs", *args, "--format", "json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def test_the_head_has_the_figures_of_every_node(head: Machine, program: Program) -> None:
    _, _, node_id, *_ = program.ids
    token = Path(head.environment["HOME"], ".raysim/auth_token").read_text().strip()

    def asked(path: str) -> str:
        url = f"http://127.0.0.1:{head.dashboard_port}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    far = f'{{NodeId="{node_id}",NodeName="far",ip="{IP}"}}'
    said = asked("/metrics")
    for name in ("node_cpu_utilization", "node_mem_used", "object_store_memory", "workers"):
        assert f"raysim_{name}{far} " in said
    assert f"raysim_memory_manager_worker_eviction_total{far} 0" in said
    curves = json.loads(asked("/api/history"))["data"]["nodes"]
    assert len(curves) == 2
    assert "far" in {one["name"] for one in curves}
    assert all(one["time_ms"] for one in curves)
    kept = head.temporary.glob("raysim-*/metrics/*.log")
    assert {path.stem for path in kept} == {one["node_id"] for one in curves}


def test_the_files_of_all_nodes_are_listed(head: Machine, program: Program) -> None:
    _, _, node_id, pid, _ = program.ids
    files = listed(head)
    assert len({file["node_id"] for file in files}) == 2
    far = [file for file in files if file["node_id"] == node_id]
    assert {file["kind"] for file in far} >= {"raylet", "worker_out"}
    assert listed(head, "--node-ip", IP) == listed(head, "cluster", "--node-id", node_id[:8]) == far
    names = [file["name"] for file in far if file["kind"] == "worker_out"]
    assert any(name.endswith(f"-{pid}.out") for name in names)
    nowhere = head.raysim("logs", "--node-ip", "10.1.2.3")
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert f"No node has the address 10.1.2.3: there are 127.0.0.1, {IP}." in nowhere.stderr


def test_what_a_far_process_printed_comes_as_it_is(head: Machine, program: Program) -> None:
    actor_id, task_id, node_id, pid, _ = program.ids
    for asked in (
        ("--actor", actor_id[:8]),
        ("actor", "--id", actor_id),
        ("task", "--id", task_id),
        ("worker", "--pid", str(pid), "--node-id", node_id[:8]),
        ("--pid", str(pid)),
        (f"*-{pid}.out", "--node-ip", IP),
        ("cluster", f"*-{pid}.out"),
    ):
        assert printed(head, *asked, "--tail", "2") == b"first\nsecond \xff\xfe\n", asked
    assert printed(head, "--actor", actor_id, "--tail", "1") == b"second \xff\xfe\n"


def test_a_far_log_is_followed(head: Machine, program: Program) -> None:
    actor_id, *_ = program.ids
    command = [sys.executable, "-m", "raysim", "logs", "--actor", actor_id, "--tail", "1", "-f"]
    with subprocess.Popen(command, env=head.environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"second \xff\xfe\n"
        program.go_on()
        assert program.told() == "said"
        assert process.stdout.readline() == b"later\n"
        process.kill()


def test_an_error_says_on_which_machine_it_was_raised(program: Program) -> None:
    *_, pid, error = program.ids
    assert f"(pid={pid}, ip={IP}" in error
