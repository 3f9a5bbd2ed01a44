"""Calls and their ends: arguments, results, retries, cancellation, and which copies of an answer count."""

import sys

import pytest

from raysim.journal import TaskEnded
from raysim.protocol.messages import (
    CancelTasks,
    ObjectsResolved,
    ObjectStatus,
    PushTasks,
    RequestWorkerLease,
    ReturnWorkerLease,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.owner.entries import ObjectState
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import IdSource, driver_task, job_id, return_id
from tests.unit.protocol.owner.rig import (
    FAR,
    LARGE,
    OTHER,
    RAYLET,
    inline,
    stored,
    template,
)

THEIRS = IdSource(driver_task(job_id(9)))


# Arguments.


def test_call_waits_for_its_argument_and_carries_its_value(rig):
    argument = rig.submit()
    rig.submit(argument)
    worker = rig.grant()
    rig.done(worker, argument, inline(b"value"))
    [_, call] = rig.pushed()
    assert [arg.payload for arg in call.refs] == [b"value"]


def test_call_waits_for_all_of_its_arguments(rig):
    first, second = rig.submit(), rig.submit()
    result = rig.submit(first, second)
    worker = rig.grant()
    rig.done(worker, first, inline())
    assert result[:24] not in [call.task_id for call in rig.pushed()]
    rig.done(worker, second, inline())
    assert result[:24] in [call.task_id for call in rig.pushed()]


def test_call_with_a_stored_argument_carries_its_places(rig):
    argument = rig.put_stored(LARGE, FAR)
    rig.submit(argument)
    rig.grant()
    [call] = rig.pushed()
    [arg] = call.refs
    assert (arg.payload, arg.holders, arg.size) == (None, [FAR], LARGE)


def test_borrowed_argument_is_asked_of_its_owner(rig):
    argument = THEIRS.put()
    rig.objects.borrow(argument, OTHER).local += 1
    rig.submit(argument)
    assert rig.take(RequestWorkerLease) == []
    rig.tell(OTHER, ObjectsResolved([ObjectStatus(argument, b"theirs")]))
    rig.grant()
    assert rig.pushed()[0].refs[0].payload == b"theirs"


def test_same_argument_twice_is_counted_twice(rig):
    argument = rig.put()
    result = rig.submit(argument, argument)
    rig.drop(argument)
    worker = rig.grant()
    rig.done(worker, result, inline())
    rig.drop(result)
    rig.assert_nothing_left()


def test_failed_argument_fails_the_call_without_running_it(rig):
    argument = rig.submit()
    result = rig.submit(argument)
    worker = rig.grant()
    rig.host.take()
    rig.done(worker, argument, inline(b"Eerror"), status=TaskStatus.APPLICATION_ERROR)
    assert rig.pushed() == []
    entry = rig.found(result)
    assert (entry.payload, entry.is_error) == (b"Eerror", True)
    rig.drop(argument)
    rig.drop(result)
    rig.assert_nothing_left()


def test_call_with_an_argument_that_had_failed_has_its_returns(rig):
    """They are counted for the caller before the call fails, within the same call of `submit`."""
    argument = rig.submit()
    worker = rig.grant()
    rig.done(worker, argument, inline(b"Eerror"), status=TaskStatus.APPLICATION_ERROR)
    result = rig.submit(argument)
    assert rig.found(result).is_error


def test_failure_runs_down_a_chain_longer_than_the_stack(rig):
    first = last = rig.submit()
    links = [first]
    for _ in range(sys.getrecursionlimit() * 2):
        last = rig.submit(last)
        links.append(last)
    worker = rig.grant()
    rig.done(worker, first, inline(b"Eerror"), status=TaskStatus.APPLICATION_ERROR)
    assert rig.found(last).is_error
    for link in links:
        rig.objects.drop_local(link)
    rig.assert_nothing_left()


# Results.


def test_second_copy_of_a_result_is_ignored(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.done(worker, result, inline(b"first"))
    rig.done(worker, result, inline(b"second"))
    assert rig.found(result).payload == b"first"
    assert len(rig.host.noted(TaskEnded)) == 1


def test_result_of_a_call_nobody_made_is_ignored(rig):
    rig.done(OTHER, THEIRS.put(), inline())
    assert rig.entries == {}


def test_result_from_a_worker_that_was_not_asked_is_ignored(rig):
    result = rig.submit()
    rig.grant()
    rig.done(OTHER, result, inline())
    assert not rig.found(result).ready


def test_each_return_has_its_own_value(rig):
    result = rig.submit(what=template(num_returns=3))
    task_id = result[:24]
    worker = rig.grant()
    rig.done(worker, result, inline(b"a"), stored(), inline(b"c"))
    first, second, third = (rig.found(return_id(task_id, index)) for index in range(3))
    assert (first.payload, third.payload) == (b"a", b"c")
    assert (second.state, second.holders) == (ObjectState.STORED, (RAYLET,))


def test_call_without_returns_leaves_nothing(rig):
    rig.submit(what=template(num_returns=0))
    requests = rig.take(RequestWorkerLease)
    worker = rig.granted(requests[0][1])
    [(_, push)] = rig.take(PushTasks)
    rig.tell(worker, TasksDone(RAYLET, [rig.result(return_id(push.calls[0].task_id, 0))]))
    rig.assert_nothing_left()


# Errors of the application.


def test_retriable_error_runs_the_task_again(rig):
    result = rig.submit(what=template(retry_exceptions=True, max_retries=1))
    worker = rig.grant()
    rig.host.take()
    rig.done(worker, result, inline(b"E"), status=TaskStatus.RETRIABLE_ERROR)
    [call] = rig.pushed()
    assert call.attempt == 1
    rig.done(worker, result, inline(b"E2"), status=TaskStatus.RETRIABLE_ERROR, attempt=1)
    entry = rig.found(result)
    assert (entry.payload, entry.is_error) == (b"E2", True)
    rig.drop(result)
    rig.assert_nothing_left()


def test_error_that_is_not_retriable_ends_the_task(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.done(worker, result, inline(b"E"), status=TaskStatus.APPLICATION_ERROR)
    assert rig.found(result).is_error
    assert [note.status for note in rig.host.noted(TaskEnded)] == ["failed"]


def test_system_failure_at_the_worker_fails_the_call(rig):
    result = rig.submit()
    worker = rig.grant()
    failure = Failure(FailureKind.OBJECT_STORE_FULL, "no room for 1 GiB")
    rig.done(worker, result, status=TaskStatus.FAILED, failure=failure)
    assert rig.found(result).failure == failure


def test_task_that_ended_its_worker_is_tried_again_on_another(rig):
    result = rig.submit(what=template(max_retries=1))
    crashed = Failure(FailureKind.WORKER_CRASHED, "sys.exit")
    worker = rig.grant()
    assert len(rig.pushed()) == 1
    rig.done(worker, result, status=TaskStatus.FAILED, failure=crashed)
    assert not rig.found(result).ready
    other = rig.grant("other")  # The first one's process ends: the retry would be lost with it.
    rig.done(other, result, status=TaskStatus.FAILED, failure=crashed, attempt=1)
    assert rig.found(result).failure == crashed


# Cancelling.


def test_running_call_is_asked_to_be_handed_back(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.owner.tasks.cancel(result[:24])
    assert rig.one(CancelTasks) == (worker, CancelTasks([result[:24]]))
    rig.done(worker, result, status=TaskStatus.NOT_RUN)
    assert rig.failure(result) == FailureKind.TASK_CANCELLED


def test_cancellation_that_comes_too_late_changes_nothing(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.owner.tasks.cancel(result[:24])
    rig.done(worker, result, inline(b"done"))
    assert rig.found(result).payload == b"done"


def test_cancelled_call_is_not_retried_when_its_worker_goes(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.owner.tasks.cancel(result[:24])
    rig.lose(worker)
    assert rig.failure(result) == FailureKind.TASK_CANCELLED
    rig.drop(result)
    rig.assert_nothing_left()


def test_call_that_waits_for_its_argument_can_be_cancelled(rig):
    argument = rig.submit()
    result = rig.submit(argument)
    rig.owner.tasks.cancel(result[:24])
    assert rig.failure(result) == FailureKind.TASK_CANCELLED
    worker = rig.grant()
    rig.host.take()
    rig.done(worker, argument, inline())
    assert rig.pushed() == []
    rig.drop(argument)
    rig.drop(result)
    rig.assert_nothing_left()


def test_cancelling_twice_or_after_the_end_is_harmless(rig):
    result = rig.submit()
    rig.owner.tasks.cancel(result[:24])
    rig.owner.tasks.cancel(result[:24])
    assert [note.status for note in rig.host.noted(TaskEnded)] == ["cancelled"]


# Quiescence.


@pytest.mark.parametrize("retries", [0, 3])
def test_nothing_is_left_of_a_tree_of_calls(rig, retries):
    what = template(max_retries=retries)
    leaves = [rig.submit(what=what) for _ in range(4)]
    pairs = [rig.submit(*leaves[:2], what=what), rig.submit(*leaves[2:], what=what)]
    root = rig.submit(*pairs, what=what)
    for result in [*leaves, *pairs, root]:
        rig.objects.drop_local(result)
    worker = rig.grant()
    done = 0
    while calls := [*rig.owner.tasks.leases._by_worker.values()]:
        [lease] = calls[0].values()
        if not lease.in_flight:
            break
        for task_id in list(lease.in_flight):
            result = stored() if done % 2 else inline()
            rig.done(worker, return_id(task_id, 0), result)
            done += 1
    assert done == 7
    rig.host.take()
    rig.assert_nothing_left()
    assert len(rig.take(ReturnWorkerLease)) == 1
