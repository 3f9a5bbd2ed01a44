"""What an owner does once a node is to go: nothing more is pushed there, and copies that moved count where they are."""

import pytest

from raysim.journal import TaskEnded
from raysim.protocol.messages import (
    CopyMoved,
    FreeObjects,
    NodeRemoved,
    PushTasks,
    RequestWorkerLease,
    ReturnWorkerLease,
    RevokeIdleLeases,
)
from raysim.protocol.owner.entries import ObjectState
from raysim.spec.actor import ActorState
from raysim.spec.failure import FailureKind
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import FAR, GCS, RAYLET, inline, stored, template
from tests.unit.protocol.owner.test_actor_calls import FIRST, SECOND, Client

DRAINS = RevokeIdleLeases(RAYLET.node_id, 10**9, drains=True)
THIRD = address("third")


def test_nothing_more_is_pushed_to_a_node_that_drains(rig):
    first = rig.submit()
    worker = rig.grant()
    assert len(rig.pushed()) == 1
    rig.tell(RAYLET, DRAINS)
    rig.submit()
    sent = rig.host.take()
    assert not [m for _, m in sent if isinstance(m, PushTasks)]
    assert [m for _, m in sent if isinstance(m, RequestWorkerLease)]
    rig.done(worker, first, inline())
    returned = [m for to, m in rig.take(ReturnWorkerLease) if to == RAYLET]
    assert [(m.lease_id, m.worker_retires) for m in returned] == [(1, True)]


def test_a_lease_that_was_granted_before_the_word_came_is_given_back(rig):
    """And another one is asked for."""
    rig.submit()
    [(_, request)] = rig.take(RequestWorkerLease)
    rig.tell(RAYLET, DRAINS)
    rig.granted(request)
    sent = rig.host.take()
    assert (RAYLET, ReturnWorkerLease(request.lease_id)) in sent
    assert [m.lease_id for _, m in sent if isinstance(m, RequestWorkerLease)] == [2]


@pytest.mark.parametrize("retries", [0, 1])
def test_an_end_with_a_node_that_drains_is_none_of_the_retries(rig, retries):
    """But a call that may not run twice fails."""
    what = template(max_retries=retries)
    object_id = rig.submit(what=what)
    rig.grant()
    rig.take(PushTasks)
    rig.tell(RAYLET, DRAINS)
    rig.tell(GCS, NodeRemoved(RAYLET.node_id, "it was drained"))
    if not retries:
        assert rig.failure(object_id) is FailureKind.WORKER_CRASHED
        return
    [ended] = rig.host.noted(TaskEnded)
    assert ended.status == "retried"
    rig.grant("again", FAR)
    assert len(rig.pushed()) == 1
    rig.tell(GCS, NodeRemoved(FAR.node_id, "it lost power"))
    assert [one.status for one in rig.host.noted(TaskEnded)] == ["retried", "retried"]
    rig.grant("once more", THIRD)
    rig.tell(GCS, NodeRemoved(THIRD.node_id, "it lost power"))
    assert rig.failure(object_id) is FailureKind.WORKER_CRASHED


def test_a_copy_that_moved_counts_and_the_one_before_goes(rig):
    object_id = rig.put_stored()
    rig.tell(FAR, CopyMoved(object_id, FAR, RAYLET))
    assert rig.found(object_id).holders == (FAR,)
    assert rig.one(FreeObjects) == (RAYLET, FreeObjects([object_id]))
    rig.tell(GCS, NodeRemoved(RAYLET.node_id, "it was drained"))
    assert rig.state(object_id) is ObjectState.STORED


def test_a_copy_that_moved_after_the_object_went_goes_at_both(rig):
    object_id = rig.put_stored()
    rig.drop(object_id)
    rig.host.take()
    rig.tell(FAR, CopyMoved(object_id, FAR, RAYLET))
    assert rig.take(FreeObjects) == [
        (FAR, FreeObjects([object_id])),
        (RAYLET, FreeObjects([object_id])),
    ]


def test_a_copy_that_moved_before_the_result_came_is_moved_once_more(rig):
    """The result names the node where it was made: the copy there has to stay until it does not."""
    object_id = rig.submit()
    worker = rig.grant()
    rig.take(PushTasks)
    rig.tell(FAR, CopyMoved(object_id, FAR, RAYLET))
    assert rig.one(FreeObjects) == (FAR, FreeObjects([object_id]))
    rig.done(worker, object_id, stored())
    rig.tell(FAR, CopyMoved(object_id, FAR, RAYLET))
    assert rig.found(object_id).holders == (FAR,)


def test_calls_wait_while_their_actor_moves_and_none_is_lost(rig):
    client = Client(rig)
    first = client.call()
    client.alive()
    assert len(client.pushed()) == 1
    client.news(ActorState.ALIVE, 0, FIRST, moving=True)
    second = client.call()
    assert client.pushed() == []
    client.done(first)
    assert rig.state(first) is ObjectState.INLINE
    client.news(ActorState.RESTARTING, 1, moving=True)
    third = client.call()
    assert rig.state(third) is ObjectState.PENDING
    client.alive(1, SECOND)
    assert [args for _, _, args in client.pushed()] == [b"2", b"3"]
    client.done(second, third, worker=SECOND)
    assert rig.state(third) is ObjectState.INLINE
