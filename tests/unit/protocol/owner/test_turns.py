"""Calls that wait for their turn: a lease for each, which says what it knows of the call, and none is kept."""

import msgspec
import pytest

from raysim.journal import TaskEnded
from raysim.protocol.messages import (
    CancelWorkerLease,
    PreemptLease,
    PreemptTasks,
    PushTasks,
    RequestWorkerLease,
    ReturnWorkerLease,
    TasksDone,
    TaskStatus,
)
from raysim.spec.task import Claim, Work
from tests.unit.protocol.owner.rig import (
    MS,
    RAYLET,
    SECOND_NS,
    OwnerRig,
    inline,
    learn_short_tasks,
    template,
)

WORK = Work(10 * SECOND_NS, (0,))


def claims(rig: OwnerRig) -> list[Claim | None]:
    return [request.claim for _, request in rig.take(RequestWorkerLease)]


def test_each_call_asks_for_a_lease_of_its_own(rig):
    """Were they all one request, those behind it could not have their turn."""
    mine = [Claim(expected_ns=number) for number in range(30)]
    for claim in mine:
        rig.submit(claim=claim)
    assert claims(rig) == mine


def test_a_lease_serves_the_call_that_it_was_asked_for(rig):
    first, second = (rig.submit(claim=Claim(expected_ns=number)) for number in (2, 1))
    requests = [request for _, request in rig.take(RequestWorkerLease)]
    rig.granted(requests[1])
    assert [call.task_id for call in rig.pushed()] == [second[: len(rig.ids.task())]]
    assert first in rig.entries


def test_a_lease_is_returned_at_once_though_others_wait(rig):
    first = rig.submit(claim=Claim())
    worker = rig.grant()
    rig.submit(claim=Claim())
    rig.take(PushTasks)
    rig.done(worker, first, inline())
    sent = rig.host.take()
    assert [message for to, message in sent if to == RAYLET] == [ReturnWorkerLease(1)]


def test_a_call_that_says_nothing_is_expected_to_take_as_long_as_those_before(rig):
    object_id = rig.submit(claim=Claim())
    assert claims(rig) == [Claim(expected_ns=-1)]
    rig.drop(object_id)
    first = rig.submit(claim=Claim(user="ann"))
    worker = rig.grant()
    rig.done(worker, first, inline(), lasting=7 * MS)
    rig.take(RequestWorkerLease)
    rig.submit(claim=Claim(user="ann"))
    assert claims(rig) == [Claim("ann", expected_ns=7 * MS)]


def test_short_calls_without_a_claim_are_pushed_ahead_as_ever(rig):
    learn_short_tasks(rig)
    rig.take(RequestWorkerLease)
    for _ in range(5):
        rig.submit()
    assert claims(rig) == []


def test_a_call_that_is_cancelled_gives_up_its_place(rig):
    object_id = rig.submit(claim=Claim())
    rig.take(RequestWorkerLease)
    rig.owner.cancel(object_id[:-4], force=False, recursive=False)
    assert [message.lease_id for _, message in rig.take(CancelWorkerLease)] == [1]
    rig.drop(object_id)
    rig.assert_nothing_left()


def test_a_lost_worker_costs_a_call_its_place_and_no_more(rig):
    object_id = rig.submit(claim=Claim(priority=3))
    worker = rig.grant()
    rig.take(PushTasks)
    rig.lose(worker)
    assert claims(rig) == [Claim(priority=3)]
    assert object_id in rig.entries


def test_whoever_waits_long_asks_ever_less_often(rig):
    """Thousands may wait for days."""
    rig.submit(claim=Claim())
    asked = 0
    for _ in range(24 * 60):
        rig.host.advance(60 * SECOND_NS)
        asked += len(rig.take(RequestWorkerLease))
    assert 12 <= asked < 50


# Making room


def preempt(rig: OwnerRig, after_ns: int, work: Work = WORK, claim: Claim | None = None) -> bytes:
    """A call that ran for so long and was stopped then."""
    expected = claim or Claim(expected_ns=WORK.duration_ns, preemptible=True)
    object_id = rig.submit(claim=expected, work=work)
    worker = rig.grant()
    rig.take(PushTasks)
    rig.tell(RAYLET, PreemptLease(1))
    [(to, told)] = rig.take(PreemptTasks)
    assert to == worker
    result = rig.result(object_id, status=TaskStatus.NOT_RUN)
    result.start_ns, result.end_ns = 5, 5 + after_ns
    assert told.task_ids == [result.task_id]
    rig.tell(worker, TasksDone(RAYLET, [result]))
    return object_id


def test_what_was_stopped_waits_for_its_turn_with_what_is_left(rig):
    preempt(rig, 3 * SECOND_NS)
    sent = rig.host.take()
    assert ReturnWorkerLease(1) in [message for _, message in sent]
    [again] = [message for _, message in sent if isinstance(message, RequestWorkerLease)]
    assert again.claim == Claim(expected_ns=7 * SECOND_NS, preemptible=True)
    rig.granted(again, "another")
    [call] = rig.pushed()
    assert call.work == Work(7 * SECOND_NS, (0,))
    assert call.attempt == 1


def test_its_first_part_is_in_the_journal(rig):
    preempt(rig, 3 * SECOND_NS)
    [note] = [note for note in rig.host.notes if isinstance(note, TaskEnded)]
    assert (note.status, note.end_ns - note.start_ns) == ("preempted", 3 * SECOND_NS)


def test_what_was_stopped_before_it_began_is_whole(rig):
    preempt(rig, 0)
    [(_, again)] = rig.take(RequestWorkerLease)
    rig.granted(again, "another")
    [call] = rig.pushed()
    assert call.work == WORK


def test_a_lost_result_is_made_again_from_the_start(rig):
    """What it had done before it was stopped is gone with the rest."""
    object_id = preempt(rig, 3 * SECOND_NS)
    worker = rig.grant("another")
    rig.done(worker, object_id, msgspec.structs.replace(inline(), payload=None), attempt=1)
    rig.take(RequestWorkerLease)
    rig.objects.node_lost(RAYLET.node_id)
    rig.objects.rebuild(rig.found(object_id))
    worker = rig.grant("third")
    assert [call.work for call in rig.pushed()] == [WORK]


@pytest.mark.parametrize("lease_id", [1, 99])
def test_a_lease_that_is_over_need_make_no_room(rig, lease_id):
    object_id = rig.submit(claim=Claim(), what=template())
    worker = rig.grant()
    rig.done(worker, object_id, inline())
    rig.tell(RAYLET, PreemptLease(lease_id))
    assert rig.take(PreemptTasks) == []
