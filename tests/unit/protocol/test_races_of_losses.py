"""Races that simulated storms brought to light: what two processes learn of one loss, and when."""

from raysim.protocol.messages import (
    FetchObjects,
    FetchReason,
    NodeRemoved,
    ObjectLocal,
    ReleasePins,
    RequestWorkerLease,
    WorkerLeaseSpilled,
)
from raysim.spec.failure import FailureKind
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import FAR, LARGE, RAYLET, SECOND_NS, OwnerRig
from tests.unit.protocol.raylet.node import GCS, Node

THERE = address("there")
OWNER = address("owner", "here")


def test_request_sent_on_to_a_node_known_to_be_lost_is_asked_again_where_it_was():
    """The raylet hears of the loss after its owner: nobody would answer there, or say so."""
    rig = OwnerRig()
    rig.submit()
    _, request = rig.one(RequestWorkerLease)
    rig.tell(RAYLET, NodeRemoved(FAR.node_id, "no answer"))
    rig.tell(RAYLET, WorkerLeaseSpilled(request.lease_id, FAR, 1))
    assert rig.take(RequestWorkerLease) == []
    rig.host.advance(SECOND_NS)
    to, again = rig.one(RequestWorkerLease)
    assert (to, again.lease_id, again.hops) == (RAYLET, request.lease_id, 0)


def test_request_that_was_sent_on_to_a_node_now_lost_is_decided_anew():
    """The answer that is remembered for second copies names a node where nobody answers."""
    node = Node(cpus=1, others={"there": 1})
    node.lease(OWNER, 1)
    assert node.ask(OWNER, 2) == [(OWNER, WorkerLeaseSpilled(2, THERE, 1, True))]
    node.tell(GCS, NodeRemoved(THERE.node_id, "no answer"))
    assert not any(isinstance(sent, WorkerLeaseSpilled) for _, sent in node.ask(OWNER, 2))


def test_copy_that_arrives_after_the_object_was_given_up_ends_the_fetch():
    """The last holder left while it sent: the object has failed, and the fetch must say so."""
    rig = OwnerRig()
    object_id = rig.put_stored(LARGE, FAR)
    ended: list[None] = []
    entry = rig.found(object_id)
    rig.owner.fetches.fetch(entry, FetchReason.GET, lambda: ended.append(None))
    rig.one(FetchObjects)
    rig.tell(RAYLET, NodeRemoved(FAR.node_id, "no answer"))
    rig.tell(RAYLET, ObjectLocal(object_id, 5, LARGE))
    assert len(ended) == 1
    assert rig.failure(object_id) == FailureKind.OBJECT_LOST
    assert rig.one(ReleasePins)[1].object_ids == [object_id]
