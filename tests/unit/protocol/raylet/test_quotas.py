"""A raylet and jobs with a quota: nothing of them begins before the GCS has said so."""

import pytest

from raysim.protocol.messages import (
    CancelWorkerLease,
    ExplainLease,
    LeaseExplained,
    LeaseStage,
    NodeRegistered,
    QuotaGranted,
    RequestQuota,
    ReturnWorkerLease,
    WorkerBlocked,
    WorkerLeaseRefused,
    WorkerUnblocked,
)
from raysim.spec.address import Address
from raysim.spec.job import JobSettings
from raysim.spec.resources import fixed
from raysim.spec.runtime_env import with_job
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import CPU1, GCS, JOB, MS, Node

ENV = with_job("", JobSettings(quota=fixed({"CPU": 2})))
RETRY_NS = 1_000 * MS


def asked(node: Node) -> list[RequestQuota]:
    """What the GCS was told since the last time."""
    node.host.advance(0)
    return [one for to, one in node.host.take() if isinstance(one, RequestQuota) and to == GCS]


def ask(node: Node, owner: Address, *lease_ids: int, **more: object) -> RequestQuota:
    """Requests of the job, and what the GCS is told of them."""
    for lease_id in lease_ids:
        node.ask(owner, lease_id, runtime_env=ENV, **more)
    [told] = asked(node)
    return told


def grant(node: Node, told: RequestQuota, *numbers: int) -> None:
    node.tell(GCS, QuotaGranted(JOB, told.version, list(numbers)))


def test_a_lease_begins_once_the_gcs_has_admitted_it(node: Node, owner: Address) -> None:
    told = ask(node, owner, 1)
    assert told == RequestQuota(JOB, {"CPU": 20_000}, 1, {}, {1: CPU1})
    assert (node.host.workers.started, node.free()) == ([], 3)
    grant(node, told, 1)
    assert node.host.workers.started == [1]
    node.worker_up(1)
    assert 1 in node.granted(owner)


def test_what_has_to_wait_for_the_quota_keeps_no_room(node: Node, owner: Address) -> None:
    told = ask(node, owner, 1, 2, 3)
    assert node.free() == 1
    grant(node, told, 1, 2)
    assert node.free() == 2
    assert node.raylet.leases.book.demand() == []
    node.ask(owner, 9)  # Of a job without one.
    assert node.free() == 1
    grant(node, told, 1, 2, 3)  # Something ended on another node.
    assert node.free() == 0
    assert len(node.host.workers.started) == 4


def test_a_job_without_a_quota_asks_nobody(node: Node, owner: Address) -> None:
    node.lease(owner, 1)
    node.lease(owner, 2, runtime_env=with_job("", JobSettings(priority=3)))
    assert asked(node) == []


def test_what_the_quota_does_not_count_asks_nobody(node: Node, owner: Address) -> None:
    node.lease(owner, 1, {}, runtime_env=ENV)
    assert asked(node) == []


def test_what_is_more_than_the_quota_is_refused(node: Node, owner: Address) -> None:
    node.ask(owner, 1, fixed({"CPU": 3}), runtime_env=ENV)
    [(to, refused)] = node.host.of(WorkerLeaseRefused)
    assert to == owner
    assert "It needs CPU=3, and its job's quota is CPU=2." in refused.failure.text


def test_what_ends_goes_back_with_the_next_version(node: Node, owner: Address) -> None:
    grant(node, ask(node, owner, 1, 2), 1, 2)
    node.worker_up(1), node.worker_up(2)
    node.tell(owner, ReturnWorkerLease(1))
    assert asked(node) == [RequestQuota(JOB, {"CPU": 20_000}, 2, CPU1, {})]


def test_one_version_is_answered_before_the_next_is_said(node: Node, owner: Address) -> None:
    first = ask(node, owner, 1)
    node.ask(owner, 2, runtime_env=ENV)
    assert asked(node) == []
    grant(node, first, 1)
    [second] = asked(node)
    assert (second.used, second.waiting) == (CPU1, {2: CPU1})


def test_an_answer_to_an_older_version_lets_nothing_begin(node: Node, owner: Address) -> None:
    first = ask(node, owner, 1, 2)
    grant(node, first, 1)
    node.tell(owner, CancelWorkerLease(2))
    [second] = asked(node)
    assert second.waiting == {}
    grant(node, first, 1, 2)
    assert node.host.workers.started == [1]


def test_a_lost_request_is_said_again_as_it_was(node: Node, owner: Address) -> None:
    told = ask(node, owner, 1)
    node.host.advance(RETRY_NS)
    assert asked(node) == [told]
    grant(node, told, 1)
    node.host.advance(60 * RETRY_NS)
    assert asked(node) == []


def test_a_gcs_that_came_back_is_told_what_waits(node: Node, owner: Address) -> None:
    told = ask(node, owner, 1)
    grant(node, told)
    node.lose(GCS)
    node.tell(GCS, NodeRegistered())
    assert asked(node) == [told]


def test_one_that_was_cancelled_while_it_was_admitted_gives_it_back(
    node: Node, owner: Address
) -> None:
    told = ask(node, owner, 1)
    node.tell(owner, CancelWorkerLease(1))
    assert node.free() == 4
    grant(node, told, 1)
    assert asked(node) == [RequestQuota(JOB, {"CPU": 20_000}, 2, {}, {})]
    assert node.host.workers.started == []


def test_a_worker_that_waits_lends_its_part_and_takes_it_again_unasked(
    node: Node, owner: Address
) -> None:
    grant(node, ask(node, owner, 1), 1)
    worker = node.worker_up(1)
    node.tell(worker, WorkerBlocked(1))
    [lent] = asked(node)
    assert lent.used == {}
    grant(node, lent)
    node.tell(worker, WorkerUnblocked(1))
    [again] = asked(node)
    assert again.used == CPU1


def test_one_that_is_returned_while_it_waits_gives_back_what_it_has(
    node: Node, owner: Address
) -> None:
    grant(node, ask(node, owner, 1), 1)
    worker = node.worker_up(1)
    node.tell(worker, WorkerBlocked(1))
    grant(node, asked(node)[0])
    node.tell(owner, ReturnWorkerLease(1, worker_failed=True))
    node.end_worker(1)
    node.host.advance(100 * MS)
    assert all(one.used == {} for one in asked(node))
    assert node.free() == 4


def test_one_that_finds_its_room_taken_is_placed_again(owner: Address) -> None:
    node = Node(1)
    told = ask(node, owner, 1)
    grant(node, told)
    node.lease(owner, 9)
    grant(node, told, 1)
    [back] = asked(node)
    assert back.waiting == {}
    assert node.raylet.leases.book.queued() == 1
    grant(node, back)
    node.tell(owner, ReturnWorkerLease(9))
    assert asked(node)[0].waiting == {2: CPU1}


def test_of_two_the_one_that_has_the_room_gets_what_the_other_was_granted(owner: Address) -> None:
    """Or they change places for ever."""
    node = Node(1)
    told = ask(node, owner, 1)
    grant(node, told)
    node.ask(owner, 2, runtime_env=ENV)
    [second] = asked(node)
    assert second.waiting == {1: CPU1, 2: CPU1}
    grant(node, second, 1)
    node.worker_up(node.host.workers.started[-1])
    assert list(node.granted(owner)) == [2]


def test_whoever_asks_why_it_waits_is_told_of_the_quota(node: Node, owner: Address) -> None:
    grant(node, ask(node, owner, 1))
    node.tell(address("curious"), ExplainLease(7, owner.worker_id, 1))
    [(_, explained)] = node.host.of(LeaseExplained)
    assert (explained.story.stage, explained.story.quota) == (
        LeaseStage.OVER_QUOTA,
        {"CPU": 20_000},
    )


@pytest.mark.parametrize("answered", [True, False])
def test_an_owner_that_is_lost_leaves_nothing(node: Node, owner: Address, answered: bool) -> None:
    told = ask(node, owner, 1, 2)
    if answered:
        grant(node, told)
    node.lose(owner)
    grant(node, told)
    node.host.advance(0)
    assert node.free() == 4
    assert node.raylet.leases.quotas.waiting() == 0


def test_one_that_waits_for_the_quota_has_no_patience_to_lose(owner: Address) -> None:
    """Under delay scheduling, it waited for room before."""
    node = Node(1, policy="delay(wait_s=3)")
    here = node.host.address.node_id
    node.lease(owner, 9)
    node.ask(owner, 1, runtime_env=ENV, near=(here,))
    node.tell(owner, ReturnWorkerLease(9))
    grant(node, asked(node)[0])
    node.host.advance(3 * RETRY_NS)
    assert node.raylet.leases.quotas.waiting() == 1
