"""Pods that come one by one and never leave, on clusters small enough to reckon by hand."""

from random import Random

import pytest

from bench.paper.openb import fill, tuned
from raysim.scenario.traces.openb import Machine
from raysim.scenario.traces.task import TraceTask

GIB = 1 << 30


def machine(name: str, gpus: int, cpus: float = 8) -> Machine:
    return Machine(name=name, cpus=cpus, gpus=gpus, memory=8 * GIB, model="T4")


def pod(name: str, gpus: float, cpus: float = 1) -> TraceTask:
    return TraceTask(id=name, submit_s=0, duration_s=1, cpus=cpus, gpus=gpus, memory=GIB)


def test_pods_are_drawn_again_until_they_ask_for_more_than_there_is() -> None:
    pods = [pod("a", 1), pod("b", 0.5)]
    order = tuned(pods, 10 * 10_000, Random(1))
    asked = sum(one.gpus for one in order)
    assert set(pods) == set(order)
    assert 12 <= asked <= 13


def test_too_many_pods_are_left_out() -> None:
    order = tuned([pod(f"pod-{number}", 1) for number in range(20)], 10 * 10_000, Random(1))
    assert sum(one.gpus for one in order) == 13


@pytest.mark.parametrize("policy", ["fgd", "gpu_best_fit", "random"])
def test_whole_gpus_are_filled_to_the_last(policy: str) -> None:
    run = fill([machine("a", 4), machine("b", 4)], [pod("one", 1)], policy, 1, (50, 100))
    assert run.allocated == {50: 50, 100: 100}
    assert run.fragmented == {50: 0, 100: 0}
    assert run.unplaced == run.pods - 8


def test_what_is_left_of_gpus_after_large_shares_is_fragmented() -> None:
    run = fill([machine("a", 5)], [pod("share", 0.8)], "fgd", 1, (16, 96))
    assert run.allocated[96] == 80
    assert run.fragmented == {16: pytest.approx(4), 96: pytest.approx(20)}


def test_gpus_beside_which_no_cores_are_left_are_fragmented() -> None:
    run = fill([machine("a", 4, cpus=2)], [pod("thick", 0.5, cpus=1)], "gpu_packing", 1, (100,))
    assert run.allocated[100] == 25
    assert run.fragmented[100] == 75
