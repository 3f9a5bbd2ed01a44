"""Several calls of one actor at once: how many, of which group, and whom a call that waits holds up."""

import pytest

from raysim.protocol.messages import TaskStatus
from raysim.spec.failure import Failure, FailureKind
from tests.unit.protocol.executor.rig import OTHER


def ids(calls):
    return [call.task_id for call in calls]


def push(rig, spec, *calls):
    rig.push_actor(spec, *calls)
    return list(calls)


def test_as_many_calls_run_as_are_allowed(rig):
    spec = rig.actor(max_concurrency=2, out_of_order=True)
    calls = push(rig, spec, *(rig.method(spec, n) for n in range(4)))
    assert rig.ran() == ids(calls[:2])
    rig.finish(b"", call=calls[1])
    assert rig.ran() == ids(calls[:3])


def test_constructor_runs_alone_however_many_calls_may(rig):
    spec = rig.start_actor(max_concurrency=5, out_of_order=True)
    push(rig, spec, *(rig.method(spec, n) for n in range(2)))
    assert [task.call.method for task in rig.host.ran] == ["__init__"]


def test_call_that_waits_for_its_argument_holds_up_nobody_out_of_order(rig):
    spec = rig.actor(out_of_order=True)
    arg = rig.arg()
    late, early = push(rig, spec, rig.method(spec, 0, arg), rig.method(spec, 1))
    assert rig.ran() == [early.task_id]
    rig.finish(b"")
    rig.local(arg.object_id)
    assert rig.ran() == [early.task_id, late.task_id]


def test_call_that_waits_takes_no_place(rig):
    spec = rig.actor(max_concurrency=2, out_of_order=True)
    arg = rig.arg()
    calls = push(rig, spec, rig.method(spec, 0, arg), rig.method(spec, 1), rig.method(spec, 2))
    assert rig.ran() == ids(calls[1:])


def test_groups_have_limits_of_their_own(rig):
    spec = rig.actor(concurrency_groups={"io": 2})
    io = [rig.method(spec, n, group="io") for n in range(3)]
    plain = [rig.method(spec, n) for n in range(3, 5)]
    push(rig, spec, *io, *plain)
    assert rig.ran() == ids([*io[:2], plain[0]])
    rig.finish(b"", call=plain[0])
    assert rig.ran() == ids([*io[:2], *plain])
    rig.finish(b"", call=io[0])
    assert rig.ran() == ids([*io[:2], *plain, io[2]])


def test_call_that_waits_holds_up_its_group_only(rig):
    spec = rig.actor(concurrency_groups={"io": 1})
    arg = rig.arg()
    calls = push(
        rig,
        spec,
        rig.method(spec, 0, arg, group="io"),
        rig.method(spec, 1, group="io"),
        rig.method(spec, 2),
    )
    assert rig.ran() == [calls[2].task_id]
    rig.local(arg.object_id)
    assert rig.ran() == ids([calls[2], calls[0]])


def test_unknown_group_is_the_default_one(rig):
    """What it is called with is told by user code's error."""
    spec = rig.actor()
    calls = push(rig, spec, rig.method(spec, 0, group="nowhere"), rig.method(spec, 1))
    assert rig.ran() == [calls[0].task_id]
    rig.finish(b"")
    assert rig.ran() == ids(calls)


def test_callers_share_the_places(rig):
    spec = rig.actor(max_concurrency=2, out_of_order=True)
    mine = [rig.method(spec, n) for n in range(2)]
    theirs = rig.method(spec, 0)
    rig.push_actor(spec, mine[0])
    rig.push_actor(spec, theirs, sender=OTHER)
    rig.push_actor(spec, mine[1])
    assert rig.ran() == ids([mine[0], theirs])
    rig.finish(b"", call=theirs)
    assert rig.ran() == ids([mine[0], theirs, mine[1]])


def test_actor_that_leaves_finishes_what_runs(rig):
    spec = rig.actor(max_concurrency=2, out_of_order=True)
    leaving, running, queued = push(rig, spec, *(rig.method(spec, n) for n in range(3)))
    died = Failure(FailureKind.ACTOR_DIED, "it said so", spec.actor_id)
    rig.finish(status=TaskStatus.FAILED, failure=died, exits=True, call=leaving)
    assert rig.host.exited == []
    rig.push_actor(spec, rig.method(spec, 3))
    rig.finish(b"", call=running)
    assert len(rig.host.exited) == 1
    assert rig.executor.leaves
    assert rig.ran() == ids([leaving, running])
    assert queued.task_id not in [result.task_id for _, result in rig.results()]


def test_actor_that_crashes_says_nothing(rig):
    """Its caller hears of the end from the GCS, and may have a retry left."""
    spec = rig.actor()
    push(rig, spec, rig.method(spec, 0), rig.method(spec, 1))
    died = Failure(FailureKind.ACTOR_DIED, "sys.exit(1)", spec.actor_id)
    rig.finish(status=TaskStatus.FAILED, failure=died, exits=True, crashed=True)
    assert rig.results() == []
    assert len(rig.host.exited) == 1
    assert not rig.executor.leaves
    assert len(rig.host.ran) == 1


def test_process_leaves_once(rig):
    """The hook of its end takes a while, and the GCS may ask for the end meanwhile."""
    from raysim.protocol.messages import TerminateActor
    from tests.unit.protocol.executor.rig import GCS

    spec = rig.actor()
    rig.tell(GCS, TerminateActor(spec.actor_id, 0))
    rig.tell(GCS, TerminateActor(spec.actor_id, 0))
    assert len(rig.host.exited) == 1


@pytest.mark.parametrize("limit", [1, 3])
def test_every_place_is_given_back(rig, limit):
    spec = rig.actor(max_concurrency=limit, out_of_order=limit > 1)
    calls = push(rig, spec, *(rig.method(spec, n) for n in range(9)))
    for call in calls:
        rig.finish(b"", call=call)
    assert rig.ran() == ids(calls)
    assert rig.executor.running == []
