"""The life of actors, with what can happen twice, late, or at the worst moment."""

import msgspec

from raysim.journal import ActorNoted
from raysim.protocol.messages import (
    ActorChanged,
    ActorOutOfScope,
    ActorRefused,
    ActorRegistered,
    ActorStarted,
    CreateActor,
    FinishJob,
    GetNamedActor,
    KillActor,
    KillWorker,
    LeaseLost,
    NamedActor,
    RequestWorkerLease,
    StartActor,
    SubscribeActor,
    TerminateActor,
)
from raysim.spec.actor import ActorSpec, ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, SECOND_NS, Head

OTHER = address("other", "head")


def ready(nodes: int = 1, **options: object) -> tuple[Head, ActorSpec]:
    """A cluster with a job, and an actor to be created."""
    head = Head()
    for number in range(nodes):
        head.join(f"node{number}")
    return head, head.spec(head.job(), **options)


def states(head: Head, to: Address = DRIVER) -> list[tuple[ActorState, int]]:
    return [(info.state, info.incarnation) for info in head.news(to)]


# --- creation ------------------------------------------------------------------------------------


def test_an_actor_is_registered_placed_started_and_alive() -> None:
    head, spec = ready(max_task_retries=2, name="counter", method_meta=b"meta")
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    assert head.one(StartActor) == (worker, StartActor(spec, 0))
    head.started(worker, spec)
    [info] = head.news()
    assert (info.state, info.address, info.incarnation) == (ActorState.ALIVE, worker, 0)
    assert (info.name, info.namespace, info.class_name) == ("counter", "space", "Counter")
    assert (info.max_task_retries, info.method_meta, info.owner) == (2, b"meta", DRIVER)
    assert [note.state for note in head.host.noted(ActorNoted)] == ["PENDING_CREATION", "ALIVE"]


def test_the_answer_comes_before_the_news() -> None:
    head, spec = ready()
    head.tell(DRIVER, CreateActor(spec))
    [registered, changed] = head.host.sent_to(DRIVER)
    assert isinstance(registered, ActorRegistered)
    assert isinstance(changed, ActorChanged)


def test_an_actor_is_durable_before_it_is_acknowledged() -> None:
    head, spec = ready()
    seen: list[int] = []
    send = head.host.send
    head.host.send = lambda to, message: (
        seen.append(len(head.host.storage.batch)),
        send(to, message),
    )[1]
    raylet, request = head.create(spec)
    head.grant(raylet, request)
    assert seen
    assert set(seen) == {0}
    assert spec.actor_id in head.host.storage.tables["actors"]


def test_a_repeated_creation_makes_no_second_actor() -> None:
    """Ray PR 11003: the owner cannot tell a lost answer from a slow one."""
    head, spec = ready()
    head.create(spec)
    head.tell(DRIVER, CreateActor(spec))
    sent = head.host.take()
    assert [type(message) for _, message in sent] == [ActorRegistered, ActorChanged]


def test_a_repeated_creation_of_a_dead_actor_hears_of_its_death() -> None:
    head, spec = ready()
    head.alive(spec)
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    head.host.take()
    head.tell(DRIVER, CreateActor(spec))
    [registered, changed] = head.host.sent_to(DRIVER)
    assert registered == ActorRegistered(spec.actor_id)
    assert isinstance(changed, ActorChanged)
    assert changed.info.state is ActorState.DEAD
    assert head.take(RequestWorkerLease) == []


def test_a_constructor_that_raises_ends_the_actor_and_its_process() -> None:
    head, spec = ready(max_restarts=5, name="counter")
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    failure = Failure(FailureKind.ACTOR_DIED, "raised", spec.actor_id, True, b"pickled")
    head.started(worker, spec, failure=failure)
    assert [kill.worker for to, kill in head.host.of(KillWorker) if to == raylet] == [worker]
    [info] = head.news()
    assert (info.state, info.death, info.address) == (ActorState.DEAD, failure, NOWHERE)
    head.died(raylet, worker)
    assert head.take(RequestWorkerLease) == []


def test_a_start_reported_twice_or_by_another_process_changes_nothing() -> None:
    head, spec = ready()
    _, worker = head.alive(spec)
    head.host.take()
    head.started(worker, spec)
    head.started(OTHER, spec, failure=Failure(FailureKind.ACTOR_DIED, "late"))
    head.started(worker, spec, incarnation=7)
    assert head.host.take() == []


# --- names ---------------------------------------------------------------------------------------


def find(head: Head, name: str = "counter", namespace: str = "space") -> ActorState | None:
    head.tell(OTHER, GetNamedActor(4, name, namespace))
    to, named = head.one(NamedActor)
    assert (to, named.number) == (OTHER, 4)
    return named.info.state if named.info is not None else None


def test_a_named_actor_is_found_from_its_registration_to_its_death() -> None:
    head, spec = ready(name="counter")
    assert find(head) is None
    raylet, request = head.create(spec)
    assert find(head) is ActorState.PENDING_CREATION
    head.started(head.grant(raylet, request), spec)
    assert find(head) is ActorState.ALIVE
    assert find(head, namespace="elsewhere") is None
    head.tell(OTHER, KillActor(spec.actor_id, no_restart=True))
    assert find(head) is None


def test_a_name_in_use_is_refused_and_in_another_namespace_is_not() -> None:
    head, spec = ready(name="counter")
    head.alive(spec)
    head.host.take()
    twin = head.spec(head.job(), 2, owner=OTHER, name="counter")
    head.tell(OTHER, CreateActor(twin))
    to, refused = head.one(ActorRefused)
    assert to == OTHER
    assert refused.failure.kind is FailureKind.ACTOR_NAME_TAKEN
    assert "'counter'" in refused.failure.text
    elsewhere = head.spec(head.job(), 3, name="counter", namespace="elsewhere")
    head.create(elsewhere)


def test_a_name_is_free_again_after_death() -> None:
    head, spec = ready(name="counter")
    raylet, worker = head.alive(spec)
    head.tell(OTHER, KillActor(spec.actor_id, no_restart=True))
    again = head.spec(head.job(), 2, name="counter")
    head.alive(again, "second")
    # The first one's process ends only now: that is not the second one's end.
    head.died(raylet, worker)
    assert find(head) is ActorState.ALIVE


def test_a_copy_of_a_refused_creation_stays_refused_once_the_name_is_free() -> None:
    """The creator has been told that it has no such actor: nobody would ever end it."""
    head, spec = ready(name="counter")
    head.alive(spec)
    twin = head.spec(head.job(), 2, name="counter")
    head.tell(DRIVER, CreateActor(twin))
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    head.host.take()
    head.tell(DRIVER, CreateActor(twin))
    assert [type(message) for _, message in head.host.take()] == [ActorRefused]


# --- restarts ------------------------------------------------------------------------------------


def test_an_actor_is_restarted_as_often_as_it_may_be() -> None:
    head, spec = ready(max_restarts=2)
    raylet, worker = head.alive(spec, "w0")
    head.host.take()
    for incarnation in (1, 2):
        head.died(raylet, worker)
        [to, request] = head.host.of(RequestWorkerLease)[0]
        assert states(head) == [(ActorState.RESTARTING, incarnation)]
        worker = head.grant(to, request, f"w{incarnation}")
        assert head.one(StartActor) == (worker, StartActor(spec, incarnation))
        head.started(worker, spec, incarnation)
        assert states(head) == [(ActorState.ALIVE, incarnation)]
    head.died(raylet, worker)
    [dead] = head.news()
    assert dead.state is ActorState.DEAD
    assert dead.death is not None
    assert "max_restarts=2" in dead.death.text
    assert "exit code -9" in dead.death.text


def test_minus_one_restarts_for_ever() -> None:
    head, spec = ready(max_restarts=-1)
    raylet, worker = head.alive(spec, "w0")
    for incarnation in range(1, 50):
        head.died(raylet, worker)
        worker = head.grant(*head.one(RequestWorkerLease), f"w{incarnation}")
        head.started(worker, spec, incarnation)
    assert states(head)[-1] == (ActorState.ALIVE, 49)


def test_by_default_a_lost_process_is_the_end() -> None:
    head, spec = ready()
    raylet, worker = head.alive(spec)
    head.host.take()
    head.died(raylet, worker)
    [dead] = head.news()
    assert dead.death is not None
    assert "max_restarts=0" in dead.death.text


def test_a_worker_lost_between_grant_and_start_counts_as_a_restart() -> None:
    """Nobody can tell whether the constructor ran."""
    head, spec = ready(max_restarts=1)
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    head.died(raylet, worker)
    head.grant(*head.one(RequestWorkerLease), "second")
    assert head.one(StartActor)[1].incarnation == 1
    # What the first one said arrives late: it is no news of the second one.
    head.started(worker, spec)
    assert states(head) == []


def test_one_death_reported_in_every_way_is_one_restart() -> None:
    head, spec = ready(max_restarts=1)
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    head.started(worker, spec)
    head.host.take()
    head.tell(raylet, LeaseLost(request.lease_id, worker, "exit code -9"))
    head.process.peer_lost(worker)
    head.died(raylet, worker)
    head.died(raylet, worker)
    head.process.peer_lost(worker)
    assert len(head.host.of(RequestWorkerLease)) == 1
    assert head.host.of(KillWorker) == []
    assert states(head) == [(ActorState.RESTARTING, 1)]


def test_a_broken_connection_alone_replaces_no_process() -> None:
    """It may still run: first it is killed, and known to be gone."""
    head, spec = ready(max_restarts=1)
    raylet, worker = head.alive(spec)
    head.host.take()
    head.process.peer_lost(worker)
    assert head.host.take() == []
    head.host.advance(3 * head.host.config.request_retry_ns)
    kills = head.take(KillWorker)
    assert [(to, kill.worker) for to, kill in kills] == [(raylet, worker)] * 3
    head.died(raylet, worker)
    head.one(RequestWorkerLease)
    head.host.advance(20 * SECOND_NS)
    assert head.take(KillWorker) == []


def test_actors_of_a_dead_node_are_restarted_elsewhere() -> None:
    head, spec = ready(nodes=2, max_restarts=1)
    raylet, _ = head.alive(spec)
    head.host.take()
    head.process.peer_lost(raylet)
    [(to, _)] = head.host.of(RequestWorkerLease)
    assert to != raylet
    assert head.host.of(KillWorker) == []
    assert states(head) == [(ActorState.RESTARTING, 1)]


def test_a_started_message_from_a_dead_node_is_not_believed() -> None:
    head, spec = ready(nodes=2, max_restarts=1)
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    head.process.peer_lost(raylet)
    head.host.take()
    head.started(worker, spec)
    assert head.take(ActorChanged) == []


def test_an_actor_that_exits_by_itself_is_not_restarted() -> None:
    head, spec = ready(max_restarts=-1)
    raylet, worker = head.alive(spec)
    head.host.take()
    head.died(raylet, worker, intended=True)
    [dead] = head.news()
    assert dead.state is ActorState.DEAD
    assert dead.death is not None
    assert "own will" in dead.death.text


# --- kill ----------------------------------------------------------------------------------------


def test_a_killed_actor_is_dead_at_once_and_its_process_is_ended_for_sure() -> None:
    head, spec = ready(max_restarts=-1)
    raylet, worker = head.alive(spec)
    head.host.take()
    head.tell(OTHER, KillActor(spec.actor_id, no_restart=True))
    head.tell(OTHER, KillActor(spec.actor_id, no_restart=True))
    assert [kill.worker for _, kill in head.host.of(KillWorker)] == [worker]
    assert states(head) == [(ActorState.DEAD, 0)]
    head.host.advance(head.host.config.request_retry_ns)
    assert [to for to, _ in head.take(KillWorker)] == [raylet]
    head.died(raylet, worker)
    head.host.advance(20 * SECOND_NS)
    assert head.take(KillWorker) == []
    assert head.take(RequestWorkerLease) == []


def test_a_kill_with_restart_is_a_loss_like_any_other() -> None:
    head, spec = ready(max_restarts=1)
    raylet, worker = head.alive(spec)
    head.host.take()
    head.tell(OTHER, KillActor(spec.actor_id, no_restart=False))
    assert [kill.worker for _, kill in head.host.of(KillWorker)] == [worker]
    assert states(head) == []
    head.died(raylet, worker)
    assert states(head) == [(ActorState.RESTARTING, 1)]


def test_killed_during_its_constructor_it_does_not_come_alive() -> None:
    head, spec = ready()
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    head.host.take()
    head.tell(worker, ActorStarted(spec.actor_id, 0))
    assert head.take(ActorChanged) == []


# --- out of scope --------------------------------------------------------------------------------


def test_out_of_scope_an_actor_finishes_and_ends() -> None:
    head, spec = ready(max_restarts=-1)
    raylet, worker = head.alive(spec)
    head.host.take()
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    assert head.host.take() == [(worker, TerminateActor(spec.actor_id, 0))]
    head.died(raylet, worker, intended=True)
    [dead] = head.news()
    assert dead.death is not None
    assert "out of scope" in dead.death.text


def test_out_of_scope_and_still_running_after_the_grace_it_is_killed() -> None:
    head, spec = ready()
    raylet, worker = head.alive(spec)
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    head.host.take()
    head.host.advance(head.host.config.actor_exit_grace_ns - 1)
    assert head.host.of(KillWorker) == []
    head.host.advance(1)
    assert [kill.worker for _, kill in head.host.of(KillWorker)] == [worker]
    head.died(raylet, worker)
    assert states(head) == [(ActorState.DEAD, 0)]


def test_out_of_scope_before_it_runs_it_never_does() -> None:
    head, spec = ready()
    raylet, request = head.create(spec)
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    assert states(head) == [(ActorState.DEAD, 0)]
    head.grant(raylet, request)
    assert head.take(StartActor) == []


def test_out_of_scope_during_its_constructor_it_is_told_when_that_is_done() -> None:
    head, spec = ready()
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    assert head.take(TerminateActor) == []
    head.started(worker, spec)
    assert head.one(TerminateActor)[0] == worker


def test_out_of_scope_during_a_restart_it_does_not_come_back() -> None:
    head, spec = ready(max_restarts=-1)
    raylet, worker = head.alive(spec)
    head.died(raylet, worker)
    to, request = head.one(RequestWorkerLease)
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    assert states(head) == [(ActorState.DEAD, 1)]
    head.grant(to, request, "second")
    assert head.take(StartActor) == []


def test_crashed_on_its_way_out_of_scope_it_does_not_come_back() -> None:
    head, spec = ready(max_restarts=-1)
    raylet, worker = head.alive(spec)
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    head.host.take()
    head.died(raylet, worker)
    assert states(head) == [(ActorState.DEAD, 0)]


def test_a_detached_actor_has_no_scope() -> None:
    head, spec = ready(detached=True)
    head.alive(spec)
    head.host.take()
    head.tell(DRIVER, ActorOutOfScope(spec.actor_id))
    assert head.host.take() == []


# --- owners and jobs -----------------------------------------------------------------------------


def test_an_actor_ends_with_its_owner_and_a_detached_one_does_not() -> None:
    head, spec = ready(max_restarts=-1)
    kept = head.spec(head.job(), 2, detached=True, name="kept")
    _, worker = head.alive(spec, "w1")
    head.alive(kept, "w2")
    head.tell(OTHER, SubscribeActor(spec.actor_id))
    head.host.take()
    head.process.peer_lost(DRIVER)
    assert [kill.worker for _, kill in head.host.of(KillWorker)] == [worker]
    [dead] = head.news(OTHER)
    assert dead.death is not None
    assert "owner" in dead.death.text
    assert find(head, "kept") is ActorState.ALIVE


def test_actors_of_actors_end_one_after_another() -> None:
    head, spec = ready()
    raylet, worker = head.alive(spec, "parent")
    child = head.spec(head.job(), 2, owner=worker)
    _, grandchild_owner = head.alive(child, "child")
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    head.host.take()
    head.died(raylet, worker)
    assert [kill.worker for _, kill in head.host.of(KillWorker)] == [grandchild_owner]


def test_owner_and_actor_on_a_dead_node_are_not_restarted_first() -> None:
    head, _ = ready()
    [node] = head.gcs.nodes.raylets()
    owned = head.spec(head.job(), 2, owner=address("w", "node0"), max_restarts=-1)
    head.alive(owned)
    head.tell(OTHER, SubscribeActor(owned.actor_id))
    head.host.take()
    head.process.peer_lost(node)
    assert states(head, OTHER) == [(ActorState.DEAD, 0)]
    assert head.take(RequestWorkerLease) == []


def test_the_end_of_a_job_ends_its_actors_but_not_what_detached_ones_made() -> None:
    head, spec = ready(detached=True, name="kept")
    job = head.job()
    _, parent = head.alive(spec, "parent")
    head.alive(head.spec(job, 2, owner=parent, name="child"), "child")
    head.alive(head.spec(job, 3, name="gone"), "gone")
    head.host.take()
    head.tell(DRIVER, FinishJob(job))
    assert find(head, "kept") is ActorState.ALIVE
    assert find(head, "child") is ActorState.ALIVE
    assert find(head, "gone") is None


# --- subscriptions -------------------------------------------------------------------------------


def test_a_subscriber_hears_the_state_now_and_each_change() -> None:
    head, spec = ready()
    raylet, request = head.create(spec)
    head.tell(OTHER, SubscribeActor(spec.actor_id))
    head.tell(OTHER, SubscribeActor(spec.actor_id))
    assert states(head, OTHER) == [(ActorState.PENDING_CREATION, 0)] * 2
    head.started(head.grant(raylet, request), spec)
    assert states(head, OTHER) == [(ActorState.ALIVE, 0)]


def test_versions_grow_with_each_change() -> None:
    head, spec = ready(max_restarts=1)
    head.tell(DRIVER, CreateActor(spec))
    raylet, request = head.host.of(RequestWorkerLease)[0]
    worker = head.grant(raylet, request)
    head.started(worker, spec)
    head.died(raylet, worker)
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    assert [info.version for info in head.news()] == [1, 2, 3, 4]


def test_a_lost_subscriber_is_told_nothing_more() -> None:
    head, spec = ready()
    head.alive(spec)
    head.tell(OTHER, SubscribeActor(spec.actor_id))
    head.process.peer_lost(OTHER)
    head.host.take()
    head.tell(DRIVER, KillActor(spec.actor_id, no_restart=True))
    assert [to for to, _ in head.take(ActorChanged)] == [DRIVER]


def test_a_handle_may_arrive_before_its_actor_is_created() -> None:
    """Its constructor waits for an argument, say; the subscriber asks again and again."""
    head, spec = ready()
    for _ in range(100):
        head.tell(OTHER, SubscribeActor(spec.actor_id, DRIVER))
        head.host.advance(SECOND_NS)
    assert head.take(ActorChanged) == []
    head.tell(DRIVER, CreateActor(spec))
    assert states(head, OTHER) == [(ActorState.PENDING_CREATION, 0)]


def test_who_waits_for_an_actor_that_nobody_can_create_any_more_is_told() -> None:
    head, spec = ready()
    creator = address("creator", "node0")
    head.tell(OTHER, SubscribeActor(spec.actor_id, creator))
    head.process.peer_lost(creator)
    assert states(head, OTHER) == [(ActorState.DEAD, 0)]
    # And whoever asks later, too.
    head.tell(DRIVER, SubscribeActor(spec.actor_id, creator))
    assert states(head, DRIVER) == [(ActorState.DEAD, 0)]


def test_who_waits_for_an_actor_of_a_finished_job_is_told() -> None:
    head, spec = ready()
    head.tell(OTHER, SubscribeActor(spec.actor_id))
    head.tell(DRIVER, FinishJob(head.job()))
    assert states(head, OTHER) == [(ActorState.DEAD, 0)]


def test_detached_actor_creates_others_after_its_job_has_finished() -> None:
    """What it creates may wait for an argument, while somebody has the handle already."""
    head, spec = ready()
    detached = head.spec(head.job(), 2, detached=True, name="kept")
    _, worker = head.alive(detached)
    head.tell(DRIVER, FinishJob(head.job()))
    head.host.take()
    head.tell(OTHER, SubscribeActor(spec.actor_id, worker))
    assert head.take(ActorChanged) == []
    head.tell(worker, CreateActor(msgspec.structs.replace(spec, owner=worker)))
    assert states(head, OTHER) == [(ActorState.PENDING_CREATION, 0)]


def test_who_waits_for_an_actor_of_a_dead_node_is_told() -> None:
    head, spec = ready()
    head.tell(OTHER, SubscribeActor(spec.actor_id, address("creator", "node0")))
    head.process.peer_lost(address("node0"))
    assert states(head, OTHER) == [(ActorState.DEAD, 0)]
