"""What a person gets who types something wrong, or asks for help."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def test_help_names_every_command(raysim):
    ended = raysim("--help")
    assert ended.code == 0
    assert {"run", "check-determinism"} <= set(ended.out.split())


def test_help_loads_nothing_that_only_a_run_needs():
    script = (
        "import sys; from raysim.cli.main import run_command; run_command(['run', '--help']);"
        "print(*(n for n in ('rich', 'pydantic', 'yaml', 'simpy', 'cloudpickle', 'msgspec')"
        " if n in sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stderr.strip() == ""


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["bags.yaml"], "bags.yaml: there is no such file; did you mean bag.yaml?"),
        (["bag.txt"], "bag.txt: a name that ends in '.txt' is neither a scenario (.yaml)"),
        (["bag.yaml", "--backend", "simm"], "--backend: there is no 'simm'; did you mean sim?"),
        (["bag.yaml", "--backend", "dask"], "pip install 'raysim-core[dask]'"),
        (
            ["bag.yaml", "--policy", "hybird"],
            "--policy: unknown policy 'hybird'; did you mean hybrid?",
        ),
        (["bag.yaml", "--network", "fre"], "--network: there is no 'fre'; did you mean free?"),
        (["bag.yaml", "--fault", "kil_node(at=5s)"], "did you mean kill_node?"),
        (["bag.yaml", "--fault", "kill_node(at=5)"], "did you mean 5s?"),
        (["bag.yaml", "--fault", "kill_node(at=1s, node=7)"], "the cluster has no node 7"),
        (
            ["bag.yaml", "--time-scale", "0.5", "--fault", "kill_node(at=1s)"],
            "--time-scale 0.5 and faults do not go together on sim",
        ),
        (["bag.yaml", "--", "5"], "only a program (.py) takes arguments of its own, such as '5'"),
        (["bag.yaml", "--polcy", "x"], "Did you mean '--policy'?"),
        (["bag.yaml", "--nodes", "0"], "0 is not in the range"),
        (["bag.yaml", "--out", "bag.yaml/x"], "cannot be written"),
        ([], "Missing argument 'TARGET'"),
    ],
)
def test_bad_input_is_answered_with_what_was_meant(raysim, args, says):
    ended = raysim("run", *args)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_every_mistake_is_told_at_once(raysim):
    ended = raysim("run", "bag.yaml", "--network", "fre", "--policy", "hybird")
    assert len(ended.err.splitlines()) == 2


def test_a_mistake_in_a_file_is_told_with_its_place(raysim):
    Path("bad.yaml").write_text("cluster: {nodes: 2}\nworklod: {kind: tasks}\n")
    ended = raysim("run", "bad.yaml")
    assert ended.code == 2
    assert "bad.yaml:2:1: unknown key 'worklod'; did you mean workload?" in ended.err


SPIN = """
import ray

@ray.remote
def spin():
    print("spinning", flush=True)
    while True:
        pass

ray.init()
ray.get(spin.remote())
"""


def test_ctrl_c_ends_a_simulated_task_and_the_command(tmp_path):
    program = tmp_path / "spin.py"
    program.write_text(SPIN)
    process = subprocess.Popen(
        [sys.executable, "-m", "raysim", "run", str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "(spin pid=2) spinning\n"
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert err.strip() == "Interrupted."
