"""The GCS has nodes started for what waits, and idle ones ended in two steps."""

from typing import Any

import msgspec
import pytest

from raysim.config import MS
from raysim.policies import create
from raysim.protocol.gcs import Gcs
from raysim.protocol.gcs.autoscaler import Autoscaler
from raysim.protocol.messages import (
    DrainRaylet,
    NodeRegistered,
    NodeRemoved,
    RayletDrains,
    RegisterNode,
    ReportResources,
)
from raysim.protocol.process import Process
from raysim.spec.address import Address
from raysim.spec.autoscaling import NODE_GROUP, AutoscalingSpec, Demand, NodeType
from raysim.spec.ids import NodeId
from raysim.spec.node import StoreStats
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import FakeHost, address
from tests.unit.protocol.gcs.head import Head, info

FOUR = fixed({"CPU": 4})
PERIOD_NS = 1_000 * MS
IDLE_NS = 10_000 * MS


class FakeProvider:
    """A `NodeProvider` that lists what it was asked for."""

    def __init__(self) -> None:
        self.launches: list[tuple[int, str]] = []
        self.terminated: list[NodeId] = []

    def launch(self, number: int, node_type: str) -> None:
        self.launches.append((number, node_type))

    def terminate(self, node_id: NodeId) -> None:
        self.terminated.append(node_id)


class Growing(Head):
    """A head with an autoscaler of two types, `small` the better one."""

    def __init__(self) -> None:
        self.host = FakeHost(address("head"))
        self.provider = FakeProvider()
        spec = AutoscalingSpec(
            node_types=(
                NodeType("small", FOUR, {NODE_GROUP: "small"}, max_workers=3),
                NodeType("large", fixed({"CPU": 16}), {NODE_GROUP: "large"}, max_workers=3),
            ),
            max_workers=5,
            idle_timeout_ns=IDLE_NS,
            period_ns=PERIOD_NS,
        )
        policy = create("hybrid", self.host.config)
        self.gcs = Gcs(self.host, policy, spec, self.provider)
        assert self.gcs.autoscaler is not None
        self.autoscaler: Autoscaler = self.gcs.autoscaler
        self.process = Process([self.gcs])
        self.process.start()
        self.join("head", 0)

    def grown(self, name: str, kind: str = "small") -> Address:
        """A node that was started for a type joins."""
        raylet = address(name)
        node = msgspec.structs.replace(info(raylet, name, 4), labels={NODE_GROUP: kind})
        self.tell(raylet, RegisterNode(node))
        self.host.advance(0)
        return raylet

    def report(self, raylet: Address, version: int, busy: bool, *demand: Demand) -> None:
        free = {} if busy else FOUR
        self.tell(raylet, ReportResources(version, FOUR, free, 0, StoreStats(), busy, list(demand)))


@pytest.fixture
def head() -> Growing:
    return Growing()


def demand(count: int, **resources: float) -> Demand:
    return Demand(fixed(resources), (), count)


def test_nodes_are_told_to_say_what_waits(head: Growing) -> None:
    head.take(NodeRegistered)
    head.grown("a")
    assert head.one(NodeRegistered)[1].autoscales


def test_what_waits_at_a_raylet_starts_nodes_at_the_next_look(head: Growing) -> None:
    head.report(address("head"), 1, True, demand(6, CPU=1))
    assert head.provider.launches == []
    head.host.advance(PERIOD_NS)
    assert head.provider.launches == [(1, "small"), (2, "small")]


def test_what_is_on_its_way_is_not_asked_for_again(head: Growing) -> None:
    head.report(address("head"), 1, True, demand(6, CPU=1))
    head.host.advance(PERIOD_NS)
    head.autoscaler.launched(1, address("a").node_id)
    head.host.advance(10 * PERIOD_NS)
    assert len(head.provider.launches) == 2
    head.grown("a")
    head.host.advance(PERIOD_NS)
    assert len(head.provider.launches) == 2


def test_a_node_that_dies_on_its_way_is_replaced(head: Growing) -> None:
    head.report(address("head"), 1, True, demand(4, CPU=1))
    head.host.advance(PERIOD_NS)
    head.autoscaler.launched(1, address("a").node_id)
    raylet = head.grown("a")
    head.process.peer_lost(raylet)
    head.host.advance(PERIOD_NS)
    assert head.provider.launches == [(1, "small"), (2, "small")]


def test_what_cannot_be_had_is_left_alone_for_a_while(head: Growing) -> None:
    head.report(address("head"), 1, True, demand(4, CPU=1))
    head.host.advance(PERIOD_NS)
    head.autoscaler.launch_failed(1)
    head.host.advance(0)
    assert head.provider.launches == [(1, "small"), (2, "large")]
    head.autoscaler.launch_failed(2)
    head.host.advance(10 * PERIOD_NS)
    assert len(head.provider.launches) == 2
    head.host.advance(60_000 * MS)
    assert head.provider.launches[2:] == [(3, "small")]


def test_an_idle_node_is_asked_first_and_ended_when_it_agrees(head: Growing) -> None:
    raylet = head.grown("a")
    head.report(raylet, 1, False)
    head.host.advance(IDLE_NS - PERIOD_NS)
    assert head.take(DrainRaylet) == []
    head.host.advance(2 * PERIOD_NS)
    assert {to for to, _ in head.take(DrainRaylet)} == {raylet}
    assert head.provider.terminated == []
    head.tell(raylet, RayletDrains(True, idle=True))
    assert head.provider.terminated == [raylet.node_id]
    assert {to for to, _ in head.take(NodeRemoved)} == {address("head")}


def test_a_node_that_got_something_to_do_meanwhile_stays(head: Growing) -> None:
    raylet = head.grown("a")
    head.report(raylet, 1, False)
    head.host.advance(IDLE_NS + PERIOD_NS)
    head.take(DrainRaylet)
    head.tell(raylet, RayletDrains(False, idle=True))
    head.host.advance(5 * PERIOD_NS)
    assert head.take(DrainRaylet) == []
    assert head.provider.terminated == []


def test_being_busy_in_between_begins_the_idle_time_anew(head: Growing) -> None:
    raylet = head.grown("a")
    head.report(raylet, 1, False)
    head.host.advance(IDLE_NS - PERIOD_NS)
    head.report(raylet, 2, True)
    head.report(raylet, 3, False)
    head.host.advance(IDLE_NS - PERIOD_NS)
    assert head.take(DrainRaylet) == []


def test_a_node_that_nobody_started_for_a_type_is_never_ended(head: Growing) -> None:
    raylet = head.join("mine", 4)
    for idle in (raylet, address("head")):
        head.report(idle, 1, False)
    head.host.advance(10 * IDLE_NS)
    assert head.take(DrainRaylet) == []


def test_without_an_autoscaler_nodes_are_not_asked_what_waits() -> None:
    plain: Any = Head()
    plain.take(NodeRegistered)
    plain.join("a")
    assert not plain.one(NodeRegistered)[1].autoscales
