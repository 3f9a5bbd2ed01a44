"""Profiles: sampled within limits, written down, simplest where the tape says nothing."""

import json

import msgspec
import pytest

from raysim.config import Config
from raysim.faults import Order
from raysim.faults.swarm import (
    LOSE_NODES,
    LOSE_WORKERS,
    Budget,
    Profile,
    Swarm,
    profile_from_json,
    sample,
)
from raysim.tape import Recorder, Recording, SeededTape

SEEDS = range(150)


def test_the_simplest_tape_gives_the_simplest_profile():
    assert sample(Recording(0).simplest().tape()) == Profile()


def test_the_same_tape_gives_the_same_profile():
    recorder = Recorder(SeededTape(3), 3)
    profile = sample(recorder)
    assert sample(SeededTape(3)) == sample(recorder.recording().tape()) == profile
    assert sample(SeededTape(4)) != profile


@pytest.mark.parametrize("seed", range(30))
def test_a_profile_is_written_and_read_as_it_was(seed):
    profile = sample(SeededTape(seed))
    assert profile_from_json(json.loads(json.dumps(profile.to_json()))) == profile


LABELLED = Swarm(nodes=(2, 4), small_stores=False, labels=({"zone": "b"}, {"disk": "hdd"}))


@pytest.mark.parametrize("seed", range(10))
def test_nodes_beside_the_head_have_labels_in_some_runs(seed):
    profile = sample(SeededTape(seed), LABELLED)
    assert profile_from_json(json.loads(json.dumps(profile.to_json()))) == profile
    nodes = profile.init_arguments()["nodes"]
    if any(profile.labels):
        assert [node["labels"] for node in nodes] == list(profile.labels)
        assert nodes[0] == {"num_cpus": profile.cpus, "object_store_memory": None, "labels": {}}
        assert "labels of node" in str(profile)
    else:
        assert nodes == profile.nodes


def test_labels_are_sampled_and_do_not_change_what_else_is():
    profiles = [sample(SeededTape(seed), LABELLED) for seed in SEEDS]
    assert {str(one) for profile in profiles for one in profile.labels} == {
        "{}", "{'zone': 'b'}", "{'disk': 'hdd'}",
    }  # fmt: skip
    without = [
        sample(SeededTape(seed), msgspec.structs.replace(LABELLED, labels=())) for seed in SEEDS
    ]
    assert [msgspec.structs.replace(one, labels=()) for one in profiles] == without


def test_a_profile_is_shown_with_all_that_is_not_the_simplest():
    profile = sample(SeededTape(2), Swarm(nodes=(3, 3)))
    text = str(profile)
    for part in (
        *profile.faults,
        *profile.knobs,
        profile.order if profile.order != Order() else "",
    ):
        assert str(part) in text
    assert str(Profile()) == "cluster: 1 node with 1 CPU"


def test_kinds_are_switched_off_and_on_as_a_whole():
    profiles = [sample(SeededTape(seed), Swarm(nodes=(4, 4))) for seed in SEEDS]
    kinds = [len({fault.tag() for fault in profile.faults}) for profile in profiles]
    assert min(kinds) == 0
    assert max(kinds) >= 5
    struck = {fault.tag() for profile in profiles for fault in profile.faults}
    assert {"kill_node", "partition", "restart_gcs", "duplication", "slow_node"} <= struck
    assert not {"heal", "no_capacity", "fail_constructor", "memory_pressure"} & struck


def test_every_order_and_every_knob_has_its_turn():
    profiles = [sample(SeededTape(seed)) for seed in SEEDS]
    assert {profile.order.kind for profile in profiles} == {"fifo", "random", "pct", "delayed"}
    knobs = {name for profile in profiles for name in profile.knobs}
    assert len(knobs) > 10
    assert knobs <= set(Config.__struct_fields__)
    shipped = Config()
    for profile in profiles:
        assert all(getattr(shipped, name) != value for name, value in profile.knobs.items())


def test_policies_have_their_turn_where_a_swarm_names_some():
    words = {"policy": ("hawk", "spread"), "eviction": ("gdsf",)}
    profiles = [sample(SeededTape(seed), Swarm(words=words)) for seed in SEEDS]
    assert {one.knobs.get("policy") for one in profiles} == {None, "hawk", "spread"}
    assert {one.knobs.get("eviction") for one in profiles} == {None, "gdsf"}
    plain = [sample(SeededTape(seed)) for seed in SEEDS]
    without = [{k: v for k, v in one.knobs.items() if k not in words} for one in profiles]
    assert without == [one.knobs for one in plain]
    assert profile_from_json(profiles[0].to_json()) == profiles[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_profile_exceeds_its_budget(seed):
    budget = Budget(faults=6, node_losses=1, worker_losses=2)
    faults = sample(SeededTape(seed), Swarm(nodes=(4, 4), budget=budget)).faults
    tags = [fault.tag() for fault in faults]
    assert len(tags) <= 6
    assert sum(tag in LOSE_NODES for tag in tags) <= 1
    assert sum(tag in LOSE_WORKERS for tag in tags) <= 2


def test_a_single_node_is_not_lost():
    for seed in SEEDS:
        faults = sample(SeededTape(seed), Swarm(nodes=(1, 1))).faults
        assert not {fault.tag() for fault in faults} & {*LOSE_NODES, "isolate", "loss"}


def test_a_budget_names_its_kinds():
    swarm = Swarm(nodes=(3, 3), kinds_on=1.0, budget=Budget(kinds=("kill_worker", "delay")))
    struck = {fault.tag() for seed in SEEDS for fault in sample(SeededTape(seed), swarm).faults}
    assert struck == {"kill_worker", "delay"}
