"""An actor on its way to a worker: whom the GCS asks, and what it makes of the answers."""

import pytest

from raysim.config import Config
from raysim.journal import ActorNoted
from raysim.protocol.messages import (
    ActorStarted,
    CancelWorkerLease,
    CreateActor,
    KillActor,
    LeaseLost,
    RequestWorkerLease,
    ReturnWorkerLease,
    RevokeIdleLeases,
    StartActor,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
)
from raysim.spec.actor import ActorState
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import named_node_id
from raysim.spec.resources import fixed
from raysim.spec.task import NodeAffinity, Spread
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import ONE_CPU, SECOND_NS, Head

ONE, TWO, THREE = address("one"), address("two"), address("three")


@pytest.fixture
def head() -> Head:
    """Three nodes beside the head's, which has no raylet."""
    head = Head()
    for name in ("one", "two", "three"):
        head.join(name)
    return head


def named(head: Head, number: int = 1, **options: object) -> tuple[Address, RequestWorkerLease]:
    """Create an actor whose request goes to the node of its owner."""
    return head.create(head.spec(head.job(), number, lifetime=ONE_CPU, **options))


# --- choosing ------------------------------------------------------------------------------------


def test_an_actor_that_holds_resources_is_placed_from_its_owners_node(head: Head) -> None:
    owner = address("worker", "two")
    raylet, request = head.create(head.spec(head.job(), owner=owner, lifetime=ONE_CPU))
    assert raylet == TWO
    assert request.resources == request.lifetime == ONE_CPU
    assert request.hops > 0, "the raylet would judge again where it should run"


def test_actors_that_hold_nothing_do_not_all_meet_on_one_node(head: Head) -> None:
    job = head.job()
    asked = [head.create(head.spec(job, number))[0] for number in range(1, 21)]
    assert {raylet.node_id for raylet in asked} == {ONE.node_id, TWO.node_id, THREE.node_id}


def test_a_burst_of_actors_sees_its_own_requests(head: Head) -> None:
    """24 CPUs, 24 actors of one CPU each, no report in between: no node is asked for more than it has."""
    job = head.job()
    asked = [
        head.create(head.spec(job, number, lifetime=ONE_CPU, owner=address("w", "one")))[0]
        for number in range(1, 25)
    ]
    assert [asked.count(raylet) for raylet in (ONE, TWO, THREE)] == [8, 8, 8]


def test_spread_goes_round_the_nodes(head: Head) -> None:
    job = head.job()
    asked = [head.create(head.spec(job, n, strategy=Spread()))[0] for n in range(1, 7)]
    assert asked == [ONE, TWO, THREE] * 2


def test_affinity_names_the_node(head: Head) -> None:
    raylet, request = named(head, strategy=NodeAffinity(THREE.node_id))
    assert raylet == THREE
    assert request.strategy == NodeAffinity(THREE.node_id)


@pytest.mark.parametrize("cause", ["dead", "unknown", "too small"])
def test_hard_affinity_to_a_node_that_cannot_is_an_error(head: Head, cause: str) -> None:
    node_id, need = THREE.node_id, ONE_CPU
    if cause == "dead":
        head.process.peer_lost(THREE)
    elif cause == "unknown":
        node_id = named_node_id("nowhere")
    else:
        need = fixed({"CPU": 9})
    spec = head.spec(head.job(), placement=need, strategy=NodeAffinity(node_id))
    head.tell(spec.owner, CreateActor(spec))
    [pending, dead] = head.news()
    assert pending.state is ActorState.PENDING_CREATION
    assert dead.state is ActorState.DEAD
    assert dead.death is not None
    assert dead.death.kind is FailureKind.ACTOR_UNSCHEDULABLE
    assert node_id.hex()[:8] in dead.death.text


def test_soft_affinity_to_a_dead_node_goes_elsewhere(head: Head) -> None:
    head.process.peer_lost(THREE)
    raylet, _ = named(head, strategy=NodeAffinity(THREE.node_id, soft=True))
    assert raylet in (ONE, TWO)


def test_an_actor_that_fits_nowhere_waits_for_a_node_that_it_fits(head: Head) -> None:
    spec = head.spec(head.job(), placement=fixed({"CPU": 16}))
    head.tell(spec.owner, CreateActor(spec))
    head.host.advance(20 * SECOND_NS)
    assert head.take(RequestWorkerLease) == []
    head.join("small", cpus=2)
    assert head.take(RequestWorkerLease) == []
    big = head.join("big", cpus=16)
    assert head.one(RequestWorkerLease)[0] == big


def test_an_actor_waits_for_the_first_node() -> None:
    head = Head()
    spec = head.spec(head.job())
    head.tell(spec.owner, CreateActor(spec))
    head.join("one")
    assert head.one(RequestWorkerLease)[0] == ONE


# --- asking again --------------------------------------------------------------------------------


def test_an_unanswered_request_is_repeated_ever_less_often() -> None:
    """It may be lost; or it is queued for an hour, and a thousand others with it."""
    head = Head(config=Config(health_check_period_ns=10_000 * SECOND_NS))
    head.join("one")
    raylet, request = named(head)
    head.host.advance(SECOND_NS - 1)
    assert head.take(RequestWorkerLease) == []
    head.host.advance(1)
    assert head.take(RequestWorkerLease) == [(raylet, request)]
    head.host.advance(2 * SECOND_NS - 1)
    assert head.take(RequestWorkerLease) == []
    head.host.advance(1)
    assert head.take(RequestWorkerLease) == [(raylet, request)]
    head.host.advance(3600 * SECOND_NS)
    assert 3600 / 31 <= len(head.take(RequestWorkerLease)) <= 3600 / 29


def test_an_answered_request_is_not_repeated(head: Head) -> None:
    raylet, request = named(head)
    head.grant(raylet, request)
    head.host.take()
    head.host.advance(20 * SECOND_NS)
    assert head.take(RequestWorkerLease) == []


def test_a_second_copy_of_the_grant_starts_nothing_and_returns_nothing(head: Head) -> None:
    raylet, request = named(head)
    worker = head.grant(raylet, request)
    assert head.one(StartActor)[0] == worker
    head.grant(raylet, request)
    assert head.host.take() == []


# --- spilling ------------------------------------------------------------------------------------


def test_a_spilled_request_follows_with_its_hops(head: Head) -> None:
    raylet, request = named(head)
    head.tell(raylet, WorkerLeaseSpilled(request.lease_id, TWO, 2))
    to, again = head.one(RequestWorkerLease)
    assert (to, again.lease_id, again.hops) == (TWO, request.lease_id, 2)


def test_the_copy_of_a_spill_does_not_pull_the_request_back(head: Head) -> None:
    """The request was repeated, and answered twice; meanwhile the second raylet spilled it on."""
    raylet, request = named(head, owner=address("w", "one"))
    assert raylet == ONE
    head.tell(ONE, WorkerLeaseSpilled(request.lease_id, TWO, 2))
    head.tell(TWO, WorkerLeaseSpilled(request.lease_id, THREE, 3))
    head.host.take()
    head.tell(ONE, WorkerLeaseSpilled(request.lease_id, TWO, 2))
    assert head.take(RequestWorkerLease) == []
    worker = head.grant(THREE, request)
    assert head.one(StartActor)[0] == worker


def test_a_grant_from_a_raylet_that_had_spilled_the_request_is_returned(head: Head) -> None:
    raylet, request = named(head, owner=address("w", "one"))
    head.tell(raylet, WorkerLeaseSpilled(request.lease_id, TWO, 2))
    kept = head.grant(TWO, request, "kept")
    assert head.one(StartActor)[0] == kept
    head.grant(raylet, request, "surplus")
    assert head.host.take() == [(raylet, ReturnWorkerLease(request.lease_id))]


def test_a_spill_to_a_dead_node_is_decided_anew(head: Head) -> None:
    """The raylet has not heard yet that the node is gone."""
    raylet, request = named(head, owner=address("w", "one"))
    head.process.peer_lost(THREE)
    head.host.take()
    head.tell(raylet, WorkerLeaseSpilled(request.lease_id, THREE, 2))
    to, again = head.one(RequestWorkerLease)
    assert to in (ONE, TWO)
    assert again.lease_id != request.lease_id


def test_a_refusal_ends_the_actor(head: Head) -> None:
    raylet, request = named(head)
    failure = Failure(FailureKind.ACTOR_UNSCHEDULABLE, "too small")
    head.tell(raylet, WorkerLeaseRefused(request.lease_id, failure))
    head.tell(raylet, WorkerLeaseRefused(request.lease_id, failure))
    [dead] = head.news()
    assert (dead.state, dead.death) == (ActorState.DEAD, failure)


# --- losses on the way ---------------------------------------------------------------------------


def test_the_death_of_the_asked_node_moves_the_request_and_costs_no_restart(head: Head) -> None:
    raylet, request = named(head, owner=address("w", "two"), detached=True)
    head.process.peer_lost(raylet)
    to, again = head.one(RequestWorkerLease)
    assert to in (ONE, THREE)
    assert again.lease_id != request.lease_id
    worker = head.grant(to, again)
    _, start = head.one(StartActor)
    assert start.incarnation == 0
    head.started(worker, start.spec)
    assert head.host.noted(ActorNoted)[-1].state == ActorState.ALIVE


def test_a_worker_lost_before_its_grant_arrives_costs_no_restart(head: Head) -> None:
    """No user code has run there."""
    raylet, request = named(head)
    worker = address("w", "one")
    head.tell(raylet, LeaseLost(request.lease_id, worker, "exit code 1"))
    to, again = head.one(RequestWorkerLease)
    assert again.lease_id != request.lease_id
    head.tell(raylet, WorkerLeaseGranted(request.lease_id, worker))
    assert head.take(StartActor) == []
    head.grant(to, again)
    assert head.one(StartActor)[1].incarnation == 0


def test_killed_while_it_is_placed_the_request_is_cancelled(head: Head) -> None:
    raylet, request = named(head)
    spec = head.spec(head.job(), lifetime=ONE_CPU)
    head.tell(spec.owner, KillActor(spec.actor_id, no_restart=True))
    assert head.host.of(CancelWorkerLease) == [(raylet, CancelWorkerLease(request.lease_id))]
    [dead] = head.news()
    assert dead.state is ActorState.DEAD
    # The cancellation crossed the grant.
    worker = head.grant(raylet, request)
    assert head.host.take() == [(raylet, ReturnWorkerLease(request.lease_id))]
    head.tell(worker, ActorStarted(spec.actor_id, 0))
    head.host.advance(20 * SECOND_NS)
    assert head.take(RequestWorkerLease) == []


def test_a_kill_that_allows_a_restart_does_nothing_before_there_is_a_process(head: Head) -> None:
    raylet, request = named(head)
    spec = head.spec(head.job(), lifetime=ONE_CPU)
    head.tell(spec.owner, KillActor(spec.actor_id, no_restart=False))
    worker = head.grant(raylet, request)
    assert head.one(StartActor)[0] == worker


def test_revoking_idle_leases_takes_no_actor(head: Head) -> None:
    raylet, request = named(head)
    head.grant(raylet, request)
    head.host.take()
    head.tell(raylet, RevokeIdleLeases(raylet.node_id, SECOND_NS))
    assert head.host.take() == []


def test_placements_leave_nothing_behind(head: Head) -> None:
    """Granted, spilled, cancelled, refused: no node counts as used for them afterwards."""
    job = head.job()
    views = head.gcs.nodes.views.live
    before = {node_id: dict(view.available) for node_id, view in views.items()}
    specs = [head.spec(job, number, lifetime=ONE_CPU) for number in range(1, 5)]
    asked = [head.create(spec) for spec in specs]
    worker = head.grant(*asked[0])
    head.died(asked[0][0], worker)
    head.tell(asked[1][0], WorkerLeaseSpilled(asked[1][1].lease_id, TWO, 2))
    for spec in specs[1:3]:
        head.tell(spec.owner, KillActor(spec.actor_id, no_restart=True))
    failure = Failure(FailureKind.ACTOR_UNSCHEDULABLE, "no")
    head.tell(asked[3][0], WorkerLeaseRefused(asked[3][1].lease_id, failure))
    assert {node_id: view.available for node_id, view in views.items()} == before
