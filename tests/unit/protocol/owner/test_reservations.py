"""Calls under a policy that queues: each waits where its raylet said, and a lease serves one call."""

import pytest

from raysim.config import Config
from raysim.protocol.messages import (
    CallsPlaced,
    CancelWorkerLease,
    NodeRemoved,
    PlaceCalls,
    RequestWorkerLease,
    ReturnWorkerLease,
    TaskStatus,
)
from raysim.spec.address import Address
from raysim.spec.ids import task_of_object
from raysim.spec.task import Spread
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import (
    DRIVER,
    FAR,
    GCS,
    RAYLET,
    SECOND_NS,
    OwnerRig,
    inline,
    template,
)

MOON = address("moon")


@pytest.fixture
def rig() -> OwnerRig:
    return OwnerRig(DRIVER, Config(policy="late_binding"))


def asked(rig: OwnerRig) -> PlaceCalls:
    to, question = rig.one(PlaceCalls)
    assert to == RAYLET
    return question


def at(rig: OwnerRig, *raylets: Address, number: int = 1) -> list[RequestWorkerLease]:
    rig.tell(RAYLET, CallsPlaced(number, list(raylets)))
    return [request for _, request in rig.take(RequestWorkerLease)]


def test_calls_that_are_submitted_together_are_placed_together(rig: OwnerRig) -> None:
    for _ in range(100):
        rig.submit()
    assert asked(rig).count == 100


def test_requests_wait_where_they_are_sent(rig: OwnerRig) -> None:
    rig.submit()
    asked(rig)
    rig.tell(RAYLET, CallsPlaced(1, [FAR, MOON]))
    sent = rig.take(RequestWorkerLease)
    assert [to for to, _ in sent] == [FAR, MOON]
    assert {request.hops for _, request in sent} == {rig.host.config.max_spillback_hops}


def test_first_to_grant_serves_the_call_and_the_others_are_cancelled(rig: OwnerRig) -> None:
    rig.submit()
    asked(rig)
    first, second = at(rig, FAR, MOON)
    rig.granted(second, raylet=MOON)
    sent = rig.host.take()
    assert (FAR, CancelWorkerLease(first.lease_id)) in sent
    assert rig.owner.tasks.leases.requests.reservations._open == {}


def test_a_lease_serves_one_call(rig: OwnerRig) -> None:
    """The next of its class waits elsewhere: on the node's queue, others may be ahead."""
    first, second = rig.submit(), rig.submit()
    asked(rig)
    one, _ = at(rig, FAR, MOON)
    worker = rig.granted(one, raylet=FAR)
    assert len(rig.pushed()) == 1
    rig.done(worker, first, inline(), raylet=FAR)
    assert rig.one(ReturnWorkerLease) == (FAR, ReturnWorkerLease(one.lease_id))
    assert rig.state(second).name == "PENDING"


def test_call_that_runs_again_is_placed_again(rig: OwnerRig) -> None:
    ref = rig.submit(what=template(retry_exceptions=True))
    asked(rig)
    one, _ = at(rig, FAR, MOON)
    worker = rig.granted(one, raylet=FAR)
    rig.done(worker, ref, inline(), status=TaskStatus.RETRIABLE_ERROR, raylet=FAR)
    assert asked(rig).count == 1


def test_question_is_asked_again_and_its_first_answer_counts(rig: OwnerRig) -> None:
    rig.submit()
    question = asked(rig)
    rig.host.advance(SECOND_NS)
    assert asked(rig) == question
    assert len(at(rig, FAR)) == 1
    assert at(rig, MOON) == []


def test_answer_that_nobody_needs_any_more_is_dropped(rig: OwnerRig) -> None:
    ref = rig.submit()
    asked(rig)
    rig.owner.tasks.cancel(task_of_object(ref))
    assert at(rig, FAR) == []
    rig.submit()
    assert asked(rig).count == 1


def test_request_at_a_node_that_is_lost_is_asked_of_the_own_raylet(rig: OwnerRig) -> None:
    rig.submit()
    asked(rig)
    rig.tell(RAYLET, CallsPlaced(1, [FAR]))
    rig.take(RequestWorkerLease)
    rig.tell(GCS, NodeRemoved(FAR.node_id, "silence"))
    to, again = rig.one(RequestWorkerLease)
    assert (to, again.hops) == (RAYLET, 0)


def test_place_on_a_node_that_is_known_to_be_lost_is_asked_of_the_own_raylet(rig: OwnerRig) -> None:
    rig.tell(GCS, NodeRemoved(FAR.node_id, "silence"))
    rig.submit()
    asked(rig)
    rig.tell(RAYLET, CallsPlaced(1, [FAR]))
    to, request = rig.one(RequestWorkerLease)
    assert (to, request.hops) == (RAYLET, 0)


def test_call_that_no_node_could_run_is_asked_of_the_own_raylet(rig: OwnerRig) -> None:
    """Which tells of it, and keeps the request until there is such a node."""
    rig.submit()
    asked(rig)
    rig.tell(RAYLET, CallsPlaced(1, []))
    to, request = rig.one(RequestWorkerLease)
    assert (to, request.hops) == (RAYLET, 0)


def test_call_with_a_wish_of_its_own_goes_the_ordinary_way(rig: OwnerRig) -> None:
    rig.submit(what=template(strategy=Spread()))
    assert rig.one(RequestWorkerLease)[0] == RAYLET


def test_requests_that_wait_for_long_are_all_kept(rig: OwnerRig) -> None:
    """Each holds the place of a call in some queue."""
    for _ in range(20):
        rig.submit()
    asked(rig)
    at(rig, *[FAR] * 20)
    rig.host.advance(200 * SECOND_NS)
    assert rig.take(CancelWorkerLease) == []
