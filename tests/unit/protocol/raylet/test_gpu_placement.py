"""What other raylets are told of each GPU, and what becomes of it in choices."""

from raysim.policies.choice import Wish
from raysim.protocol.messages import (
    RegisterWorker,
    ReportResources,
    ResourceView,
    ReturnWorkerLease,
    WorkerLeaseRejected,
    WorkerLeaseSpilled,
)
from raysim.protocol.rooms import rooms
from raysim.spec.address import Address
from raysim.spec.node import NodeView
from raysim.spec.resources import fixed, to_units
from raysim.spec.task import Default
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import GCS, Node, worker_address


def told(node: Node, name: str, gpus: list[float], version: int = 1) -> None:
    """The GCS says what is free of the GPUs of another node."""
    total = fixed({"CPU": 64, "GPU": len(gpus)})
    free = fixed({"CPU": 64, "GPU": sum(gpus)})
    units = tuple(to_units(one) for one in gpus)
    view = NodeView(address(name), total, free, version, gpus=units)
    node.tell(GCS, ResourceView([view]))


def share(of: float) -> dict[str, int]:
    return fixed({"CPU": 1, "GPU": of})


def gpus_of(node: Node) -> list[float]:
    return [one / 10_000 for one in node.raylet.view.local.gpus]


def test_half_of_two_gpus_is_no_room_for_a_whole_one(owner: Address) -> None:
    node = Node(others={"halves": 64, "whole": 64})
    told(node, "halves", [0.5, 0.5])
    told(node, "whole", [0, 1])
    node.ask(owner, 1, share(1))
    assert node.spilled() == {1: address("whole")}


def test_requests_that_were_sent_on_are_deducted_from_single_gpus(owner: Address) -> None:
    """Of two GPUs 0.6 is left in all then, but 0.6 of none."""
    node = Node(others={"there": 64, "yonder": 64})
    told(node, "there", [1, 1])
    told(node, "yonder", [0.6])
    for lease_id in (1, 2, 3):
        node.ask(owner, lease_id, share(0.7 if lease_id < 3 else 0.6))
    assert node.spilled() == {1: address("there"), 2: address("there"), 3: address("yonder")}


def test_request_for_room_that_is_in_parts_by_now_is_rejected_and_shown_them(
    owner: Address, other: Address
) -> None:
    node = Node(GPU=2)
    for lease_id in (1, 2):
        node.lease(owner, lease_id, share(0.6))
    [(to, rejected)] = node.ask(other, 1, share(0.5), hops=1, grant_or_reject=True)
    assert to == other
    assert isinstance(rejected, WorkerLeaseRejected)
    assert rejected.node.gpus == (4_000, 4_000)


def test_what_is_free_of_each_gpu_is_told_in_reports(owner: Address) -> None:
    node = Node(GPU=2)
    node.lease(owner, 1, share(0.25))
    node.lease(owner, 2, share(1))
    assert gpus_of(node) == [0.75, 0]
    node.tell(owner, ReturnWorkerLease(1))
    node.host.advance(10**9)
    *_, (to, report) = node.host.of(ReportResources)
    assert to == GCS
    assert report.gpus == (10_000, 0)


def test_node_without_gpus_tells_nothing_of_them(owner: Address) -> None:
    node = Node()
    node.lease(owner, 1)
    assert node.raylet.view.snapshot().gpus == ()


def test_gpus_that_the_policy_chose_go_with_the_request(owner: Address) -> None:
    """To a policy that has seen requests for a tenth of a GPU, 0.05 of one are lost."""
    node = Node(others={"there": 64}, policy="fgd")
    told(node, "there", [0.15, 0.2], version=1)
    node.ask(owner, 1, share(0.1))
    told(node, "there", [0.15, 0.2], version=2)
    node.ask(owner, 2, share(0.1))
    *_, (_, answer) = node.host.of(WorkerLeaseSpilled)
    assert answer.gpus == (1,)


def test_gpus_that_were_chosen_are_taken_while_they_have_room(
    owner: Address, other: Address
) -> None:
    node = Node(GPU=3)
    node.ask(other, 1, share(0.5), hops=1, grant_or_reject=True, gpus=(2,))
    node.ask(other, 2, share(0.6), hops=1, grant_or_reject=True, gpus=(2,))
    assert gpus_of(node) == [0.4, 1, 0.5]
    for token in node.host.workers.started:
        node.tell(worker_address(token), RegisterWorker(token, 1000 + token))
    assert node.gpus(other) == {1: [2], 2: [0]}


def test_node_with_parts_of_gpus_is_said_to_have_no_piece(owner: Address) -> None:
    node = Node(others={"halves": 64})
    told(node, "halves", [0.5, 0.5])
    wish = Wish(share(1), Default())
    views = [node.raylet.view.local, node.raylet.view.nodes[address("halves").node_id]]
    halves, _ = rooms(wish, views)
    assert halves.why == "has enough GPU free, but not in one piece"
    assert halves.ever
