"""Under an order of the queue that is not Ray's: one request for one call, served when its turn comes."""

from typing import Any

import msgspec
import pytest

from raysim.protocol.messages import (
    CancelWorkerLease,
    PreemptLease,
    QueueTurn,
    ReturnWorkerLease,
    WorkerLeaseRejected,
    WorkerLeaseSpilled,
)
from raysim.spec.address import Address
from raysim.spec.ids import ActorId, job_id
from raysim.spec.job import JobSettings
from raysim.spec.resources import fixed
from raysim.spec.runtime_env import with_job
from raysim.spec.task import Claim
from tests.unit.protocol.raylet.node import ACTOR, PATIENT, Node
from tests.unit.protocol.raylet.test_wishes import why

S = 1_000_000_000


def ordered(order: str, cpus: float = 1, others: dict[str, float] | None = None) -> Node:
    return Node(cpus, others, msgspec.structs.replace(PATIENT, queue=order))


def claim(seconds: float = 1, **more: object) -> Claim:
    return Claim(expected_ns=round(seconds * S), **more)


def cpus(count: float) -> dict[str, int]:
    return fixed({"CPU": count})


def test_the_shortest_of_those_that_wait_is_granted(owner: Address, other: Address) -> None:
    node = ordered("sjf")
    node.lease(owner, 1, claim=claim(5))
    node.ask(owner, 2, claim=claim(3))
    node.ask(other, 3, claim=claim(1))
    node.ask(owner, 4, claim=claim(2))
    node.tell(owner, ReturnWorkerLease(1))
    assert list(node.granted(other)) == [3]
    node.tell(other, ReturnWorkerLease(3))
    assert list(node.granted(owner)) == [1, 4]


def test_a_short_task_that_does_not_fit_lets_a_longer_one_pass(owner: Address) -> None:
    node = ordered("sjf", cpus=2)
    node.lease(owner, 1, claim=claim())
    node.ask(owner, 2, cpus(2), claim=claim(1))
    node.ask(owner, 3, claim=claim(9))
    node.worker_up(2)
    assert 3 in node.granted(owner)


def test_strictly_first_come_nobody_passes_who_has_room(owner: Address) -> None:
    node = ordered("fcfs", cpus=2)
    node.lease(owner, 1, claim=claim())
    node.ask(owner, 2, cpus(2), claim=claim())
    node.ask(owner, 3, claim=claim())
    assert node.host.workers.started == [1]
    assert node.free() == 1


def test_when_the_head_is_cancelled_those_behind_it_have_their_turn(owner: Address) -> None:
    node = ordered("fcfs", cpus=2)
    node.lease(owner, 1, claim=claim())
    node.ask(owner, 2, cpus(2), claim=claim())
    node.ask(owner, 3, claim=claim())
    node.tell(owner, CancelWorkerLease(2))
    node.worker_up(2)
    assert 3 in node.granted(owner)


def test_when_the_owner_of_the_head_is_lost_those_behind_it_have_their_turn(
    owner: Address, other: Address
) -> None:
    node = ordered("fcfs", cpus=2)
    node.lease(owner, 1, claim=claim())
    node.ask(other, 2, cpus(2), claim=claim())
    node.ask(other, 3, cpus(2), claim=claim())
    node.ask(owner, 4, claim=claim())
    node.lose(other)
    node.worker_up(2)
    assert 4 in node.granted(owner)
    assert node.granted(other) == {}


def test_a_task_that_comes_may_be_backfilled_though_others_like_it_wait(owner: Address) -> None:
    """Requests of one shape are not alike: one says that it will end in time."""
    node = ordered("easy", cpus=4)
    node.lease(owner, 1, cpus(3), claim=claim(10))
    node.ask(owner, 2, cpus(4), claim=claim(1))
    node.ask(owner, 3, claim=claim(11))
    assert node.free() == 1
    node.ask(owner, 4, claim=claim(9))
    assert node.free() == 0


def test_what_has_no_claim_waits_for_nobody(owner: Address) -> None:
    """A worker may wait for just this: were it to wait for its turn, both would wait for ever."""
    node = ordered("fcfs", cpus=2)
    node.lease(owner, 1, claim=claim())
    node.ask(owner, 2, cpus(2), claim=claim())
    node.ask(owner, 3)
    assert node.host.workers.started == [1, 2]
    node.tell(owner, ReturnWorkerLease(1))
    node.ask(owner, 4, actor_id=ActorId(ACTOR))
    assert node.free() == 0, "and so does an actor"


def test_a_repeated_request_has_one_place_in_the_queue(owner: Address) -> None:
    node = ordered("sjf")
    node.lease(owner, 1, claim=claim())
    for _ in range(2):
        node.ask(owner, 2, claim=claim())
    node.tell(owner, ReturnWorkerLease(1))
    node.tell(owner, ReturnWorkerLease(2))
    assert node.free() == 1
    assert node.raylet.leases.book.queued() == 0


def test_a_user_counts_across_jobs_and_owners(owner: Address, other: Address) -> None:
    node = ordered("max_min", cpus=3)
    for lease_id in (1, 2, 3):
        node.lease(owner, lease_id, claim=claim(user="ann"))
    node.ask(other, 4, claim=claim(user="ann"))
    node.ask(owner, 5, claim=claim(user="bob"))
    node.tell(owner, ReturnWorkerLease(1))
    assert 5 in node.granted(owner)
    assert node.granted(other) == {}


def test_what_is_used_is_counted_until_it_ends(owner: Address) -> None:
    node = ordered("las")
    node.lease(owner, 1, claim=claim(user="ann"))
    node.ask(owner, 2, claim=claim(user="ann"))
    node.ask(owner, 3, claim=claim(user="bob"))
    node.host.advance(S)
    node.tell(owner, ReturnWorkerLease(1))
    assert list(node.granted(owner)) == [1, 3]


def test_a_request_goes_to_another_node_that_has_room_and_none_is_left_behind(
    owner: Address,
) -> None:
    node = ordered("sjf", others={"there": 1})
    node.lease(owner, 1, claim=claim())
    node.view_of("there", 1, version=2, free=0)
    for lease_id, seconds in ((2, 5), (3, 2), (4, 7)):
        node.ask(owner, lease_id, claim=claim(seconds))
    node.host.take()
    node.view_of("there", 1, version=3)
    spilled = [message.lease_id for _, message in node.host.of(WorkerLeaseSpilled)]
    assert spilled == [3], "the one whose turn it is, and no more than there is room for"


def test_a_request_for_room_that_is_gone_is_rejected_as_any_other(owner: Address) -> None:
    node = ordered("sjf")
    node.lease(owner, 1, claim=claim())
    node.ask(owner, 2, hops=1, grant_or_reject=True, claim=claim())
    assert [message.lease_id for _, message in node.host.of(WorkerLeaseRejected)] == [2]


# Making room


def preempted(node: Node) -> list[int]:
    return [message.lease_id for _, message in node.host.of(PreemptLease)]


def test_what_has_more_left_is_told_to_make_room(owner: Address, other: Address) -> None:
    node = ordered("srpt")
    node.lease(owner, 1, claim=claim(10, preemptible=True))
    node.host.advance(3 * S)
    assert node.ask(other, 2, claim=claim(8)) == []
    assert (owner, PreemptLease(1)) in node.ask(other, 3, claim=claim(6))
    node.tell(owner, ReturnWorkerLease(1))
    assert list(node.granted(other)) == [3]


def test_one_is_told_at_a_time_and_once(owner: Address) -> None:
    """The place of the first is that of the next one as well, until it is known who takes it."""
    node = ordered("srpt", cpus=2)
    for lease_id in (1, 2):
        node.lease(owner, lease_id, claim=claim(10 + lease_id, preemptible=True))
    for lease_id in (3, 4):
        node.ask(owner, lease_id, claim=claim(lease_id))
    assert preempted(node) == [2]
    node.tell(owner, ReturnWorkerLease(2))
    assert preempted(node) == [2, 1]
    assert 3 in node.granted(owner)


def test_after_one_that_ends_by_itself_the_next_may_be_told(owner: Address) -> None:
    node = ordered("priority(preempt=true)", cpus=2)
    for lease_id in (1, 2):
        node.lease(owner, lease_id, claim=claim(preemptible=True))
    node.ask(owner, 3, claim=claim(priority=1))
    told = preempted(node)[0]
    node.end_worker(node.host.workers.started[told - 1])
    node.ask(owner, 4, claim=claim(priority=1))
    node.ask(owner, 5, claim=claim(priority=1))
    assert len(set(preempted(node))) == 2


@pytest.mark.parametrize("order", ["sjf", "srpt", "easy", "drf", "fifo"])
def test_at_the_end_nothing_is_held(order: str, owner: Address) -> None:
    node = ordered(order, cpus=2)
    for lease_id in range(6):
        node.ask(owner, lease_id, claim=claim(lease_id + 1, preemptible=True))
    for token in (1, 2):
        node.worker_up(token)
    for _ in range(6):
        for lease_id in sorted(node.granted(owner)):
            node.tell(owner, ReturnWorkerLease(lease_id))
    assert sorted(node.granted(owner)) == list(range(6))
    assert node.free() == 2
    assert node.raylet.leases.book.queued() == 0


def test_who_asks_why_a_request_waits_is_told_who_comes_first(owner: Address) -> None:
    node = ordered("sjf")
    node.lease(owner, 1, claim=claim(9, user="ann"))
    node.ask(owner, 2, claim=claim(5, user="bob"))
    node.host.advance(2 * S)
    node.ask(owner, 3, claim=claim(7, user="cy"))
    node.ask(owner, 4, claim=claim(3, user="dan"))
    turn = why(node, 3, owner).turn
    assert turn == QueueTurn("sjf", True, 2, False, cpus(1), "dan", 0)
    assert why(node, 4, owner).turn == QueueTurn("sjf", True, 0, False)


def test_room_that_an_order_keeps_for_another_is_told_as_such(owner: Address) -> None:
    node = ordered("fcfs", cpus=2)
    node.lease(owner, 1, claim=claim())
    node.ask(owner, 2, cpus(2), claim=claim(user="bob"))
    node.host.advance(2 * S)
    node.ask(owner, 3, claim=claim())
    assert why(node, 3, owner).turn == QueueTurn("fcfs", False, 1, True, cpus(2), "bob", 2 * S)
    assert why(node, 2, owner).turn == QueueTurn("fcfs", False, 0, False)


def test_a_request_without_a_turn_is_told_of_none(owner: Address) -> None:
    node = ordered("sjf")
    node.lease(owner, 1, claim=claim())
    node.ask(owner, 2)
    assert why(node, 2, owner).turn is None


# Jobs


def of_job(node: Node, owner: Address, lease_id: int, **job: Any) -> None:
    """A request of a job that says this of itself."""
    claim = job.pop("claim", Claim())
    number = job.pop("number", 1)
    env = with_job("", JobSettings(**job))
    node.ask(owner, lease_id, claim=claim, runtime_env=env, job=job_id(number))


def served(node: Node) -> list[int]:
    """In which order one core serves those that wait, if each ends at once."""
    queue, one = node.raylet.leases.book.queue, cpus(1)
    found: list[int] = []
    while (lease := queue.next(one, node.raylet.leases.instances)) is not None:
        queue.remove(lease)
        found.append(lease.request.lease_id)
    return found


def test_a_job_s_priority_is_that_of_its_tasks_unless_they_say_otherwise(
    owner: Address, other: Address
) -> None:
    node = ordered("priority")
    of_job(node, owner, 1)
    of_job(node, owner, 2)
    of_job(node, owner, 3, claim=Claim(priority=7))
    of_job(node, other, 4, priority=5)
    of_job(node, other, 5, priority=5, claim=Claim(priority=-1))
    assert served(node) == [3, 4, 2, 5]


def test_jobs_of_one_user_take_turns_as_one(owner: Address, other: Address) -> None:
    node = ordered("max_min", cpus=4)
    of_job(node, owner, 1, number=1, user="ann")
    of_job(node, other, 2, number=2, user="ann")
    of_job(node, owner, 3, number=3)
    of_job(node, other, 4, number=2, user="ann")
    for token in range(1, 5):
        node.worker_up(token)
    of_job(node, owner, 5, number=1, user="ann")
    of_job(node, owner, 6, number=3)
    node.tell(other, ReturnWorkerLease(4))
    waiting = node.raylet.leases.book.queue.shapes.values()
    assert [lease.request.lease_id for one in waiting for lease in one.values()] == [5]
