"""Calls that nobody wants any more: those that wait are answered, those that run are told."""

import pytest

from raysim.protocol.messages import CancelTasks, PushTasks, RequestWorkerLease, TaskStatus
from raysim.spec.failure import FailureKind
from raysim.spec.ids import IdSource
from raysim.spec.task import TaskCall
from tests.unit.protocol.executor.rig import CALLER, RAYLET, TEMPLATE


def cancel(rig, *calls, force=False, recursive=False):
    rig.tell(CALLER, CancelTasks([call.task_id for call in calls], force, recursive))


def answers(rig):
    return {result.task_id: result for _, result in rig.results()}


# Tasks.


def test_task_that_waits_is_handed_back(rig):
    running, waiting = rig.pushed(2)
    cancel(rig, waiting)
    assert answers(rig)[waiting.task_id].status == TaskStatus.NOT_RUN
    assert rig.host.interrupted == []
    rig.finish(b"")
    assert rig.ran() == [running.task_id]


def test_task_that_runs_is_interrupted_once(rig):
    [running] = rig.pushed()
    cancel(rig, running)
    cancel(rig, running)
    assert rig.host.interrupted == [rig.running]
    assert rig.running.cancelled


def test_interrupted_task_may_return_all_the_same(rig):
    [running] = rig.pushed()
    cancel(rig, running)
    rig.finish(b"done")
    assert answers(rig)[running.task_id].status == TaskStatus.OK


def test_force_ends_the_process_and_hands_back_the_rest(rig):
    running, waiting = rig.pushed(2)
    cancel(rig, running, force=True)
    found = answers(rig)
    assert list(found) == [waiting.task_id]
    assert found[waiting.task_id].status == TaskStatus.NOT_RUN
    assert len(rig.host.exited) == 1
    assert not rig.executor.leaves


def test_force_spares_the_process_of_a_task_that_waits(rig):
    _, waiting = rig.pushed(2)
    cancel(rig, waiting, force=True)
    assert rig.host.exited == []
    assert answers(rig)[waiting.task_id].status == TaskStatus.NOT_RUN


def test_unknown_call_is_nobodys(rig):
    cancel(rig, rig.call())
    assert rig.results() == []


def submit(rig, parent):
    """As user code of the running call submits."""
    task_id = IdSource(parent.task_id, parent.attempt).task()
    cls = rig.owner.tasks.leases.class_of(TEMPLATE, b"function")
    rig.owner.tasks.submit(cls, TaskCall(task_id, 0, b"args"), [], "child")
    return task_id


@pytest.mark.parametrize("recursive", [True, False])
def test_children_of_a_task_that_runs(rig, recursive):
    [running] = rig.pushed()
    child = submit(rig, running)
    assert len(rig.take(RequestWorkerLease)) == 1
    cancel(rig, running, recursive=recursive)
    assert (child in rig.owner.tasks.records) is not recursive


def test_children_of_others_are_left_alone(rig):
    [running] = rig.pushed()
    child = submit(rig, rig.call())
    cancel(rig, running, recursive=True)
    assert child in rig.owner.tasks.records


def test_cancellation_of_a_child_reaches_its_worker(rig):
    from raysim.protocol.messages import WorkerLeaseGranted
    from tests.unit.protocol.fake_host import address

    [running] = rig.pushed()
    child = submit(rig, running)
    _, request = rig.one(RequestWorkerLease)
    worker = address("worker", "third")
    rig.tell(RAYLET, WorkerLeaseGranted(request.lease_id, worker))
    assert len(rig.take(PushTasks)) == 1
    cancel(rig, running, force=False, recursive=True)
    assert rig.one(CancelTasks) == (worker, CancelTasks([child], False, True))


# Actors.


def cancelled(result):
    return result.failure is not None and result.failure.kind == FailureKind.TASK_CANCELLED


def test_method_that_waits_for_its_turn_is_answered_at_once(rig):
    spec = rig.actor()
    calls = [rig.method(spec, n) for n in range(3)]
    rig.push_actor(spec, *calls)
    cancel(rig, calls[1])
    found = answers(rig)
    assert list(found) == [calls[1].task_id]
    assert cancelled(found[calls[1].task_id])


def test_number_of_a_cancelled_method_is_spent(rig):
    spec = rig.actor()
    calls = [rig.method(spec, n) for n in range(4)]
    rig.push_actor(spec, *calls[:3])
    cancel(rig, calls[1])
    rig.push_actor(spec, calls[3])
    for _ in range(3):
        rig.finish(b"")
    assert rig.ran() == [call.task_id for call in (calls[0], calls[2], calls[3])]


def test_cancelled_head_that_waited_for_its_argument_frees_those_behind_it(rig):
    spec = rig.actor()
    arg = rig.arg()
    head, behind = rig.method(spec, 0, arg), rig.method(spec, 1)
    rig.push_actor(spec, head, behind)
    cancel(rig, head)
    assert rig.ran() == [behind.task_id]
    rig.local(arg.object_id)
    rig.finish(b"")
    assert rig.ran() == [behind.task_id]


def test_method_that_has_overtaken_others_is_cancelled_in_its_place(rig):
    spec = rig.actor()
    calls = [rig.method(spec, n) for n in range(3)]
    rig.push_actor(spec, calls[1])
    cancel(rig, calls[1])
    rig.push_actor(spec, calls[0], calls[2])
    rig.finish(b"")
    rig.finish(b"")
    assert rig.ran() == [calls[0].task_id, calls[2].task_id]
    assert cancelled(answers(rig)[calls[1].task_id])


def test_method_out_of_order_that_waits_is_cancelled(rig):
    spec = rig.actor(out_of_order=True)
    arg = rig.arg()
    waiting, other = rig.method(spec, 0, arg), rig.method(spec, 1)
    rig.push_actor(spec, waiting, other)
    cancel(rig, waiting)
    assert cancelled(answers(rig)[waiting.task_id])
    rig.local(arg.object_id)
    rig.finish(b"")
    assert rig.ran() == [other.task_id]


def test_method_that_runs_is_told_and_not_interrupted(rig):
    spec = rig.actor()
    call = rig.method(spec, 0)
    rig.push_actor(spec, call)
    cancel(rig, call)
    assert rig.running.cancelled
    assert rig.host.interrupted == []


def test_coroutine_that_runs_is_interrupted(rig):
    spec = rig.actor(max_concurrency=2, is_async=True, out_of_order=True)
    calls = [rig.method(spec, n) for n in range(2)]
    rig.push_actor(spec, *calls)
    cancel(rig, calls[0])
    assert rig.host.interrupted == [rig.task_of(calls[0])]
    assert not rig.task_of(calls[1]).cancelled


def test_actor_is_not_ended_by_force(rig):
    spec = rig.actor()
    call = rig.method(spec, 0)
    rig.push_actor(spec, call)
    cancel(rig, call, force=True)
    assert rig.host.exited == []
