"""Normal tasks at a worker: one at a time, in order, handed back while the worker blocks."""

from raysim.protocol.messages import (
    AddBorrowers,
    BorrowEpoch,
    BorrowersAdded,
    CancelTasks,
    ContainedRef,
    ExitWorker,
    ExtentLent,
    ExtentRefused,
    FetchFailed,
    FetchObjects,
    FetchReason,
    NodeRemoved,
    RegisterWorker,
    ReleasePins,
    ReleaseReturnHolds,
    RemoveBorrowers,
    RequestExtent,
    SealObject,
    TasksDone,
    TaskStatus,
    WorkerBlocked,
    WorkerExiting,
    WorkerRegistered,
    WorkerUnblocked,
)
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import return_id
from tests.unit.protocol.executor.rig import (
    CALLER,
    GCS,
    LARGE,
    MS,
    OTHER,
    RAYLET,
    TOKEN,
    WorkerRig,
)

SECOND_NS = 1000 * MS


def statuses(results):
    return [(result.task_id, result.status) for _, result in results]


# Life.


def test_worker_registers_until_it_is_answered():
    rig = WorkerRig()
    assert rig.one(RegisterWorker) == (RAYLET, RegisterWorker(TOKEN, rig.host.pid))
    rig.host.advance(SECOND_NS)
    assert len(rig.take(RegisterWorker)) == 1
    rig.tell(RAYLET, WorkerRegistered(GCS, "near"))
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(RegisterWorker) == []


def test_idle_worker_ends_when_told(rig):
    rig.tell(RAYLET, ExitWorker("idle"))
    assert rig.one(WorkerExiting) == (RAYLET, WorkerExiting("idle", intended=True))
    assert rig.host.exited == ["idle"]


def test_worker_ends_after_what_it_runs_and_takes_nothing_more(rig):
    rig.pushed()
    rig.tell(RAYLET, ExitWorker("job finished"))
    assert rig.host.exited == []
    [late] = rig.pushed()
    assert statuses(rig.results()) == [(late.task_id, TaskStatus.NOT_RUN)]
    rig.finish(b"done")
    assert rig.host.exited == ["job finished"]
    assert len(rig.take(TasksDone)) == 1


def test_worker_that_owns_objects_stays_until_nobody_needs_them(rig):
    """What it put may be borrowed: it would be lost with its owner."""
    object_id = rig.owner.objects.create(rig.ids.put()).object_id
    rig.owner.objects.entries[object_id].local = 1
    rig.tell(RAYLET, ExitWorker("idle"))
    assert rig.host.exited == []
    rig.owner.objects.drop_local(object_id)
    assert rig.host.exited == ["idle"]


def test_worker_without_its_raylet_ends(rig):
    rig.lose(RAYLET)
    assert len(rig.host.exited) == 1


# Order.


def test_tasks_run_one_at_a_time_in_order_of_arrival(rig):
    calls = rig.pushed(3)
    assert rig.ran() == [calls[0].task_id]
    rig.finish(b"a")
    rig.finish(b"b")
    rig.finish(b"c")
    assert rig.ran() == [call.task_id for call in calls]
    assert statuses(rig.results()) == [(call.task_id, TaskStatus.OK) for call in calls]


def test_second_copy_of_a_push_is_dropped(rig):
    first, second = rig.pushed(2)
    rig.push(first, second)
    rig.finish(b"a")
    rig.finish(b"b")
    assert rig.ran() == [first.task_id, second.task_id]
    assert rig.executor.running == []


def test_handed_back_call_may_come_again(rig):
    """The same attempt: it was not tried."""
    rig.pushed()
    call = rig.call()
    rig.push(call)
    rig.executor.blocked()
    rig.executor.unblocked()
    rig.push(call)
    rig.finish(b"a")
    assert rig.ran()[1:] == [call.task_id]


def test_function_is_remembered_for_its_owner(rig):
    rig.push(rig.call(), function=b"theirs")
    rig.finish(b"a")
    rig.push(rig.call(), function=None)
    assert rig.running.function == b"theirs"


def test_results_of_a_busy_worker_are_gathered(rig):
    rig.pushed(3)
    rig.finish(b"a")
    rig.finish(b"b")
    assert rig.host.of(TasksDone) == []
    rig.finish(b"c")
    assert len(rig.one(TasksDone)[1].results) == 3


def test_gathered_result_does_not_wait_for_a_long_task(rig):
    rig.pushed(2)
    rig.finish(b"a")
    rig.host.advance(MS)
    assert len(rig.results()) == 1


# Arguments.


def test_call_waits_for_its_arguments_and_others_go_before_it(rig):
    arg = rig.arg()
    slow, quick = rig.call(arg), rig.call()
    rig.push(slow, quick)
    to, asked = rig.one(FetchObjects)
    assert (to, asked.reason) == (RAYLET, FetchReason.ARGUMENT)
    assert rig.ran() == [quick.task_id]
    rig.local(arg.object_id, handle=9)
    rig.finish(b"a")
    assert rig.ran() == [quick.task_id, slow.task_id]
    [local] = rig.running.args
    assert (local.slot, local.handle, local.payload) == (0, 9, None)


def test_argument_stays_pinned_while_its_call_runs(rig):
    arg = rig.arg()
    rig.push(rig.call(arg))
    rig.local(arg.object_id)
    assert rig.take(ReleasePins) == []
    rig.finish(b"a")
    assert rig.one(ReleasePins) == (RAYLET, ReleasePins([arg.object_id]))
    assert rig.owner.objects.entries == {}


def test_inline_argument_needs_no_fetch(rig):
    arg = rig.arg()
    arg.payload = b"value"
    rig.push(rig.call(arg))
    assert [local.payload for local in rig.running.args] == [b"value"]
    assert rig.take(FetchObjects) == []


def test_task_whose_argument_is_nowhere_is_handed_back(rig):
    """It holds CPUs while it waits: perhaps the very ones that the argument's task needs to run again."""
    arg = rig.arg()
    rig.push(rig.call(arg))
    rig.tell(RAYLET, FetchFailed(arg.object_id, [arg.holders[0].node_id]))
    [(_, result)] = rig.results()
    assert result.status == TaskStatus.NOT_RUN
    assert result.lost == {arg.object_id: [arg.holders[0].node_id]}
    assert rig.host.ran == []
    assert rig.owner.objects.entries == {}


def test_task_that_was_handed_back_may_come_again(rig):
    arg = rig.arg()
    call = rig.call(arg)
    rig.push(call)
    rig.tell(RAYLET, FetchFailed(arg.object_id, [arg.holders[0].node_id]))
    rig.push(call)
    rig.local(arg.object_id)
    assert rig.ran() == [call.task_id]


def test_no_room_for_an_argument_fails_the_call(rig):
    arg = rig.arg()
    rig.push(rig.call(arg), rig.call())
    rig.finish(b"quick")
    full = Failure(FailureKind.OBJECT_STORE_FULL, "no room")
    rig.tell(RAYLET, FetchFailed(arg.object_id, [], full))
    assert [result.failure for _, result in rig.results()] == [None, full]


def test_dead_owner_of_an_argument_fails_the_call(rig):
    """Its loss is heard of before the raylet says that it looks for no copy."""
    arg = rig.arg(owner=OTHER)
    rig.push(rig.call(arg))
    rig.lose(OTHER)
    died = Failure(FailureKind.OWNER_DIED, "its owner is gone")
    rig.tell(RAYLET, FetchFailed(arg.object_id, [], died))
    [(_, result)] = rig.results()
    assert result.failure.kind == FailureKind.OWNER_DIED


# Blocking.


def test_blocked_worker_lends_its_cpus_and_hands_back_its_queue(rig):
    _, *queued = rig.pushed(3)
    rig.executor.blocked()
    sent = rig.host.take()
    assert (RAYLET, WorkerBlocked(1)) in sent
    [done] = [message for _, message in sent if isinstance(message, TasksDone)]
    assert [(r.task_id, r.status) for r in done.results] == [
        (call.task_id, TaskStatus.NOT_RUN) for call in queued
    ]
    rig.executor.unblocked()
    assert rig.one(WorkerUnblocked) == (RAYLET, WorkerUnblocked(1))


def test_what_is_pushed_to_a_blocked_worker_comes_back_at_once(rig):
    rig.pushed()
    rig.executor.blocked()
    rig.host.take()
    [late] = rig.pushed()
    assert statuses(rig.results()) == [(late.task_id, TaskStatus.NOT_RUN)]


def test_results_gathered_before_a_wait_are_sent_first(rig):
    """Whoever this task waits for may wait for them."""
    rig.pushed(2)
    rig.finish(b"a")
    rig.executor.blocked()
    assert len(rig.host.of(TasksDone)) == 1


def test_two_threads_that_wait_count_as_one(rig):
    rig.pushed()
    rig.executor.blocked()
    rig.executor.blocked()
    rig.executor.unblocked()
    assert [type(sent) for _, sent in rig.host.take()] == [WorkerBlocked]
    rig.executor.unblocked()
    assert len(rig.take(WorkerUnblocked)) == 1


def test_call_that_ends_while_it_waits_takes_its_cpus_back_once(rig):
    """Its user code was thrown out of the wait, and says `unblocked` only afterwards."""
    rig.pushed()
    rig.executor.blocked()
    rig.finish(b"a")
    rig.executor.unblocked()
    assert [m.number for _, m in rig.take(WorkerUnblocked)] == [1]
    rig.pushed()
    rig.executor.blocked()
    assert rig.one(WorkerBlocked)[1].number == 2


# Cancelling.


def test_cancelled_call_that_did_not_start_comes_back(rig):
    running, queued, last = rig.pushed(3)
    rig.tell(CALLER, CancelTasks([running.task_id, queued.task_id]))
    rig.finish(b"a")
    rig.finish(b"c")
    assert rig.ran() == [running.task_id, last.task_id]
    assert sorted(status for _, status in statuses(rig.results())) == [
        TaskStatus.OK,
        TaskStatus.OK,
        TaskStatus.NOT_RUN,
    ]


def test_argument_that_arrives_for_a_cancelled_call_is_not_kept(rig):
    arg = rig.arg()
    call = rig.call(arg)
    rig.push(call)
    rig.tell(CALLER, CancelTasks([call.task_id]))
    rig.local(arg.object_id)
    assert rig.host.ran == []
    assert len(rig.host.of(ReleasePins)) == 1
    assert rig.owner.objects.entries == {}


# Losing the caller.


def test_calls_of_a_lost_caller_do_not_run(rig):
    rig.push(rig.call(), sender=OTHER)
    rig.pushed(2)
    rig.lose(CALLER)
    rig.finish(b"a")
    assert rig.executor.running == []
    assert [to for to, _ in rig.results()] == [OTHER]


def test_caller_that_goes_while_its_call_runs_leaves_nothing_held(rig):
    rig.pushed()
    inner = rig.owner.objects.create(rig.ids.put()).object_id
    rig.lose(CALLER)
    rig.finish(b"a", contained=[ContainedRef(inner, rig.host.address)])
    assert rig.owner.objects.entries == {}
    assert rig.results() == []


# Results.


def test_large_result_is_sealed_before_it_is_reported(rig):
    [call] = rig.pushed()
    rig.finish(b"x" * LARGE)
    to, asked = rig.one(RequestExtent)
    assert (to, asked.size) == (RAYLET, LARGE)
    rig.tell(RAYLET, ExtentLent(asked.number, 4))
    sent = rig.host.take()
    assert [type(message) for _, message in sent] == [SealObject, TasksDone]
    assert sent[0] == (RAYLET, SealObject(asked.number, return_id(call.task_id, 0), LARGE, CALLER))
    assert sent[1][1].raylet == RAYLET
    assert [(r.payload, r.size) for r in sent[1][1].results[0].returns] == [(None, LARGE)]
    assert rig.host.store.places == {4: b"x" * LARGE}


def test_next_task_waits_until_a_large_result_is_copied(rig):
    """It could change what the first one returned: an array that both know, say."""
    first, second = rig.pushed(2)
    rig.finish(b"x" * LARGE)
    assert rig.ran() == [first.task_id]
    rig.tell(RAYLET, ExtentLent(rig.one(RequestExtent)[1].number, 5))
    assert rig.ran() == [first.task_id, second.task_id]


def test_result_that_does_not_fit_fails_the_call_and_holds_nothing(rig):
    rig.pushed()
    inner = rig.owner.objects.create(rig.ids.put()).object_id
    rig.finish(b"x" * LARGE, contained=[ContainedRef(inner, rig.host.address)])
    full = Failure(FailureKind.OBJECT_STORE_FULL, "no room")
    rig.tell(RAYLET, ExtentRefused(rig.one(RequestExtent)[1].number, full))
    [(_, result)] = rig.results()
    assert (result.status, result.failure, result.returns) == (TaskStatus.FAILED, full, [])
    assert rig.owner.objects.entries == {}


def test_worker_does_not_end_before_its_last_result_left(rig):
    rig.pushed()
    rig.tell(RAYLET, ExitWorker("idle"))
    rig.finish(b"x" * LARGE)
    asked = rig.one(RequestExtent)[1]
    rig.host.advance(5 * MS)
    assert rig.host.exited == []
    rig.tell(RAYLET, ExtentLent(asked.number, 4))
    rig.host.advance(5 * MS)
    assert rig.host.exited == ["idle"]
    assert len(rig.results()) == 1


def test_task_that_ends_its_worker_hands_back_the_rest(rig):
    first, second = rig.pushed(2)
    crashed = Failure(FailureKind.WORKER_CRASHED, "sys.exit")
    rig.finish(status=TaskStatus.FAILED, failure=crashed, exits=True)
    assert sorted(statuses(rig.results()), key=lambda one: one[1]) == [
        (second.task_id, TaskStatus.NOT_RUN),
        (first.task_id, TaskStatus.FAILED),
    ]
    assert len(rig.host.exited) == 1


# References that a call kept or returned.


def test_result_waits_until_kept_references_are_known_to_their_owners(rig):
    """The caller lets go of what it passed as soon as it hears of the end."""
    rig.pushed()
    inner = rig.ids.put()
    rig.owner.objects.borrow(inner, OTHER).local += 1
    assert rig.one(AddBorrowers)[0] == OTHER
    rig.finish(b"a")
    assert rig.results() == []
    rig.tell(OTHER, BorrowersAdded([BorrowEpoch(inner, 1)]))
    assert len(rig.results()) == 1


def test_returned_reference_is_held_until_the_caller_has_it(rig):
    [call] = rig.pushed()
    inner = rig.owner.objects.create(rig.ids.put()).object_id
    rig.finish(b"a", contained=[ContainedRef(inner, rig.host.address)])
    assert inner in rig.owner.objects.entries
    rig.tell(CALLER, ReleaseReturnHolds([call.task_id]))
    assert rig.owner.objects.entries == {}


def test_returned_borrow_is_released_after_the_caller_has_it(rig):
    [call] = rig.pushed()
    inner = rig.ids.put()
    rig.finish(b"a", contained=[ContainedRef(inner, OTHER)])
    rig.tell(OTHER, BorrowersAdded([BorrowEpoch(inner, 1)]))
    assert len(rig.results()) == 1
    rig.tell(CALLER, ReleaseReturnHolds([call.task_id]))
    assert rig.one(RemoveBorrowers) == (OTHER, RemoveBorrowers([BorrowEpoch(inner, 1)]))


def test_returned_reference_is_let_go_with_a_lost_caller(rig):
    rig.pushed()
    inner = rig.owner.objects.create(rig.ids.put()).object_id
    rig.finish(b"a", contained=[ContainedRef(inner, rig.host.address)])
    rig.lose(CALLER)
    assert rig.owner.objects.entries == {}


def test_returned_reference_is_let_go_with_the_callers_node(rig):
    """Nobody reports a broken connection to a node without power."""
    rig.pushed()
    inner = rig.owner.objects.create(rig.ids.put()).object_id
    rig.finish(b"a", contained=[ContainedRef(inner, rig.host.address)])
    rig.tell(RAYLET, NodeRemoved(CALLER.node_id, "no answer"))
    assert rig.owner.objects.entries == {}


def test_another_attempt_at_the_same_worker_replaces_what_the_first_held(rig):
    """The first attempt's result was lost with its caller's patience; only the second is released."""
    [call] = rig.pushed()
    old = rig.owner.objects.create(rig.ids.put()).object_id
    rig.finish(b"a", contained=[ContainedRef(old, rig.host.address)])
    call.attempt = 1
    rig.push(call)
    new = rig.owner.objects.create(rig.ids.put()).object_id
    rig.finish(b"b", contained=[ContainedRef(new, rig.host.address)])
    assert list(rig.owner.objects.entries) == [new]
    rig.tell(CALLER, ReleaseReturnHolds([call.task_id]))
    assert rig.owner.objects.entries == {}
