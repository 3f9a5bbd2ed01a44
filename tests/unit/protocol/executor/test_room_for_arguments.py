"""Calls whose arguments find no room in the node's store: they never wait for each other for ever."""

import pytest

from raysim.protocol.executor.arguments import BACK_OFF_NS
from raysim.protocol.messages import (
    CancelTasks,
    FetchFailed,
    FetchObjects,
    ReleasePins,
    TaskStatus,
)
from raysim.spec.failure import Failure, FailureKind
from tests.unit.protocol.executor.rig import CALLER, LARGE, RAYLET, WorkerRig

FULL = Failure(FailureKind.OBJECT_STORE_FULL, "no room")
NO_DISK = Failure(FailureKind.OUT_OF_DISK, "no room, and none on the disk")
TWO = 2 * LARGE


@pytest.fixture
def rig():
    rig = WorkerRig()
    rig.registered()
    return rig


def refuse(rig, arg, failure=FULL, store_bytes=TWO):
    rig.tell(RAYLET, FetchFailed(arg.object_id, [], failure, store_bytes))


def asked(rig):
    return [one.object_id for _, fetch in rig.take(FetchObjects) for one in fetch.objects]


@pytest.mark.parametrize("failure", [FULL, NO_DISK])
def test_a_call_without_room_lets_go_of_what_it_has_and_asks_for_all_again(rig, failure):
    here, waits = rig.arg(0), rig.arg(1)
    rig.push(rig.call(here, waits))
    assert asked(rig) == [here.object_id, waits.object_id]
    rig.local(here.object_id)
    refuse(rig, waits, failure)
    assert rig.one(ReleasePins) == (RAYLET, ReleasePins([here.object_id]))
    assert rig.ran() == []
    rig.host.advance(2 * BACK_OFF_NS)
    assert asked(rig) == [here.object_id, waits.object_id]
    rig.local(here.object_id, handle=4)
    rig.local(waits.object_id, handle=5)
    assert [(one.slot, one.handle) for one in rig.running.args] == [(0, 4), (1, 5)]
    rig.finish(b"a")
    assert rig.owner.objects.entries == {}


def test_others_run_meanwhile(rig):
    arg = rig.arg()
    waits, quick = rig.call(arg), rig.call()
    rig.push(waits)
    refuse(rig, arg)
    rig.push(quick)
    assert rig.ran() == [quick.task_id]


def test_values_that_came_with_the_call_are_kept(rig):
    inline, waits = rig.arg(0), rig.arg(1)
    inline.payload = b"value"
    rig.push(rig.call(inline, waits))
    refuse(rig, waits)
    rig.host.advance(2 * BACK_OFF_NS)
    rig.local(waits.object_id)
    assert [one.payload for one in rig.running.args] == [b"value", None]


def test_arguments_that_do_not_fit_together_fail_their_call_at_once(rig):
    args = [rig.arg(slot) for slot in range(3)]
    rig.push(rig.call(*args))
    rig.local(args[0].object_id)
    rig.local(args[1].object_id)
    refuse(rig, args[2])
    [(_, result)] = rig.results()
    assert result.failure == FULL


def test_an_argument_that_is_given_twice_takes_room_once(rig):
    one, two = rig.arg(0), rig.arg(1)
    again = rig.arg(2)
    again.object_id = one.object_id
    rig.push(rig.call(one, two, again))
    rig.local(one.object_id)
    refuse(rig, two)
    assert rig.results() == []


def test_a_call_that_waits_for_long_fails(rig):
    arg = rig.arg()
    rig.push(rig.call(arg))
    limit_ns = rig.host.config.fetch_fail_timeout_ns
    refuse(rig, arg)
    rig.host.advance(limit_ns - BACK_OFF_NS)
    refuse(rig, arg)
    assert rig.results() == []
    rig.host.advance(2 * BACK_OFF_NS)
    refuse(rig, arg)
    [(_, result)] = rig.results()
    assert result.failure == FULL


def test_a_call_that_is_cancelled_meanwhile_asks_for_nothing(rig):
    arg = rig.arg()
    call = rig.call(arg)
    rig.push(call)
    refuse(rig, arg)
    rig.host.take()
    rig.tell(CALLER, CancelTasks([call.task_id]))
    [(_, result)] = rig.results()
    assert result.status == TaskStatus.NOT_RUN
    rig.host.advance(2 * BACK_OFF_NS)
    assert rig.take(FetchObjects) == []
    assert rig.owner.objects.entries == {}


def test_an_actors_call_waits_and_keeps_its_turn(rig):
    spec = rig.actor()
    arg = rig.arg()
    first, second = rig.method(spec, 0, arg), rig.method(spec, 1)
    rig.push_actor(spec, first, second)
    refuse(rig, arg)
    rig.host.advance(2 * BACK_OFF_NS)
    assert rig.ran() == []
    rig.local(arg.object_id)
    rig.finish(b"a")
    assert rig.ran() == [first.task_id, second.task_id]
