"""Clusters of `raysim start` that grow and shrink: their nodes are processes that the GCS has started."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.inspection import lives, until
from tests.cluster.started import Machine
from tests.unit.cluster.authority import Authority

GROWS = """
max_workers: 2
idle_timeout_minutes: 0.03
update_interval_s: 0.2
provider: {type: local}
available_node_types:
  wide:
    resources: {CPU: 2, object_store_memory: 64MiB, disk: 1}
    labels: {kind: wide}
"""

NEEDS_NODES = """
ray.init(address="auto")
@ray.remote(num_cpus=2, label_selector={"ray.io/node-group": "wide"}, max_retries=-1)
def work(folder, name):
    open(os.path.join(folder, name), "w").close()
    while not os.path.exists(os.path.join(folder, "end")): time.sleep(0.01)
    return ray.get_runtime_context().get_node_id()
refs = [work.remote(sys.argv[1], name) for name in ("one", "two", "three")]
tell(len(set(ray.get(refs))))
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as machine:
        config = tmp_path / "grows.yaml"
        config.write_text(GROWS)
        machine.start_head("--num-cpus", "1", "--autoscaling-config", str(config))
        yield machine


def grown(machine: Machine) -> list[str]:
    return [
        node["node_id"]
        for node in machine.status()["nodes"]
        if node["state"] == "ALIVE" and not node["is_head"]
    ]


def test_nodes_come_for_what_waits_and_leave_when_idle(machine: Machine, tmp_path: Path) -> None:
    """Though the GCS is killed while they come, and one of them while it works."""
    folder = tmp_path / "files"
    folder.mkdir()
    with machine.program(NEEDS_NODES, str(folder)) as program:
        assert until(lambda: any(machine.temporary.glob("raysim-*/machines/*.json")))
        (gcs,) = machine.gcs_pids()
        os.kill(gcs, signal.SIGKILL)
        assert until(lambda: len(list(folder.iterdir())) >= 2)
        assert len(grown(machine)) == 2
        victim = machine.supervisors()[-1]
        os.kill(victim, signal.SIGKILL)
        assert until(lambda: not lives(victim))
        (folder / "end").touch()
        assert program.told() >= 1
        program.end()
    assert sorted(file.name for file in folder.iterdir()) == ["end", "one", "three", "two"]
    assert until(lambda: not grown(machine))
    stopped = machine.raysim("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "Ended 1 node.\n")
    machine.assert_nothing_left()


def test_nodes_that_were_started_end_with_the_head(machine: Machine, tmp_path: Path) -> None:
    with machine.program(NEEDS_NODES, str(tmp_path)):
        assert until(lambda: (tmp_path / "two").exists())
        head = machine.supervisors()[0]
        os.kill(head, signal.SIGTERM)
        assert until(lambda: not lives(head))
        assert until(
            lambda: not machine.supervisors() or not any(map(lives, machine.supervisors()))
        )
    machine.assert_nothing_left()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("provider: {type: lokal}", "unknown type 'lokal'; did you mean local?"),
        ("provider: {type: local}\nmax_worker: 3", "did you mean max_workers?"),
        (
            "provider: {type: local}\navailable_node_types: {a: {min_workers: 2, max_workers: 1}}",
            "min_workers (2) is more than max_workers (1)",
        ),
    ],
)
def test_a_wrong_configuration_is_told_with_its_place(
    wrong: str, said: str, tmp_path: Path
) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text(wrong)
    with Machine(tmp_path) as machine:
        started = machine.raysim("start", "--head", "--autoscaling-config", str(config))
    assert started.returncode == 2
    assert f"{config}:" in started.stderr
    assert said in started.stderr


def test_nodes_that_it_starts_have_its_token_and_its_certificates(tmp_path: Path) -> None:
    """Though the one is in the environment of who started it, and the others are in its options."""
    tls = Authority(tmp_path).files()
    with Machine(tmp_path) as machine:
        machine.environment["RAYSIM_AUTH_TOKEN"] = "0123456789abcdef"
        config = tmp_path / "grows.yaml"
        config.write_text(GROWS)
        how = ("--tls-cert", tls.cert, "--tls-key", tls.key, "--tls-ca", tls.ca)
        machine.start_head("--num-cpus", "1", "--autoscaling-config", str(config), *how)
        with machine.program(NEEDS_NODES, str(tmp_path)) as program:
            (tmp_path / "end").touch()
            assert program.told() >= 1
            program.end()
        assert machine.raysim("stop").returncode == 0
