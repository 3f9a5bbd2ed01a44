"""The costs with which the simulator takes as long as what was measured."""

import pytest

from raysim.fidelity import calibration
from raysim.fidelity.calibration import calibrate, network_of, simulate
from raysim.fidelity.probes import PROBES
from raysim.scenario.model import Network

PLANTED = {
    "call": 12_000,
    "message": 30_000,
    "sleep": 80_000,
    "local_latency": 25_000,
    "latency": 140_000,
    "bandwidth": 2.0,
    "worker_start": 22_000_000,
}


@pytest.fixture(scope="module")
def fitted():
    """Found from what the simulator says with the planted costs."""
    patched = pytest.MonkeyPatch()
    patched.setattr(calibration, "measure", lambda probe: simulate(probe, PLANTED))
    try:
        yield {one.probe.cost: one for one in calibrate()}
    finally:
        patched.undo()


@pytest.mark.parametrize("cost", PLANTED)
def test_planted_costs_are_found(fitted, cost):
    assert fitted[cost].value == pytest.approx(network_of(PLANTED)[cost], rel=0.05)
    assert fitted[cost].error < 0.01


def test_each_probe_tells_one_cost_that_a_scenario_may_give():
    assert {probe.cost for probe in PROBES} == set(PLANTED)
    assert set(PLANTED) <= set(Network.model_fields)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.cost)
def test_a_probe_takes_longer_the_more_its_cost_is(probe):
    dearer = {**PLANTED, probe.cost: 1.5 * PLANTED[probe.cost]}
    assert simulate(probe, dearer) > 1.02 * simulate(probe, PLANTED)


def test_a_cost_that_other_costs_explain_is_as_small_as_can_be():
    latency = next(probe for probe in PROBES if probe.cost == "local_latency")
    assert calibration._fit(latency, 1e-6, PLANTED) == 1_000
