from raysim.config import Config
from raysim.protocol.messages import (
    NodeRemoved,
    ReturnWorkerLease,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
)
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.resources import fixed
from raysim.spec.task import NodeAffinity, Spread
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import ACTOR, GCS, Node, info, joined

GPU1 = fixed({"GPU": 1})


def full_node(owner: Address, **others: float) -> Node:
    """One CPU here, taken; other nodes by name and CPUs."""
    node = Node(cpus=1, others=others)
    node.lease(owner, 1)
    node.host.take()
    return node


def test_request_goes_where_there_is_room(owner: Address) -> None:
    node = full_node(owner, there=4)
    assert node.ask(owner, 2) == [
        (owner, WorkerLeaseSpilled(2, address("there"), 1, grant_or_reject=True))
    ]


def test_spilled_request_is_deducted_from_the_view_at_once(owner: Address) -> None:
    """Before any report comes, the next request must not go to the same last place."""
    node = full_node(owner, there=1, yonder=1)
    node.ask(owner, 2)
    node.ask(owner, 3)
    node.ask(owner, 4)
    assert set(node.spilled()) == {2, 3}
    assert set(node.spilled().values()) == {address("there"), address("yonder")}


def test_deduction_is_replaced_by_the_next_view(owner: Address) -> None:
    node = full_node(owner, there=1)
    node.ask(owner, 2)
    node.view_of("there", cpus=1, version=1)
    node.ask(owner, 3)
    assert node.spilled()[3] == address("there")


def test_deduction_for_a_request_that_never_arrived_ends(owner: Address) -> None:
    """Nothing changes at the other node, so that no view of it ever comes."""
    node = full_node(owner, there=1)
    node.ask(owner, 2)
    node.ask(owner, 3)
    assert set(node.spilled()) == {2}
    node.host.advance(1_000_000_000)
    assert node.spilled()[3] == address("there")


def test_deduction_that_a_view_replaced_does_not_end_again(owner: Address) -> None:
    """Its end would bring back what was reported before that view."""
    node = full_node(owner, there=1)
    node.ask(owner, 2)
    node.view_of("there", cpus=1, version=1, free=0)
    node.host.advance(1_000_000_000)
    node.ask(owner, 3)
    assert set(node.spilled()) == {2}


def test_older_view_does_not_replace_a_newer_one(owner: Address) -> None:
    node = full_node(owner, there=1)
    node.view_of("there", cpus=1, version=5, free=0)
    node.view_of("there", cpus=1, version=4, free=1)
    node.ask(owner, 2)
    assert node.spilled() == {}


def test_view_of_this_node_is_not_believed(owner: Address) -> None:
    node = full_node(owner)
    node.view_of("here", cpus=1, version=9, free=1)
    assert node.free() == 0


def test_shared_view_is_never_written_to(owner: Address) -> None:
    """In one process many raylets are handed the same message."""
    there = info("there", 1)
    node = full_node(owner)
    node.tell(GCS, joined(there))
    node.ask(owner, 2)
    assert node.spilled() == {2: there.address}
    assert there.total == fixed({"CPU": 1})


def test_repeated_request_is_sent_to_the_same_node_again(owner: Address) -> None:
    """Room has come free here, but the first answer may have been followed already."""
    node = full_node(owner, there=4)
    first = node.ask(owner, 2)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.ask(owner, 2) == first


def test_request_that_went_round_is_decided_anew(owner: Address) -> None:
    node = full_node(owner, there=4)
    node.ask(owner, 2)
    node.tell(owner, ReturnWorkerLease(1))
    node.ask(owner, 2, hops=2)
    assert 2 in node.granted(owner)


def test_request_that_was_sent_here_stays_if_there_is_room(owner: Address, other: Address) -> None:
    """Above the threshold this node would choose another: the two would play ping-pong."""
    node = Node(cpus=4, others={"there": 64})
    for lease_id in (1, 2):
        node.lease(owner, lease_id)
    node.ask(other, 1, hops=1)
    node.ask(other, 2)
    assert node.spilled() == {2: address("there")}


def test_request_queues_where_its_hops_end(owner: Address) -> None:
    node = full_node(owner, there=4)
    assert node.ask(owner, 2, hops=node.host.config.max_spillback_hops) == []
    node.tell(owner, ReturnWorkerLease(1))
    assert 2 in node.granted(owner)


def test_request_at_the_end_of_its_hops_is_not_spilled_from_the_queue_either() -> None:
    owner = address("driver", "here")
    node = full_node(owner, there=4)
    node.ask(owner, 2, hops=node.host.config.max_spillback_hops)
    node.view_of("there", cpus=4, version=1)
    assert node.spilled() == {}


def test_queued_request_is_spilled_when_a_view_shows_room(owner: Address) -> None:
    node = full_node(owner, there=1)
    node.view_of("there", cpus=1, version=1, free=0)
    node.ask(owner, 2)
    node.ask(owner, 3)
    node.view_of("there", cpus=1, version=2, free=1)
    assert node.spilled() == {2: address("there")}
    node.tell(owner, ReturnWorkerLease(1))
    assert 3 in node.granted(owner)


def test_queued_request_is_spilled_to_a_node_that_joins(owner: Address) -> None:
    node = full_node(owner)
    node.ask(owner, 2)
    node.tell(GCS, joined(info("there", 1)))
    assert node.spilled() == {2: address("there")}


def test_request_that_fits_no_node_waits_for_one_that_joins(owner: Address) -> None:
    node = Node()
    assert node.ask(owner, 1, GPU1) == []
    assert node.raylet.view.local.queued == 1
    node.tell(GCS, joined(info("there", 1, GPU=1)))
    assert node.spilled() == {1: address("there")}
    assert node.raylet.view.local.queued == 0


def test_request_that_fits_only_another_full_node_queues_there(owner: Address) -> None:
    node = Node(cpus=1, others={"there": 4})
    node.view_of("there", cpus=4, version=1, free=0)
    node.ask(owner, 1, fixed({"CPU": 2}))
    assert node.spilled() == {1: address("there")}


def test_removed_node_is_not_chosen_any_more(owner: Address) -> None:
    node = full_node(owner, there=4)
    node.tell(GCS, NodeRemoved(address("there").node_id, "no answer"))
    node.view_of("there", cpus=4, version=3)
    node.ask(owner, 2)
    assert node.spilled() == {}


def test_node_whose_raylet_is_lost_is_not_chosen_any_more(owner: Address) -> None:
    """The broken connection is seen before the GCS removes the node."""
    node = full_node(owner, there=4)
    node.lose(address("there"))
    node.ask(owner, 2)
    assert node.spilled() == {}


# Strategies


def test_affinity_sends_a_request_to_its_node_whether_it_has_room_or_not(owner: Address) -> None:
    node = Node(others={"there": 1})
    node.view_of("there", cpus=1, version=1, free=0)
    node.ask(owner, 1, strategy=NodeAffinity(address("there").node_id))
    assert node.spilled() == {1: address("there")}


def test_affinity_to_this_node_queues_here(owner: Address) -> None:
    node = full_node(owner, there=4)
    node.ask(owner, 2, strategy=NodeAffinity(node.info.address.node_id))
    assert node.spilled() == {}
    node.tell(owner, ReturnWorkerLease(1))
    assert 2 in node.granted(owner)


def test_hard_affinity_to_a_dead_node_is_refused(owner: Address) -> None:
    node = Node(others={"there": 4})
    there = address("there").node_id
    node.tell(GCS, NodeRemoved(there, "no answer"))
    [(to, refused)] = node.ask(owner, 1, strategy=NodeAffinity(there))
    assert to == owner
    assert isinstance(refused, WorkerLeaseRefused)
    assert refused.failure.kind is FailureKind.TASK_UNSCHEDULABLE


def test_hard_affinity_to_a_node_that_is_too_small_is_refused(owner: Address) -> None:
    node = Node(others={"there": 1})
    strategy = NodeAffinity(address("there").node_id)
    [(_, refused)] = node.ask(
        owner, 1, fixed({"CPU": 2}), strategy=strategy, actor_id=ACTOR, lifetime=fixed({})
    )
    assert isinstance(refused, WorkerLeaseRefused)
    assert refused.failure.kind is FailureKind.ACTOR_UNSCHEDULABLE
    assert "CPU=2" in refused.failure.text
    assert "CPU=1" in refused.failure.text


def test_hard_affinity_to_an_unknown_node_waits_for_word_of_it(owner: Address) -> None:
    """The driver learnt of the node from the GCS, this raylet did not yet."""
    node = Node()
    node.ask(owner, 1, strategy=NodeAffinity(address("there").node_id))
    node.tell(GCS, joined(info("there", 1)))
    assert node.spilled() == {1: address("there")}
    node.host.advance(10_000_000_000)
    assert node.host.of(WorkerLeaseRefused) == []


def test_hard_affinity_to_a_node_that_never_appears_is_refused(owner: Address) -> None:
    node = Node()
    assert node.ask(owner, 1, strategy=NodeAffinity(address("there").node_id)) == []
    node.host.advance(node.host.config.request_retry_ns)
    [(to, refused)] = node.host.of(WorkerLeaseRefused)
    assert to == owner
    assert refused.failure.kind is FailureKind.TASK_UNSCHEDULABLE
    assert node.raylet.view.local.queued == 0


def test_soft_affinity_to_a_dead_node_runs_elsewhere(owner: Address) -> None:
    node = Node()
    node.ask(owner, 1, strategy=NodeAffinity(address("there").node_id, soft=True))
    assert node.host.workers.started == [1]


def test_spread_takes_turns_whatever_the_cluster_s_policy() -> None:
    owner = address("driver", "here")
    node = Node(others={"there": 4, "yonder": 4}, config=Config(policy="hybrid"))
    for lease_id in range(6):
        node.ask(owner, lease_id, strategy=Spread())
    assert [to.node_id for to in node.spilled().values()] == [
        address(name).node_id for name in ("there", "yonder", "there", "yonder")
    ]
    assert node.free() == 2
