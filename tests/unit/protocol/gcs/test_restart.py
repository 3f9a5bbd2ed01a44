"""A GCS that starts again on what was committed knows jobs, nodes and actors."""

from raysim.protocol.messages import (
    ActorChanged,
    CreateActor,
    GetNamedActor,
    KillActor,
    KillWorker,
    NamedActor,
    NodeRefused,
    RegisterNode,
    RequestWorkerLease,
    StartActor,
    SubscribeActor,
    TerminateActor,
)
from raysim.protocol.messages.actors import ActorOutOfScope
from raysim.spec.actor import ActorState
from raysim.spec.ids import job_id
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, Head, info

ONE = address("one")


def test_jobs_keep_their_numbers(head: Head) -> None:
    head.job()
    again = head.restarted()
    assert again.job() == job_id(1)
    assert again.job(address("other", "head")) == job_id(2)


def test_live_nodes_are_known_and_watched_and_the_dead_stay_fenced(head: Head) -> None:
    head.join("one")
    head.join("two")
    head.process.peer_lost(address("two"))
    again = head.restarted()
    assert list(again.gcs.nodes.live) == [ONE.node_id]
    again.tell(address("two"), RegisterNode(info(address("two"), "two")))
    assert [to for to, _ in again.take(NodeRefused)] == [address("two")]
    again.host.advance(100 * again.host.config.health_check_timeout_ns)
    assert list(again.gcs.nodes.live) == []


def test_a_named_living_actor_is_found_and_not_started_twice(head: Head) -> None:
    head.join("one")
    spec = head.spec(head.job(), name="counter")
    raylet, worker = head.alive(spec)
    again = head.restarted()
    assert again.take(RequestWorkerLease) == []
    again.tell(DRIVER, CreateActor(spec))  # The owner asks again: its answer may have been lost.
    assert again.take(RequestWorkerLease) == []
    again.tell(DRIVER, GetNamedActor(1, "counter", "space"))
    named = again.one(NamedActor)[1].info
    assert named is not None
    assert (named.state, named.address) == (ActorState.ALIVE, worker)
    again.died(raylet, worker)
    assert [i.state for i in again.news()] == [ActorState.DEAD]


def test_an_actor_on_its_way_is_placed_anew_under_another_lease(head: Head) -> None:
    head.join("one")
    spec = head.spec(head.job())
    raylet, request = head.create(spec)
    again = head.restarted()
    to, anew = again.one(RequestWorkerLease)
    assert to == raylet
    assert anew.lease_id != request.lease_id


def test_an_actor_whose_constructor_runs_is_asked_again_not_started_elsewhere(head: Head) -> None:
    """Ray PR 11003: the GCS restarts during the creation."""
    head.join("one")
    spec = head.spec(head.job())
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    again = head.restarted()
    assert again.host.of(RequestWorkerLease) == []
    assert again.one(StartActor) == (worker, StartActor(spec, 0))


def test_restarts_are_counted_on(head: Head) -> None:
    head.join("one")
    spec = head.spec(head.job(), max_restarts=1)
    raylet, worker = head.alive(spec)
    head.died(raylet, worker)
    second = head.grant(*head.one(RequestWorkerLease), "second")
    head.started(second, spec, 1)
    again = head.restarted()
    again.tell(DRIVER, SubscribeActor(spec.actor_id))
    again.died(raylet, second)
    assert [(i.state, i.incarnation) for i in again.news()] == [
        (ActorState.ALIVE, 1),
        (ActorState.DEAD, 1),
    ]


def test_the_process_of_a_dead_actor_is_ended_still(head: Head) -> None:
    head.join("one")
    spec = head.spec(head.job())
    _, worker = head.alive(spec)
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    again = head.restarted()
    assert [kill.worker for _, kill in again.host.of(KillWorker)] == [worker]
    again.tell(DRIVER, SubscribeActor(spec.actor_id))
    assert again.one(ActorChanged)[1].info.state is ActorState.DEAD


def test_an_actor_out_of_scope_is_told_again(head: Head) -> None:
    head.join("one")
    spec = head.spec(head.job())
    _, worker = head.alive(spec)
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    assert head.restarted().one(TerminateActor)[0] == worker


def test_what_was_not_committed_is_not_known(head: Head) -> None:
    head.join("one")
    head.host.storage.put("jobs", b"half", b"written")
    again = head.restarted()
    assert again.job() == job_id(1)
