"""An actor at its worker: the constructor first, then calls in each caller's order."""

import pytest

from raysim.protocol.executor.actor_queue import AHEAD
from raysim.protocol.host import Outcome
from raysim.protocol.messages import (
    ActorStarted,
    AddBorrowers,
    BorrowEpoch,
    BorrowersAdded,
    CancelTasks,
    ExtentLent,
    FetchFailed,
    ObjectsResolved,
    ObjectStatus,
    ReleasePins,
    RequestExtent,
    StartActor,
    TasksDone,
    TaskStatus,
    TerminateActor,
    WorkerExiting,
)
from raysim.spec.failure import Failure, FailureKind
from tests.unit.protocol.executor.rig import CALLER, GCS, LARGE, OTHER, RAYLET


def answered(rig):
    return [result.task_id for _, result in rig.results()]


# The constructor.


def test_constructor_runs_first_and_is_reported(rig):
    spec = rig.start_actor()
    assert rig.running.call.method == "__init__"
    assert rig.take(ActorStarted) == []
    rig.finish()
    assert rig.one(ActorStarted) == (GCS, ActorStarted(spec.actor_id, 0))


def test_constructor_waits_for_its_arguments(rig):
    arg = rig.arg()
    rig.start_actor(arg)
    assert rig.host.ran == []
    rig.local(arg.object_id)
    assert rig.running.call.method == "__init__"
    rig.finish()
    assert len(rig.take(ReleasePins)) == 1


def test_constructor_that_raised_is_reported_with_its_error(rig):
    spec = rig.start_actor()
    rig.finish(b"Eboom", status=TaskStatus.APPLICATION_ERROR)
    _, started = rig.one(ActorStarted)
    assert started.failure.kind == FailureKind.ACTOR_DIED
    assert started.failure.init_failed
    assert started.failure.payload == b"Eboom"
    assert spec.class_name in started.failure.text


def test_constructor_without_its_argument_is_reported(rig):
    arg = rig.arg()
    rig.start_actor(arg)
    rig.tell(RAYLET, FetchFailed(arg.object_id, []))
    lost = Failure(FailureKind.OBJECT_LOST, "all copies are gone")
    rig.tell(CALLER, ObjectsResolved([ObjectStatus(arg.object_id, failure=lost)]))
    _, started = rig.one(ActorStarted)
    assert started.failure.init_failed
    assert "all copies are gone" in started.failure.text


def test_second_copy_of_the_start_runs_nothing_twice(rig):
    spec = rig.start_actor()
    rig.tell(GCS, StartActor(spec, 0))
    rig.finish()
    assert len(rig.host.ran) == 1
    rig.host.take()
    rig.tell(GCS, StartActor(spec, 0))
    assert rig.one(ActorStarted) == (GCS, ActorStarted(spec.actor_id, 0))


def test_start_is_reported_when_kept_references_are_known(rig):
    """The creator lets go of the constructor's arguments as soon as the actor is alive."""
    rig.start_actor()
    inner = rig.ids.put()
    rig.owner.objects.borrow(inner, OTHER).local += 1
    assert len(rig.take(AddBorrowers)) == 1
    rig.finish()
    assert rig.take(ActorStarted) == []
    rig.tell(OTHER, BorrowersAdded([BorrowEpoch(inner, 1)]))
    assert len(rig.take(ActorStarted)) == 1


# Order.


def test_calls_of_one_caller_run_in_the_order_of_their_numbers(rig):
    spec = rig.actor()
    calls = [rig.method(spec, sequence) for sequence in range(4)]
    rig.push_actor(spec, calls[2], calls[1])
    assert rig.host.ran == []
    rig.push_actor(spec, calls[0])
    rig.push_actor(spec, calls[3])
    for _ in calls:
        rig.finish(b"")
    assert rig.ran() == [call.task_id for call in calls]


def test_second_copy_of_a_call_is_dropped(rig):
    spec = rig.actor()
    early, first = rig.method(spec, 1), rig.method(spec, 0)
    rig.push_actor(spec, early)
    rig.push_actor(spec, early)
    rig.push_actor(spec, first)
    rig.push_actor(spec, first)
    rig.finish(b"")
    rig.finish(b"")
    rig.push_actor(spec, early)
    assert rig.executor.running == []
    assert rig.ran() == [first.task_id, early.task_id]


@pytest.mark.parametrize("incarnation", [0, 2])
def test_call_for_another_incarnation_is_dropped(rig, incarnation):
    spec = rig.actor(incarnation=1)
    rig.push_actor(spec, rig.method(spec, 0), incarnation=incarnation)
    assert rig.host.ran == []


def test_call_for_another_actor_is_dropped(rig):
    rig.actor()
    other = rig.spec()
    rig.push_actor(other, rig.method(other, 0))
    assert rig.host.ran == []


def test_callers_take_turns_in_order_of_arrival(rig):
    spec = rig.actor()
    mine = [rig.method(spec, sequence) for sequence in range(2)]
    theirs = [rig.method(spec, sequence) for sequence in range(2)]
    rig.push_actor(spec, mine[0])
    rig.push_actor(spec, theirs[0], sender=OTHER)
    rig.push_actor(spec, mine[1])
    rig.push_actor(spec, theirs[1], sender=OTHER)
    for _ in range(4):
        rig.finish(b"")
    assert rig.ran() == [call.task_id for call in (mine[0], theirs[0], mine[1], theirs[1])]


def test_call_that_waits_for_its_argument_holds_back_only_its_caller(rig):
    spec = rig.actor()
    arg = rig.arg()
    mine = [rig.method(spec, 0, arg), rig.method(spec, 1)]
    theirs = [rig.method(spec, sequence) for sequence in range(2)]
    rig.push_actor(spec, *mine)
    rig.push_actor(spec, *theirs, sender=OTHER)
    rig.finish(b"")
    rig.finish(b"")
    assert rig.ran() == [call.task_id for call in theirs]
    rig.local(arg.object_id)
    rig.finish(b"")
    rig.finish(b"")
    assert rig.ran()[2:] == [call.task_id for call in mine]


def test_caller_whose_argument_came_goes_behind_those_whose_turn_came_meanwhile(rig):
    spec = rig.actor()
    arg = rig.arg()
    waiting, following = rig.method(spec, 0, arg), rig.method(spec, 1)
    theirs = [rig.method(spec, sequence) for sequence in range(2)]
    rig.push_actor(spec, waiting, following)
    rig.push_actor(spec, *theirs, sender=OTHER)
    rig.local(arg.object_id)
    for _ in range(4):
        rig.finish(b"")
    expected = [*theirs, waiting, following]
    assert rig.ran() == [call.task_id for call in expected]


def test_many_calls_behind_one_that_waits_are_run_once_it_is_ready(rig):
    spec = rig.actor()
    first, late = rig.arg(), rig.arg()
    calls = [rig.method(spec, 0, first), *(rig.method(spec, n) for n in range(1, 50))]
    calls.append(rig.method(spec, 50, late))
    for call in calls:
        rig.push_actor(spec, call)
    rig.local(late.object_id, handle=8)
    assert rig.host.ran == []
    rig.local(first.object_id, handle=9)
    for _ in calls:
        rig.finish(b"")
    assert rig.ran() == [call.task_id for call in calls]


def test_blocked_actor_keeps_its_queue_and_what_it_holds(rig):
    """The calls have to run here, whatever it waits for; its CPUs are its own for life."""
    spec = rig.actor()
    rig.push_actor(spec, rig.method(spec, 0), rig.method(spec, 1))
    rig.executor.blocked()
    assert rig.host.take() == []
    rig.executor.unblocked()
    assert rig.host.take() == []


def test_call_that_arrives_while_the_actor_waits_runs_after_it(rig):
    spec = rig.actor()
    calls = [rig.method(spec, 0), rig.method(spec, 1)]
    rig.push_actor(spec, calls[0])
    rig.executor.blocked()
    rig.push_actor(spec, calls[1])
    assert rig.ran() == [calls[0].task_id]
    rig.executor.unblocked()
    rig.finish(b"")
    assert rig.ran() == [call.task_id for call in calls]


# Ends.


def test_terminated_actor_runs_what_has_arrived_and_then_ends(rig):
    spec = rig.actor()
    calls = [rig.method(spec, sequence) for sequence in range(3)]
    rig.push_actor(spec, *calls)
    rig.tell(GCS, TerminateActor(spec.actor_id, 0))
    for _ in calls:
        assert rig.host.exited == []
        rig.finish(b"")
    sent = rig.host.take()
    assert len(rig.host.exited) == 1
    results = [r.task_id for _, m in sent if isinstance(m, TasksDone) for r in m.results]
    assert results == [call.task_id for call in calls]
    assert isinstance(sent[-1][1], WorkerExiting)


def test_idle_actor_ends_at_once(rig):
    spec = rig.actor()
    rig.tell(GCS, TerminateActor(spec.actor_id, 0))
    assert len(rig.host.exited) == 1


def test_termination_of_another_incarnation_is_ignored(rig):
    spec = rig.actor(incarnation=1)
    rig.tell(GCS, TerminateActor(spec.actor_id, 0))
    assert rig.host.exited == []


def test_actor_that_exits_runs_no_further_call(rig):
    """`exit_actor`: those that wait fail with the news of its death."""
    spec = rig.actor()
    calls = [rig.method(spec, 0), rig.method(spec, 1)]
    rig.push_actor(spec, *calls)
    died = Failure(FailureKind.ACTOR_DIED, "it said so", spec.actor_id)
    rig.finish(status=TaskStatus.FAILED, failure=died, exits=True)
    assert rig.ran() == [calls[0].task_id]
    assert answered(rig) == [calls[0].task_id]
    assert len(rig.host.exited) == 1


def test_calls_of_a_lost_caller_do_not_run_and_keep_no_pin(rig):
    spec = rig.actor()
    arg = rig.arg(owner=OTHER)
    rig.push_actor(spec, rig.method(spec, 0), sender=OTHER)
    rig.push_actor(spec, rig.method(spec, 0), rig.method(spec, 1, arg))
    rig.local(arg.object_id)
    rig.lose(CALLER)
    assert len(rig.host.of(ReleasePins)) == 1
    rig.finish(b"")
    assert rig.executor.running == []
    assert len(rig.host.ran) == 1


def test_an_actor_that_runs_one_at_a_time_is_given_calls_ahead(rig):
    spec = rig.actor()
    calls = [rig.method(spec, number) for number in range(AHEAD + 2)]
    rig.push_actor(spec, *calls)
    assert rig.ran() == [calls[0].task_id]
    assert len(rig.host.row) == AHEAD
    assert [stage.state for stage in rig.executor.stages()].count("RUNNING") == 1
    assert len(rig.executor.stages()) == AHEAD + 2
    for _ in calls:
        rig.finish(b"")
    assert rig.ran() == [call.task_id for call in calls]


def test_a_call_that_was_given_ahead_is_answered_at_once_when_it_is_cancelled(rig):
    spec = rig.actor()
    first, unwanted, last = (rig.method(spec, number) for number in range(3))
    rig.push_actor(spec, first, unwanted, last)
    rig.tell(CALLER, CancelTasks([unwanted.task_id]))
    [(_, result)] = rig.results()
    assert (result.task_id, result.failure.kind) == (
        unwanted.task_id,
        FailureKind.TASK_CANCELLED,
    )
    for _ in range(2):
        rig.finish(b"")
    assert rig.ran() == [first.task_id, last.task_id]


def test_calls_that_were_given_ahead_are_not_run_for_a_caller_that_is_lost(rig):
    spec = rig.actor()
    theirs, ours = [rig.method(spec, number) for number in range(2)], rig.method(spec, 0)
    rig.push_actor(spec, *theirs, sender=OTHER)
    rig.push_actor(spec, ours)
    rig.lose(OTHER)
    rig.finish(b"")
    rig.finish(b"")
    assert rig.ran() == [theirs[0].task_id, ours.task_id]
    assert [to for to, _ in rig.results()] == [CALLER]


def test_calls_that_were_given_ahead_of_the_end_of_their_actor_do_not_run(rig):
    spec = rig.actor()
    last, *later = (rig.method(spec, number) for number in range(3))
    rig.push_actor(spec, last, *later)
    rig.finish(b"", exits=True)
    assert rig.ran() == [last.task_id]
    assert not rig.host.row
    assert rig.host.exited


def test_what_has_ended_leaves_before_the_next_of_the_calls_given_ahead_waits(rig):
    spec = rig.actor()
    rig.push_actor(spec, *(rig.method(spec, number) for number in range(3)))
    rig.executor.finished(rig.running, Outcome(TaskStatus.OK))
    rig.host.ended(rig.host.ran[0])
    assert rig.host.of(TasksDone) == []
    rig.executor.blocked()
    assert len(rig.host.of(TasksDone)) == 1


def test_an_actor_that_has_returned_what_is_large_is_given_one_call_at_a_time(rig):
    spec = rig.actor()
    calls = [rig.method(spec, number) for number in range(4)]
    rig.push_actor(spec, *calls)
    rig.finish(bytes(LARGE))
    _, request = rig.one(RequestExtent)
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    assert len(rig.host.row) == 1
    for _ in range(3):
        rig.finish(b"")
    assert rig.ran() == [call.task_id for call in calls]


def test_calls_that_were_given_ahead_wait_until_a_large_return_is_copied(rig):
    spec = rig.actor()
    first, second, third = (rig.method(spec, number) for number in range(3))
    rig.push_actor(spec, first, second)
    rig.finish(bytes(LARGE))
    _, request = rig.one(RequestExtent)
    rig.push_actor(spec, third)
    assert rig.ran() == [first.task_id]
    rig.tell(CALLER, CancelTasks([second.task_id]))
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    assert rig.ran() == [first.task_id, third.task_id]
