"""Policies that are told where arguments are: at once or not at all, or after a wait."""

from random import Random

import pytest

from raysim.config import Config
from raysim.policies import create
from raysim.policies.locality import Delay, Locality
from raysim.policies.registry import asked_of_owners
from raysim.spec.ids import NodeId, named_node_id
from raysim.spec.resources import fixed
from tests.unit.policies.test_policies import cluster, view

S = 1_000_000_000
CPU1 = fixed({"CPU": 1})
HERE, THERE, IDLE = (named_node_id(name) for name in ("here", "there", "idle"))


def picked(
    policy: Locality, near: list[NodeId], waited_s: float = 0, idle: float = 4, there: float = 0
) -> NodeId | None:
    """By the raylet of a full node."""
    nodes = cluster(
        view("here", 4, free=0), view("there", 4, free=there), view("idle", 4, free=idle)
    )
    return policy.pick_near(CPU1, nodes, HERE, Random(1), near, round(waited_s * S))


@pytest.mark.parametrize("policy", [Locality(), Delay(3)])
def test_the_first_node_with_room_that_holds_the_arguments_is_taken(policy: Locality) -> None:
    assert picked(policy, [HERE, THERE], there=1) == THERE
    assert picked(policy, [IDLE, THERE], there=1) == IDLE


def test_without_a_wait_it_goes_where_there_is_room() -> None:
    assert picked(Locality(), [HERE]) == IDLE
    assert picked(Locality(), [THERE]) == IDLE


def test_with_a_wait_it_goes_there_once_it_is_over() -> None:
    assert picked(Delay(3), [HERE], waited_s=2.9) == HERE
    assert picked(Delay(3), [HERE], waited_s=3) == IDLE
    assert picked(Delay(3), [THERE]) == THERE  # Sent on, to wait where its arguments are.
    assert picked(Delay(3), [THERE, HERE]) == HERE  # It waits here already.


@pytest.mark.parametrize("waited_s", [0, 10])
@pytest.mark.parametrize("policy", [Locality(), Delay(3)])
def test_where_nobody_has_room_it_waits_at_its_arguments(policy: Locality, waited_s: int) -> None:
    assert picked(policy, [THERE], waited_s, idle=0) == THERE


def test_nodes_that_are_gone_or_too_small_are_not_waited_for() -> None:
    assert picked(Delay(3), [named_node_id("gone")]) == IDLE
    small = cluster(view("here", 4, free=0), view("small", 1), view("idle", 4, free=4))
    need = fixed({"CPU": 2})
    near = [named_node_id("small")]
    assert Delay(3).pick_near(need, small, HERE, Random(1), near, 0) == IDLE


def test_owners_are_asked_where_arguments_are() -> None:
    assert asked_of_owners(Config(policy="delay(wait_s=1)")).near
    assert not asked_of_owners(Config(policy="least_loaded")).near


def test_a_negative_wait_is_refused() -> None:
    with pytest.raises(ValueError, match="wait_s is at least 0, not -1"):
        create("delay(wait_s=-1)", Config())
