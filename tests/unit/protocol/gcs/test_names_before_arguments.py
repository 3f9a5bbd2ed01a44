"""An actor with a name is known before the arguments of its constructor are ready."""

import msgspec

from raysim.protocol.messages import (
    ActorChanged,
    ActorRefused,
    ActorRegistered,
    CreateActor,
    GetNamedActor,
    KillActor,
    NamedActor,
    RequestWorkerLease,
)
from raysim.spec.actor import ActorSpec, ActorState
from raysim.spec.failure import Failure, FailureKind
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, Head

OTHER = address("other", "head")


def early(head: Head, **options: object) -> ActorSpec:
    """Registered; its arguments are not ready."""
    head.join("head")
    spec = head.spec(head.job(), name="early", **options)
    head.tell(DRIVER, CreateActor(spec, ready=False))
    return spec


def state(head: Head) -> ActorState | None:
    head.host.take()
    head.tell(OTHER, GetNamedActor(1, "early", "space"))
    info = head.one(NamedActor)[1].info
    return None if info is None else info.state


def test_it_is_found_and_not_placed(head: Head) -> None:
    spec = early(head)
    assert head.take(ActorRegistered)[-1][1] == ActorRegistered(spec.actor_id, ready=False)
    assert head.take(RequestWorkerLease) == []
    assert state(head) is ActorState.DEPENDENCIES_UNREADY


def test_its_name_is_taken(head: Head) -> None:
    spec = early(head)
    second = head.spec(spec.actor_id[-4:], 2, name="early")
    head.tell(DRIVER, CreateActor(second))
    assert head.one(ActorRefused)[1].actor_id == second.actor_id


def test_it_is_placed_with_its_arguments_once_they_are_ready(head: Head) -> None:
    spec = msgspec.structs.replace(early(head), args=b"filled")
    head.tell(DRIVER, CreateActor(spec))
    head.one(RequestWorkerLease)
    living = head.gcs.actors.directory.live.get(spec.actor_id)
    assert living is not None
    assert living.spec.args == b"filled"


def test_copies_change_nothing(head: Head) -> None:
    spec = early(head)
    head.tell(DRIVER, CreateActor(spec, ready=False))
    head.tell(DRIVER, CreateActor(spec))
    head.host.take()
    head.tell(DRIVER, CreateActor(spec))
    head.tell(DRIVER, CreateActor(spec, ready=False))
    assert [answer.ready for _, answer in head.take(ActorRegistered)] == [True, False]
    assert head.take(RequestWorkerLease) == []


def test_it_is_dead_when_an_argument_failed(head: Head) -> None:
    spec = early(head)
    head.host.take()
    failure = Failure(FailureKind.ACTOR_DIED, "no argument", spec.actor_id)
    head.tell(DRIVER, CreateActor(spec, failure=failure))
    assert [news.info.death for _, news in head.take(ActorChanged)] == [failure]
    assert state(head) is None


def test_it_can_be_killed(head: Head) -> None:
    spec = early(head)
    head.tell(DRIVER, KillActor(spec.actor_id, True))
    assert state(head) is None
    head.tell(DRIVER, CreateActor(spec))
    assert head.take(RequestWorkerLease) == []


def test_even_a_detached_one_ends_with_its_owner(head: Head) -> None:
    """Nobody else has its arguments."""
    early(head, detached=True)
    head.process.peer_lost(DRIVER)
    assert state(head) is None


def test_a_detached_one_needs_no_owner_once_it_has_its_arguments(head: Head) -> None:
    spec = early(head, detached=True)
    head.tell(DRIVER, CreateActor(spec))
    head.process.peer_lost(DRIVER)
    assert state(head) is ActorState.PENDING_CREATION
