import pytest

from raysim.faults import parse_fault
from raysim_sim.costs import FREE, LAN, costs_from
from raysim_sim.options import read_options


def test_a_network_is_a_name_or_changes_to_the_defaults():
    assert costs_from("free") == FREE
    assert costs_from("lan") == LAN
    changed = costs_from({"latency": "2ms", "bandwidth": 1_000})
    assert (changed.latency, changed.bandwidth) == (2_000_000, 1_000)
    assert changed.local_latency == LAN.local_latency


def test_what_a_scenario_leaves_open_keeps_the_default():
    assert costs_from({"latency": None, "bandwidth": None}) == LAN


@pytest.mark.parametrize(
    ("world", "error"),
    [
        ({"netwrok": "lan"}, "no option 'netwrok'; did you mean 'network'?"),
        ({"network": "fre"}, "unknown network 'fre'; did you mean 'free'?"),
        ({"network": {"latencies": 1}}, "no 'latencies'; did you mean 'latency'?"),
        ({"network": {"latency": -1}}, "latency=-1"),
        ({"network": {"poll": 0}}, "poll=0"),
    ],
)
def test_a_wrong_option_is_answered_with_the_nearest_right_one(world, error):
    with pytest.raises(ValueError, match=error.replace("?", r"\?")):
        read_options(world)


@pytest.mark.parametrize("world", [{"faults": "kill_node(at=1s)"}, {"faults": [1]}, {"wire": 1}])
def test_an_option_of_the_wrong_kind_is_refused(world):
    with pytest.raises(TypeError):
        read_options(world)


def test_faults_are_taken_as_they_are():
    fault = parse_fault("kill_node(at=5s)")
    assert read_options({"faults": [fault]}).faults == (fault,)
