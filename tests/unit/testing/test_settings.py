"""What `simulate` was given becomes the profile of each run."""

import pytest

from raysim.faults import Order, parse_fault
from raysim.faults.kinds import BY_NAME
from raysim.faults.swarm import Profile, Swarm
from raysim.tape import Recording, SeededTape
from raysim.testing.settings import BUDGET, GROUPS, kinds_of, settings_of

SECOND = 10**9


def profiles(count=50, **given):
    settings = settings_of(**given)
    return [settings.profile(SeededTape(seed)) for seed in range(count)]


def test_groups_name_kinds_that_the_simulator_performs():
    named = [kind for kinds in GROUPS.values() for kind in kinds]
    assert len(named) == len(set(named))
    assert set(named) <= set(BY_NAME)


def test_words_name_groups_kinds_and_all():
    assert kinds_of("gcs + delay") == (*GROUPS["gcs"], "delay")
    assert set(kinds_of("all")) == {kind for kinds in GROUPS.values() for kind in kinds}
    assert kinds_of("crashes+kill_node") == GROUPS["crashes"]
    assert kinds_of("") == ()


def test_without_faults_runs_differ_in_network_and_order_only():
    drawn = profiles()
    assert {(one.nodes, one.cpus) for one in drawn} == {(4, 2)}
    assert not any(one.faults or one.knobs or one.buggify for one in drawn)
    assert len({str(one.order) for one in drawn}) > 5
    assert len({str(one.network) for one in drawn}) > 3


def test_the_simplest_choices_are_the_plain_cluster():
    assert settings_of(faults="all").profile(Recording(0).simplest().tape()) == Profile(
        nodes=4, cpus=2
    )


def test_drawn_faults_keep_to_their_kinds_and_budget():
    drawn = profiles(200, faults="crashes")
    kinds = {fault.tag() for one in drawn for fault in one.faults}
    assert kinds == set(GROUPS["crashes"])
    assert max(len(one.faults) for one in drawn) == BUDGET.node_losses + BUDGET.worker_losses
    assert max(len(one.faults) for one in profiles(200, faults="network")) == BUDGET.faults
    assert sum(not one.faults for one in drawn) < 100, "most runs have a fault"


def test_listed_faults_strike_every_run_beside_what_is_drawn():
    listed = ["kill_node(at=20s)", parse_fault("delay(at=1s)")]
    for one in profiles(faults=listed):
        assert [str(fault) for fault in one.faults] == ["kill_node(at=20s)", "delay(at=1s)"]


def test_faults_are_healed_after_the_window_if_they_are_drawn_and_late_if_they_are_listed():
    assert settings_of(within=60).limits() == {"heal_ns": 10 * SECOND, "converge_ns": 60 * SECOND}
    listed = settings_of(faults=["kill_node(at=50s)"], within=60)
    assert listed.limits() == {"heal_ns": 60 * SECOND, "converge_ns": 60 * SECOND}


def test_what_is_given_is_not_drawn_and_shifts_nothing_else():
    free = profiles(faults="crashes")
    fixed = profiles(faults="crashes", order="random(bound=1ms)", network={"latency": "5ms"})
    assert {str(one.order) for one in fixed} == {"random(bound=1ms)"}
    assert all(one.network == {"latency": "5ms"} for one in fixed)
    assert [one.faults for one in free] == [one.faults for one in fixed]


def test_a_swarm_keeps_its_own_limits_where_nothing_else_is_said():
    swarm = Swarm(nodes=(2, 3), cpus=(1, 1))
    assert {one.nodes for one in profiles(faults=swarm)} == {2, 3}
    assert {(one.nodes, one.cpus) for one in profiles(faults=swarm, nodes=5, num_cpus=8)} == {
        (5, 8)
    }


def test_buggify_is_on_in_some_runs_if_asked_for():
    assert {one.buggify is not None for one in profiles(buggify=True)} == {True, False}


def test_an_order_may_be_given_as_such():
    assert settings_of(order=Order("random")).order == Order("random")


@pytest.mark.parametrize("words", ["crashs", "crashes + dely"])
def test_an_unknown_word_is_told_with_the_nearest(words):
    with pytest.raises(ValueError, match="did you mean"):
        settings_of(faults=words)
