"""From what was typed to an experiment, and back to the line that runs it again."""

import shlex
from pathlib import Path

from raysim.cli.request import Request
from raysim.scenario.model import Network

SCENARIO = """\
cluster: {nodes: 2, cpus: 2, network: {latency: 1ms}}
workload: {kind: tasks, count: 4, duration: 1s}
"""


def written(tmp_path: Path) -> str:
    file = tmp_path / "bag.yaml"
    file.write_text(SCENARIO)
    return str(file)


def test_what_is_typed_wins_over_the_file(tmp_path):
    asked = Request(
        target=written(tmp_path),
        nodes=3,
        cpus=8,
        seed=9,
        network="free",
        policy="spread",
        faults=("kill_node(at=50%)",),
    )
    scenario = asked.load().scenario
    assert (scenario.cluster.nodes, scenario.cluster.cpus) == (3, 8)
    assert (scenario.seed, scenario.policy, scenario.cluster.network) == (9, "spread", "free")
    assert [str(fault) for fault in scenario.faults] == ["kill_node(at=50%)"]


def test_the_network_lan_is_the_measured_one_not_the_file_s(tmp_path):
    scenario = Request(target=written(tmp_path), network="lan").load().scenario
    assert scenario.cluster.network == Network()


def test_what_is_not_typed_stays_as_the_file_has_it(tmp_path):
    scenario = Request(target=written(tmp_path)).load().scenario
    assert (scenario.cluster.total_cpus(), scenario.seed) == (4, 0)
    assert scenario.cluster.network != Network()


def test_the_line_that_runs_it_again_can_be_typed():
    asked = Request(
        target="my app.py",
        args=("--size", "3"),
        backend="cluster",
        nodes=2,
        cpus=1.5,
        faults=("kill_node(at=5s)",),
    )
    assert shlex.split(asked.command()) == [
        *("raysim", "run", "my app.py", "--backend", "cluster", "--nodes", "2", "--cpus", "1.5"),
        *("--fault", "kill_node(at=5s)", "--", "--size", "3"),
    ]
