"""Asking for workers, filling them, giving them back: the races between owner, raylets and workers."""

import pytest

from raysim.config import Config
from raysim.journal import TaskEnded
from raysim.protocol.messages import (
    CancelWorkerLease,
    LeaseLost,
    NodeRemoved,
    PushTasks,
    RequestWorkerLease,
    ReturnWorkerLease,
    RevokeIdleLeases,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
)
from raysim.protocol.process import LAST_WORDS_NS
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import FunctionId
from raysim.spec.task import Spread
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import (
    FAR,
    MS,
    RAYLET,
    SECOND_NS,
    OwnerRig,
    inline,
    learn_short_tasks,
    template,
)

KEEP_NS = Config().idle_lease_keep_ns


# Asking.


def test_each_queued_call_asks_for_a_lease_up_to_the_limit(rig):
    for _ in range(15):
        rig.submit()
    requests = rig.take(RequestWorkerLease)
    assert len(requests) == rig.host.config.max_pending_lease_requests
    assert len({request.lease_id for _, request in requests}) == len(requests)
    assert {to for to, _ in requests} == {RAYLET}


def test_short_calls_ask_for_the_leases_that_they_fill(rig):
    """Each of four calls in a task asked for its own, and the first that was granted ran them all."""
    learn_short_tasks(rig)
    rig.host.advance(KEEP_NS)  # The lease goes back.
    rig.take(RequestWorkerLease)
    calls_per_lease = rig.host.config.push_window_ns // 10_001
    for _ in range(calls_per_lease):
        rig.submit()
    assert len(rig.take(RequestWorkerLease)) == 1
    rig.submit()
    assert len(rig.take(RequestWorkerLease)) == 1


def test_unanswered_request_is_repeated_with_its_number(rig):
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.host.advance(SECOND_NS)
    _, again = rig.one(RequestWorkerLease)
    assert again.lease_id == request.lease_id


@pytest.mark.parametrize(("waiting", "within"), [(1, 20), (10, 3_000)])
def test_request_that_waits_for_hours_is_asked_for_seldom(rig, waiting, within):
    """As long as it holds the place of no other: else its raylet would not learn how many there are."""
    for _ in range(waiting):
        rig.submit()
    assert len(rig.take(RequestWorkerLease)) == waiting
    rig.host.advance(10 * 3_600 * SECOND_NS)
    asked = len(rig.take(RequestWorkerLease)) / waiting
    assert within / 3 < asked <= within


def test_lease_is_asked_of_the_node_with_most_bytes_of_the_arguments(rig):
    small, large = rig.put_stored(1000, RAYLET), rig.put_stored(2000, FAR)
    rig.submit(small, large)
    assert rig.one(RequestWorkerLease)[0] == FAR


def test_strategy_of_its_own_is_asked_of_the_own_raylet(rig):
    """Locality is for DEFAULT only."""
    rig.submit(rig.put_stored(2000, FAR), what=template(strategy=Spread()))
    assert rig.one(RequestWorkerLease)[0] == RAYLET


def test_spilled_request_is_followed(rig):
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    to, again = rig.one(RequestWorkerLease)
    assert (to, again.lease_id, again.hops) == (FAR, request.lease_id, 1)


def test_second_copy_of_a_spill_moves_nothing(rig):
    """The request has moved on to the third raylet; the first one's answer arrives once more."""
    third = address("third")
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    rig.tell(FAR, WorkerLeaseSpilled(request.lease_id, third, 2))
    rig.host.take()
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    assert rig.take(RequestWorkerLease) == []


def test_requests_that_wait_at_a_lost_raylet_are_asked_again_at_the_own_one(rig):
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    rig.host.take()
    rig.lose(FAR)
    to, again = rig.one(RequestWorkerLease)
    assert (to, again.lease_id, again.hops) == (RAYLET, request.lease_id, 0)


def test_requests_on_a_dead_node_are_asked_again(rig):
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    rig.host.take()
    rig.tell(RAYLET, NodeRemoved(FAR.node_id, "no answer"))
    assert rig.one(RequestWorkerLease)[0] == RAYLET


def test_a_call_that_waits_since_before_its_arguments_node_died_asks_the_own_raylet(rig):
    """Where its arguments were was written into the call when they were ready."""
    near, far = rig.put_stored(1000, RAYLET), rig.put_stored(2000, FAR)
    calls = rig.host.config.max_pending_lease_requests + 1
    for _ in range(calls):
        rig.submit(near, far)
    requests = rig.take(RequestWorkerLease)
    assert {to for to, _ in requests} == {FAR}
    rig.tell(RAYLET, NodeRemoved(FAR.node_id, "no answer"))
    rig.host.take()
    rig.granted(requests[0][1])
    assert {to for to, _ in rig.take(RequestWorkerLease)} == {RAYLET}


def test_a_grant_that_was_under_way_when_its_node_died_is_void(rig):
    """Nobody would ever answer there, and the news of the node's death is over."""
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    rig.host.take()
    rig.tell(RAYLET, NodeRemoved(FAR.node_id, "no answer"))
    rig.host.take()
    rig.granted(request, raylet=FAR)
    assert rig.pushed() == []
    worker = rig.granted(request)
    assert [to for to, _ in rig.take(PushTasks)] == [worker]


def test_refusal_fails_the_queue(rig):
    results = [rig.submit() for _ in range(3)]
    _, request = rig.take(RequestWorkerLease)[0]
    failure = Failure(FailureKind.TASK_UNSCHEDULABLE, "the node is dead")
    rig.tell(RAYLET, WorkerLeaseRefused(request.lease_id, failure))
    assert [rig.found(result).failure for result in results] == [failure] * 3
    assert len(rig.take(CancelWorkerLease)) == 2
    for result in results:
        rig.drop(result)
    rig.assert_nothing_left()


# Grants.


def test_grant_is_filled_with_the_first_call(rig):
    first, _ = rig.submit(), rig.submit()
    worker = rig.grant()
    to, push = rig.one(PushTasks)
    assert to == worker
    assert [call.task_id for call in push.calls] == [first[:24]]


def test_grant_with_nothing_queued_is_returned(rig):
    """Another lease ran the call meanwhile, and the cancellation crossed the grant."""
    first, second = rig.submit(), rig.submit()
    requests = [request for _, request in rig.take(RequestWorkerLease)]
    worker = rig.granted(requests[0])
    rig.done(worker, first, inline())
    assert rig.one(CancelWorkerLease) == (RAYLET, CancelWorkerLease(requests[1].lease_id))
    rig.granted(requests[1], "late")
    assert rig.one(ReturnWorkerLease) == (RAYLET, ReturnWorkerLease(requests[1].lease_id))
    assert rig.found(second).state == 0


def test_second_copy_of_a_grant_is_ignored(rig):
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.granted(request)
    rig.host.take()
    rig.granted(request)
    assert rig.take(ReturnWorkerLease) == []


def test_grant_of_a_raylet_that_was_asked_before_is_returned_to_it(rig):
    """A repeated request was spilled and granted: two raylets lend a worker for one number."""
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    rig.granted(request, "there", FAR)
    rig.host.take()
    rig.granted(request, "here", RAYLET)
    assert rig.one(ReturnWorkerLease) == (RAYLET, ReturnWorkerLease(request.lease_id))


def test_function_travels_once_to_each_worker(rig):
    first = rig.submit()
    worker = rig.grant()
    assert rig.one(PushTasks)[1].function == b"function"
    rig.done(worker, first, inline())
    rig.submit()
    assert rig.one(PushTasks)[1].function is None


# Giving back.


def test_idle_lease_is_kept_for_a_while_and_then_returned(rig):
    first = rig.submit()
    worker = rig.grant()
    rig.done(worker, first, inline())
    rig.host.advance(KEEP_NS - 1)
    assert rig.take(ReturnWorkerLease) == []
    rig.host.advance(1)
    assert [to for to, _ in rig.take(ReturnWorkerLease)] == [RAYLET]


def test_kept_lease_takes_the_next_call_without_asking(rig):
    first = rig.submit()
    worker = rig.grant()
    rig.done(worker, first, inline())
    rig.host.take()
    rig.submit()
    sent = [type(message) for to, message in rig.host.take() if to in (worker, RAYLET)]
    assert sent == [PushTasks]


def test_lease_that_was_used_again_is_kept_anew(rig):
    first = rig.submit()
    worker = rig.grant()
    rig.done(worker, first, inline())
    rig.host.advance(KEEP_NS // 2)
    second = rig.submit()
    rig.done(worker, second, inline())
    rig.host.advance(KEEP_NS - 1)
    assert rig.take(ReturnWorkerLease) == []
    rig.host.advance(1)
    assert len(rig.take(ReturnWorkerLease)) == 1


def test_leases_that_became_idle_one_after_another_are_returned_so(rig):
    first, second = rig.submit(), rig.submit()
    asked = [request for _, request in rig.take(RequestWorkerLease)]
    one, other = rig.granted(asked[0], "one"), rig.granted(asked[1], "other")
    rig.done(one, first, inline())
    rig.host.advance(MS)
    rig.done(other, second, inline())
    rig.host.advance(KEEP_NS - MS)
    assert [returned.lease_id for _, returned in rig.take(ReturnWorkerLease)] == [asked[0].lease_id]
    rig.host.advance(MS)
    assert [returned.lease_id for _, returned in rig.take(ReturnWorkerLease)] == [asked[1].lease_id]


def test_revoked_idle_lease_is_returned_at_once(rig):
    first = rig.submit()
    worker = rig.grant()
    rig.done(worker, first, inline())
    rig.tell(FAR, RevokeIdleLeases(FAR.node_id, SECOND_NS))
    assert rig.take(ReturnWorkerLease) == []
    rig.tell(RAYLET, RevokeIdleLeases(RAYLET.node_id, SECOND_NS))
    assert len(rig.take(ReturnWorkerLease)) == 1


def test_while_others_wait_no_lease_is_kept_idle(rig):
    first = rig.submit()
    worker = rig.grant()
    rig.tell(RAYLET, RevokeIdleLeases(RAYLET.node_id, SECOND_NS))
    assert rig.take(ReturnWorkerLease) == []
    rig.done(worker, first, inline())
    assert len(rig.take(ReturnWorkerLease)) == 1


def test_requests_are_cancelled_once_nothing_is_queued(rig):
    first, second = rig.submit(), rig.submit()
    requests = rig.take(RequestWorkerLease)
    worker = rig.granted(requests[0][1])
    rig.done(worker, first, inline())
    assert rig.pushed() != []
    rig.done(worker, second, inline())
    rig.drop(first)
    rig.drop(second)
    rig.assert_nothing_left()


# Losing workers.


@pytest.mark.parametrize("told_by", ["connection", "raylet", "node"])
def test_lost_workers_task_runs_again_with_the_next_attempt(rig, told_by):
    rig.submit()
    worker = rig.grant(raylet=FAR)
    rig.host.take()
    if told_by == "connection":
        rig.lose(worker)
    elif told_by == "raylet":
        rig.tell(FAR, LeaseLost(1, worker, "exit code -9"))
        assert rig.take(RequestWorkerLease) == []
        rig.host.advance(LAST_WORDS_NS)
    else:
        rig.tell(RAYLET, NodeRemoved(worker.node_id, "no answer"))
    second = rig.grant("second")
    assert second != worker
    [call] = rig.pushed()
    assert call.attempt == 1


def test_a_result_counts_though_the_end_of_its_worker_is_reported_first(rig):
    """The worker said it to this process, and its raylet heard of the end by another way."""
    result = rig.submit(what=template(max_retries=0))
    worker = rig.grant()
    rig.tell(RAYLET, LeaseLost(1, worker, "exit code 0"))
    rig.done(worker, result, inline(b"value"))
    rig.lose(worker)
    assert rig.found(result).failure is None
    assert rig.found(result).payload == b"value"


def test_nothing_more_is_pushed_to_a_worker_whose_end_is_reported(rig):
    worker, _ = learn_short_tasks(rig)
    running = rig.submit()
    rig.tell(RAYLET, LeaseLost(1, worker, "exit code 0"))
    rig.take(PushTasks)
    rig.submit()
    rig.done(worker, running, inline())
    assert rig.take(PushTasks) == []


def test_lost_worker_is_returned_as_failed(rig):
    rig.submit()
    worker = rig.grant()
    rig.lose(worker)
    [(to, returned)] = rig.take(ReturnWorkerLease)
    assert (to, returned.worker_failed) == (RAYLET, True)


def test_worker_that_is_reported_lost_twice_costs_one_retry(rig):
    rig.submit()
    worker = rig.grant()
    rig.lose(worker)
    rig.tell(RAYLET, LeaseLost(1, worker, "exit code -9"))
    rig.grant("second")
    [call] = rig.pushed()
    assert call.attempt == 1


def test_task_without_retries_left_fails_and_says_why(rig):
    result = rig.submit(what=template(max_retries=1, name="fragile"))
    for name in ("first", "second"):
        rig.lose(rig.grant(name))
    failure = rig.found(result).failure
    assert failure.kind == FailureKind.WORKER_CRASHED
    assert "fragile" in failure.text
    assert "attempt 2" in failure.text
    assert "max_retries=1" in failure.text
    assert [note.status for note in rig.host.noted(TaskEnded)] == ["retried", "failed"]
    rig.drop(result)
    rig.assert_nothing_left()


def test_task_with_endless_retries_never_gives_up(rig):
    result = rig.submit(what=template(max_retries=-1))
    for attempt in range(20):
        rig.lose(rig.grant(f"worker-{attempt}"))
    assert not rig.found(result).ready


def test_calls_of_a_lost_worker_keep_their_order(rig):
    worker, _ = learn_short_tasks(rig)
    results = [rig.submit() for _ in range(4)]
    rig.owner.flush()
    rig.host.take()
    rig.lose(worker)
    rig.grant("second")
    assert [call.task_id for call in rig.pushed()] == [result[:24] for result in results]


def test_result_of_a_worker_that_was_given_up_is_ignored(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.lose(worker)
    rig.done(worker, result, inline(b"stale"))
    assert not rig.found(result).ready
    second = rig.grant("second")
    rig.done(second, result, inline(b"stale"), attempt=0)
    assert not rig.found(result).ready
    rig.done(second, result, inline(b"fresh"), attempt=1)
    assert rig.found(result).payload == b"fresh"


def saturate(rig: OwnerRig, leases: int, calls: int) -> int:
    """All these leases are granted and busy, more calls wait; how many requests are under way then."""
    for _ in range(leases + calls):
        rig.submit()
    asked = [request for _, request in rig.take(RequestWorkerLease)]
    for number in range(leases):
        rig.granted(asked.pop(0), f"worker-{number}")
        asked += [request for _, request in rig.take(RequestWorkerLease)]
    return len(asked)


def test_requests_grow_with_what_is_granted(rig):
    assert saturate(rig, leases=100, calls=100) == 50


def test_of_requests_that_wait_for_long_only_a_few_are_kept(rig):
    """Each would be asked again for ever: on a large cluster most of what its processes say."""
    waiting = saturate(rig, leases=100, calls=100)
    rig.host.advance(120 * SECOND_NS)
    least = rig.host.config.max_pending_lease_requests
    assert len(rig.take(CancelWorkerLease)) == waiting - least
    rig.host.advance(60 * SECOND_NS)
    assert len(rig.take(RequestWorkerLease)) == 2 * least


def test_requests_grow_again_once_some_are_granted(rig):
    saturate(rig, leases=100, calls=100)
    rig.host.advance(120 * SECOND_NS)
    rig.take(RequestWorkerLease)
    rig.host.advance(30 * SECOND_NS)
    (_, first), *_ = rig.take(RequestWorkerLease)
    rig.granted(first, "free")
    assert len(rig.take(RequestWorkerLease)) == 2


# Cancelling.


def test_cancelled_queued_call_never_runs(rig):
    first, second = rig.submit(), rig.submit()
    rig.owner.tasks.cancel(first[:24])
    assert rig.failure(first) == FailureKind.TASK_CANCELLED
    rig.grant()
    assert [call.task_id for call in rig.pushed()] == [second[:24]]


def test_all_cancelled_calls_leave_no_request_behind(rig):
    results = [rig.submit() for _ in range(30)]
    for result in results:
        rig.owner.tasks.cancel(result[:24])
        rig.drop(result)
    assert len(rig.take(CancelWorkerLease)) >= rig.host.config.max_pending_lease_requests
    rig.assert_nothing_left()


def test_one_class_keeps_no_worker_from_another(rig):
    rig.submit()
    rig.submit(what=template(function_id=FunctionId(b"g" * 28), name="other"))
    requests = rig.take(RequestWorkerLease)
    assert len({request.lease_id for _, request in requests}) == 2
    rig.granted(requests[1][1])
    assert rig.one(PushTasks)[1].template.name == "other"


def test_grant_for_a_lease_nobody_asked_for_is_returned(rig: OwnerRig):
    rig.tell(RAYLET, WorkerLeaseGranted(77, address("worker", "near")))
    assert rig.one(ReturnWorkerLease) == (RAYLET, ReturnWorkerLease(77))


def test_idle_workers_are_returned_by_a_process_that_leaves(rig: OwnerRig) -> None:
    """They would be ended with it, and may own what others refer to."""
    learn_short_tasks(rig)
    rig.submit(what=template(resources={"CPU": 20_000}))
    rig.grant("busy")
    rig.take(ReturnWorkerLease)
    rig.owner.leave()
    [(_, returned)] = rig.take(ReturnWorkerLease)
    assert returned == ReturnWorkerLease(1)
