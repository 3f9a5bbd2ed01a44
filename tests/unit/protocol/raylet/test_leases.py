import pytest

from raysim.protocol.messages import (
    CancelWorkerLease,
    JobFinished,
    LeaseLost,
    NodeRemoved,
    ReturnWorkerLease,
    RevokeIdleLeases,
    WorkerBlocked,
    WorkerDied,
    WorkerLeaseGranted,
    WorkerUnblocked,
)
from raysim.protocol.messages.state import Ending
from raysim.spec.address import Address
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import ACTOR, CPU1, GCS, JOB, Node, deaths, worker_address

CPU2 = fixed({"CPU": 2})
NOTHING = fixed({})


# Granting


def test_an_idle_worker_is_granted_at_once(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.ask(owner, 2) == [(owner, WorkerLeaseGranted(2, worker))]
    assert node.host.workers.started == [1]


def test_repeated_request_gets_the_same_worker(node: Node, owner: Address) -> None:
    """The owner cannot tell a lost grant from a slow one."""
    worker = node.lease(owner, 1)
    assert node.ask(owner, 1) == [(owner, WorkerLeaseGranted(1, worker))]
    assert node.free() == 3


def test_request_repeated_while_its_worker_starts_starts_no_second_one(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1)
    assert node.ask(owner, 1) == []
    assert node.host.workers.started == [1]
    assert node.free() == 3


def test_one_lease_id_of_two_owners_is_two_leases(
    node: Node, owner: Address, other: Address
) -> None:
    assert node.lease(owner, 1) != node.lease(other, 1)


def test_workers_start_in_parallel_as_many_as_fit(node: Node, owner: Address) -> None:
    for lease_id in range(10):
        node.ask(owner, lease_id)
    assert node.host.workers.started == [1, 2, 3, 4]


def test_returned_worker_goes_to_the_next_in_the_queue_in_the_same_step(owner: Address) -> None:
    node = Node(cpus=1)
    worker = node.lease(owner, 1)
    node.ask(owner, 2)
    sent = node.tell(owner, ReturnWorkerLease(1))
    assert (owner, WorkerLeaseGranted(2, worker)) in sent
    assert node.free() == 0


def test_returned_worker_serves_a_lease_whose_own_worker_still_starts(
    node: Node, owner: Address
) -> None:
    first = node.lease(owner, 1)
    node.ask(owner, 2)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.granted(owner)[2] == first
    second = node.worker_up(2)
    node.ask(owner, 3)
    assert node.granted(owner)[3] == second, "the late worker is kept for the next request"


def test_second_copy_of_a_return_leaves_the_next_lease_alone(owner: Address) -> None:
    """The return is repeated because its sender thinks that the first copy was lost."""
    node = Node(cpus=1)
    worker = node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    node.lease(owner, 2)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.free() == 0
    assert node.ask(owner, 2) == [(owner, WorkerLeaseGranted(2, worker))]


def test_late_copy_of_a_request_that_was_returned_is_not_granted_again(
    node: Node, owner: Address
) -> None:
    node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.ask(owner, 1) == []
    assert node.free() == 4


def test_small_request_passes_a_large_one_that_does_not_fit(owner: Address, other: Address) -> None:
    node = Node(cpus=2)
    node.lease(owner, 1)
    node.ask(owner, 2, CPU2)
    node.lease(other, 1, CPU1)
    assert node.free() == 0
    node.tell(owner, ReturnWorkerLease(1))
    node.tell(other, ReturnWorkerLease(1))
    assert 2 in node.granted(owner)


def test_requests_of_one_shape_are_granted_in_the_order_of_arrival(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    for lease_id in (5, 3, 4):
        node.ask(owner, lease_id)
    for lease_id in (1, 5, 3):
        node.tell(owner, ReturnWorkerLease(lease_id))
    assert list(node.granted(owner)) == [1, 5, 3, 4]


def test_between_shapes_that_fit_the_older_request_goes_first(owner: Address) -> None:
    node = Node(cpus=2)
    node.lease(owner, 1, CPU2)
    node.ask(owner, 2, CPU1)
    node.ask(owner, 3, CPU2)
    node.ask(owner, 4, CPU1)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.free() == 0
    node.worker_up(2)
    assert set(node.granted(owner)) == {1, 2, 4}


def test_request_for_nothing_is_granted_on_a_full_node(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.lease(owner, 2, NOTHING)
    assert node.free() == 0


# Cancelling


def test_cancelled_request_leaves_the_queue(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.ask(owner, 2)
    node.tell(owner, CancelWorkerLease(2))
    node.tell(owner, ReturnWorkerLease(1))
    assert set(node.granted(owner)) == {1}
    assert node.free() == 1


def test_cancel_that_overtakes_its_request_is_remembered(node: Node, owner: Address) -> None:
    node.tell(owner, CancelWorkerLease(1))
    assert node.ask(owner, 1) == []
    assert node.free() == 4


def test_cancel_that_crosses_the_grant_takes_the_lease_back(node: Node, owner: Address) -> None:
    """The grant may be lost: then nobody would return it."""
    node.lease(owner, 1)
    node.tell(owner, CancelWorkerLease(1))
    assert node.free() == 4
    node.lease(owner, 2)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.free() == 3


def test_cancel_while_the_worker_starts_gives_the_resources_back(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1)
    node.tell(owner, CancelWorkerLease(1))
    assert node.free() == 4
    worker = node.worker_up(1)
    assert node.ask(owner, 2) == [(owner, WorkerLeaseGranted(2, worker))]


# Losses


def test_lost_owner_s_queued_requests_are_dropped(owner: Address, other: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.ask(other, 7)
    node.lose(other)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.granted(other) == {}
    assert node.free() == 1


def test_lost_owner_s_workers_are_killed_and_their_resources_return_with_their_end(
    node: Node, other: Address
) -> None:
    node.lease(other, 1)
    node.lose(other)
    assert node.host.workers.killed == [1]
    assert node.free() == 3, "it may still run"
    sent = node.end_worker(1)
    assert node.free() == 4
    assert not [message for _, message in sent if isinstance(message, LeaseLost)]


def test_lost_owner_s_return_does_not_grant_its_own_waiting_request(other: Address) -> None:
    """It held the only CPU and waited for it as well: nobody is left to use it."""
    node = Node(cpus=1)
    node.ask(other, 1)
    node.ask(other, 2)
    node.lose(other)
    assert node.free() == 1
    assert node.granted(other) == {}


def test_request_under_way_when_its_sender_was_lost_is_ignored(node: Node, other: Address) -> None:
    node.lose(other)
    assert node.ask(other, 1) == []
    assert node.free() == 4


def test_dead_node_s_owners_are_lost(node: Node, other: Address) -> None:
    node.lease(other, 1)
    node.tell(GCS, NodeRemoved(other.node_id, "no answer"))
    assert node.host.workers.killed == [1]


def test_request_of_a_dead_node_is_ignored(node: Node, other: Address) -> None:
    """The node was declared dead, but it runs on and speaks."""
    node.tell(GCS, NodeRemoved(other.node_id, "no answer"))
    assert node.ask(other, 1) == []


def test_lost_worker_s_lease_is_told_to_its_owner_and_the_gcs(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    sent = node.end_worker(1, "killed by signal 9")
    assert (owner, LeaseLost(1, worker, "killed by signal 9")) in sent
    assert (GCS, WorkerDied(worker, "killed by signal 9", False)) in deaths(sent)
    assert node.free() == 4


def test_worker_whose_loss_is_reported_twice_is_lost_once(node: Node, owner: Address) -> None:
    """By its broken connection, and by the end of its process."""
    worker = node.lease(owner, 1)
    node.lose(worker)
    assert node.end_worker(1) == []
    assert node.lose(worker) == []
    assert node.free() == 4


def test_lost_worker_s_resources_go_to_the_next_in_the_queue(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.ask(owner, 2)
    node.end_worker(1)
    assert node.host.workers.started == [1, 2]
    node.worker_up(2)
    assert node.granted(owner)[2] == worker_address(2)


def test_lost_worker_s_own_leases_are_taken_back(node: Node, owner: Address) -> None:
    """A task that submitted tasks: what it borrowed is killed with it."""
    worker = node.lease(owner, 1)
    node.lease(worker, 1)
    node.end_worker(1)
    assert node.host.workers.killed == [2]
    node.end_worker(2)
    assert node.free() == 4


def test_worker_that_its_owner_found_failed_is_not_lent_again(node: Node, owner: Address) -> None:
    node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1, worker_failed=True))
    assert node.host.workers.killed == [1]
    node.ask(owner, 2)
    assert node.host.workers.started == [1, 2]
    assert node.free() == 2
    node.end_worker(1)
    assert node.free() == 3


@pytest.mark.parametrize("first", ["owner", "raylet"])
def test_a_worker_that_crashed_is_shown_as_that_whoever_sees_it_first(
    node: Node, owner: Address, first: str
) -> None:
    node.lease(owner, 1)
    if first == "raylet":
        node.raylet.worker_ended(1, "exit code 3")
    node.tell(owner, ReturnWorkerLease(1, worker_failed=True))
    sent = node.end_worker(1)
    [died] = [message for _, message in sent if isinstance(message, WorkerDied)]
    assert died.seen is not None
    assert died.seen.ending is Ending.SYSTEM_ERROR


def test_driver_s_leases_end_with_its_job_but_its_actors_are_the_gcs_s_to_end(
    node: Node, owner: Address
) -> None:
    node.lease(owner, 1)
    node.ask(GCS, 1, actor_id=ACTOR, lifetime=NOTHING)
    node.worker_up(2)
    node.tell(GCS, JobFinished(JOB, owner))
    assert node.host.workers.killed == [1]


def test_lease_of_a_process_that_outlives_its_job_stays(node: Node, owner: Address) -> None:
    """A detached actor waits for a task that it submitted."""
    detached = node.lease(owner, 1)
    node.lease(detached, 1)
    node.tell(GCS, JobFinished(JOB, address("driver")))
    assert node.host.workers.killed == []


def test_driver_whose_job_is_finished_gets_nothing_more(node: Node, owner: Address) -> None:
    node.tell(GCS, JobFinished(JOB, owner))
    assert node.ask(owner, 1) == []
    assert node.host.workers.started == []


# Blocked workers


def test_blocked_worker_lends_its_cpus_on(owner: Address) -> None:
    """A task waits for a task that it submitted, on a node with one CPU."""
    node = Node(cpus=1)
    worker = node.lease(owner, 1)
    node.ask(worker, 1)
    node.tell(worker, WorkerBlocked(1))
    assert node.host.workers.started == [1, 2]
    node.worker_up(2)
    assert 1 in node.granted(worker)


def test_only_the_cpus_of_a_blocked_worker_are_lent_on(owner: Address) -> None:
    node = Node(cpus=1)
    node.raylet.view.local.available["GPU"] = 10_000
    worker = node.lease(owner, 1, fixed({"CPU": 1, "GPU": 1}))
    node.tell(worker, WorkerBlocked(1))
    assert (node.free("CPU"), node.free("GPU")) == (1, 0)


def test_resumed_worker_may_oversubscribe_until_others_return(owner: Address) -> None:
    node = Node(cpus=1)
    worker = node.lease(owner, 1)
    node.ask(worker, 1)
    node.tell(worker, WorkerBlocked(1))
    node.worker_up(2)
    node.tell(worker, WorkerUnblocked(1))
    assert node.free() == -1
    node.tell(worker, ReturnWorkerLease(1))
    assert node.free() == 0
    node.tell(owner, ReturnWorkerLease(1))
    assert node.free() == 1


def test_second_copies_of_blocked_and_unblocked_change_nothing(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, WorkerBlocked(1))
    node.tell(worker, WorkerBlocked(1))
    assert node.free() == 4
    node.tell(worker, WorkerUnblocked(1))
    node.tell(worker, WorkerUnblocked(1))
    node.tell(worker, WorkerBlocked(1))
    assert node.free() == 3


def test_blocking_again_before_the_unblocking_arrives_lends_once(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, WorkerBlocked(1))
    node.tell(worker, WorkerBlocked(2))
    assert node.free() == 4
    node.tell(worker, WorkerUnblocked(1))
    assert node.free() == 4, "of the first wait: the second one lasts"
    node.tell(worker, WorkerUnblocked(2))
    assert node.free() == 3


def test_blocked_that_arrives_after_the_return_lends_nothing(node: Node, owner: Address) -> None:
    """The worker tells its raylet, the owner returns the lease: two connections, any order."""
    worker = node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    node.tell(worker, WorkerBlocked(1))
    assert node.free() == 4
    node.tell(worker, WorkerUnblocked(1))
    assert node.free() == 4


def test_lease_returned_while_its_worker_is_blocked_gives_back_what_it_still_holds(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, WorkerBlocked(1))
    node.tell(owner, ReturnWorkerLease(1))
    assert node.free() == 4
    node.tell(worker, WorkerUnblocked(1))
    assert node.free() == 4


def test_worker_that_dies_blocked_gives_back_what_it_still_holds(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, WorkerBlocked(1))
    node.end_worker(1)
    assert node.free() == 4


# Actors


def test_actor_takes_what_it_keeps(node: Node) -> None:
    node.ask(GCS, 1, actor_id=ACTOR, lifetime=NOTHING)
    assert node.free() == 4, "while its process starts"
    node.worker_up(1)
    assert node.free() == 4


def test_actor_that_keeps_nothing_waits_for_no_room(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.ask(owner, 2)  # Waits.
    node.ask(GCS, 1, actor_id=ACTOR, lifetime=NOTHING)
    node.worker_up(2)
    assert 1 in node.granted(GCS)


def test_actors_that_keep_nothing_follow_each_other_without_a_return() -> None:
    node = Node(cpus=1)
    for lease_id in (1, 2, 3):
        node.ask(GCS, lease_id, actor_id=ACTOR, lifetime=NOTHING)
    for token in (1, 2, 3):
        node.worker_up(token)
    assert set(node.granted(GCS)) == {1, 2, 3}
    assert node.free() == 1


def test_actor_s_worker_is_never_lent_again(node: Node, owner: Address) -> None:
    node.ask(GCS, 1, actor_id=ACTOR, lifetime=CPU1)
    node.worker_up(1)
    node.tell(GCS, ReturnWorkerLease(1))
    assert node.host.workers.killed == [1]
    node.ask(owner, 1)
    assert node.host.workers.started == [1, 2]


def test_actor_outlives_its_gcs(node: Node) -> None:
    """A GCS that comes back knows it; a request that only waits is asked again."""
    node.ask(GCS, 1, actor_id=ACTOR, lifetime=CPU1)
    node.worker_up(1)
    node.ask(GCS, 2, actor_id=ACTOR, lifetime=CPU1)
    node.lose(GCS)
    assert node.host.workers.killed == []
    assert node.free() == 3


# Idle leases


def test_waiting_request_has_other_owners_return_idle_leases(
    owner: Address, other: Address
) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    sent = node.ask(other, 1)
    for_ns = 10 * node.host.config.idle_lease_keep_ns
    assert sent == [(owner, RevokeIdleLeases(node.info.address.node_id, for_ns))]


def test_owner_is_told_once_in_the_time_for_which_it_obeys(owner: Address, other: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.ask(other, 1)
    assert node.ask(other, 2) == []
    node.host.advance(10 * node.host.config.idle_lease_keep_ns)
    assert [to for to, message in node.ask(other, 2) if isinstance(message, RevokeIdleLeases)] == [
        owner
    ]


def test_owner_with_a_lease_of_another_shape_is_told_as_well(owner: Address) -> None:
    """Its class of small tasks is done, its class of large tasks waits for their CPUs."""
    node = Node(cpus=2)
    node.lease(owner, 1, CPU1)
    [(to, message)] = node.ask(owner, 2, CPU2)
    assert to == owner
    assert isinstance(message, RevokeIdleLeases)


def test_owner_that_only_wants_more_of_the_same_is_not_told(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    assert node.ask(owner, 2) == []


def test_each_owner_with_a_lease_is_told_and_each_shape_looked_at(
    owner: Address, other: Address
) -> None:
    """Those that are alike are looked at once; those between them are not alike."""
    node = Node(cpus=6)
    for lease_id, need in ((1, CPU1), (2, CPU1), (3, CPU2)):
        node.lease(owner, lease_id, need)
    node.lease(other, 4, CPU1)
    node.lease(owner, 5, CPU1)
    assert node.ask(owner, 6, CPU1) == [
        (to, RevokeIdleLeases(node.info.address.node_id, 10 * node.host.config.idle_lease_keep_ns))
        for to in (owner, other)
    ]


def test_owner_that_gets_a_lease_while_others_wait_is_told(owner: Address, other: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    third = address("third", "there")
    node.ask(other, 1)
    node.ask(third, 1)
    sent = node.tell(owner, ReturnWorkerLease(1))
    assert [type(message) for to, message in sent if to == other] == [
        WorkerLeaseGranted,
        RevokeIdleLeases,
    ]


def test_gcs_is_not_told_for_the_sake_of_its_actors(owner: Address) -> None:
    node = Node(cpus=1)
    node.ask(GCS, 1, actor_id=ACTOR, lifetime=CPU1)
    node.worker_up(1)
    assert node.ask(owner, 1) == []
