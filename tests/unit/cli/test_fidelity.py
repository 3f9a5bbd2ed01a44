"""`raysim calibrate` and `raysim validate`, as a person types them."""

from pathlib import Path

import pytest

from raysim.cli.fidelity import machine_text, table_of_costs
from raysim.fidelity.calibration import Fitted
from raysim.fidelity.probes import PROBES
from raysim.scenario.machine import load_network

FOUND = {
    "call": 12_300.4,
    "message": 26_000.0,
    "sleep": 150_000.0,
    "local_latency": 1_000.0,
    "latency": 78_000.0,
    "bandwidth": 690_300_000.0,
    "worker_start": 60_000_000.0,
}


@pytest.fixture
def fitted():
    return [Fitted(probe, 0.02, 0.021, FOUND[probe.cost]) for probe in PROBES]


def test_what_was_measured_is_a_network_that_runs_take(raysim, fitted):
    Path("machine.yaml").write_text(machine_text(fitted))
    network = load_network(Path("machine.yaml"))
    assert (network.call, network.bandwidth, network.worker_start) == (
        12_300,
        690_000_000,
        60_000_000,
    )
    ended = raysim("run", "bag.yaml", "--network", "machine.yaml", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert "--network machine.yaml" in ended.out


def test_the_table_says_how_near_each_probe_is(fitted):
    assert (
        "| `latency` | 78us | the same on another node | 20.0 ms | 21.0 ms | 5.0% |"
        in table_of_costs(fitted)
    )


def test_a_misspelt_cost_is_told_with_its_place(raysim):
    Path("machine.yaml").write_text("cluster:\n  network:\n    latncy: 1ms\n")
    ended = raysim("run", "bag.yaml", "--network", "machine.yaml")
    assert ended.code == 2
    assert "machine.yaml:3:5: unknown key 'latncy'; did you mean latency?" in ended.err


def test_a_machine_that_is_not_there(raysim):
    ended = raysim("validate", "bag.yaml", "--network", "machin.yaml")
    assert ended.code == 2
    assert ended.err.startswith("machin.yaml: there is no such file")


def test_costs_that_cannot_be_written_are_not_measured(raysim):
    ended = raysim("calibrate", "--out", "nowhere/machine.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert "--out nowhere/machine.yaml: cannot be written: No such file" in ended.err


def test_both_worlds_side_by_side(raysim):
    """On any machine the real run is at most so much slower than the simulated one."""
    ended = raysim(
        "validate",
        "bag.yaml",
        "--seconds",
        "0.4",
        "--runs",
        "1",
        "--median",
        "900",
        "--worst",
        "900",
        "--out",
        "v.json",
    )
    assert (ended.code, ended.err) == (0, "")
    assert "| bag | 8 | x0.2 | 2.0" in ended.out
    assert "Makespan: median error" in ended.out
    assert "real_makespans_s" in Path("v.json").read_text()


def test_beyond_the_bounds_the_command_says_so(raysim):
    ended = raysim(
        "validate", "bag.yaml", "--seconds", "0.2", "--runs", "1", "--median", "0", "--worst", "0"
    )
    assert ended.code == 1
