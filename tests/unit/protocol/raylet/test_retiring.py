"""What a node says of what waits at it, and how it leaves a cluster that shrinks."""

from raysim.protocol.messages import (
    DrainRaylet,
    RayletDrains,
    ReportResources,
    ReturnWorkerLease,
)
from raysim.spec.address import Address
from raysim.spec.autoscaling import Demand
from raysim.spec.resources import fixed
from raysim.spec.task import InBundle, NodeAffinity
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import GCS, Node

CPU1, CPU4, GPU1 = fixed({"CPU": 1}), fixed({"CPU": 4}), fixed({"GPU": 1})


def retires(node: Node) -> bool:
    node.tell(GCS, DrainRaylet("idle for 10 s", only_if_idle=True))
    to, answer = node.host.of(RayletDrains)[-1]
    assert to == GCS
    return answer.accepted


def reported(node: Node) -> ReportResources:
    node.host.advance(node.host.config.resource_report_period_ns)
    return node.host.of(ReportResources)[-1][1]


def autoscaled(node: Node) -> None:
    """As if the GCS had said so when the node registered."""
    node.raylet.reports.demand = node.raylet.leases.book.demand


def test_a_node_with_nothing_to_do_leaves_and_grants_nothing_more(
    node: Node, owner: Address
) -> None:
    assert retires(node)
    node.ask(owner, 1)
    assert node.granted(owner) == {}
    assert node.host.workers.started == []
    assert retires(node)


def test_a_node_that_lends_a_worker_stays(node: Node, owner: Address) -> None:
    node.lease(owner, 1, {})
    assert not retires(node)
    assert reported(node).busy
    node.tell(owner, ReturnWorkerLease(1))
    assert not reported(node).busy
    assert retires(node)


def test_a_node_at_which_something_waits_stays(node: Node, owner: Address) -> None:
    node.ask(owner, 1, GPU1)
    assert not retires(node)


def test_a_node_that_keeps_an_object_stays(node: Node, owner: Address) -> None:
    node.host.store.create(10)
    assert not retires(node)


def test_what_waits_is_reported_by_shape_with_what_waits_behind_it(
    node: Node, owner: Address
) -> None:
    autoscaled(node)
    node.lease(owner, 1, CPU4)
    node.ask(owner, 2, CPU1, backlog=7)
    node.ask(owner, 3, CPU1, backlog=6)
    node.ask(address("other", "here"), 1, CPU1)
    node.ask(owner, 4, GPU1)
    assert reported(node).demand == [Demand(CPU1, (), 3 + 6), Demand(GPU1, (), 1)]


def test_a_repeated_request_brings_the_latest_backlog(node: Node, owner: Address) -> None:
    autoscaled(node)
    node.ask(owner, 1, GPU1, backlog=1)
    assert reported(node).demand == [Demand(GPU1, (), 2)]
    node.ask(owner, 1, GPU1, backlog=9)
    assert reported(node).demand == [Demand(GPU1, (), 10)]


def test_what_no_new_node_would_help_is_no_demand(node: Node, owner: Address) -> None:
    autoscaled(node)
    node.ask(owner, 1, GPU1, NodeAffinity(address("here").node_id, soft=False))
    node.ask(owner, 2, GPU1, InBundle(b"g" * 18))
    assert reported(node).demand == []


def test_nobody_hears_of_demand_who_did_not_ask(node: Node, owner: Address) -> None:
    node.ask(owner, 1, GPU1)
    assert reported(node).demand == []
