"""Making actors: their arguments are kept while the constructor may run, and they end with their last handle."""

from raysim.protocol.messages import (
    ActorChanged,
    ActorOutOfScope,
    ActorRefused,
    ActorRegistered,
    CreateActor,
    KillActor,
    PushActorCalls,
    TasksDone,
    TaskStatus,
)
from raysim.spec.actor import ActorInfo, ActorSpec, ActorState
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import FunctionId, actor_handle_object, return_id
from raysim.spec.resources import fixed
from raysim.spec.task import TaskCall
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import DRIVER, GCS, RAYLET, SECOND_NS, inline

WORKER = address("worker", "far")


class Made:
    """An actor that was created, with one counted handle."""

    def __init__(self, rig, *args, nested=(), **options):
        self.rig = rig
        self.actor_id = rig.ids.actor()
        self.handle = actor_handle_object(self.actor_id)
        self.answers = []
        refs = [rig.arg(object_id, slot) for slot, object_id in enumerate(args)]
        spec = ActorSpec(
            self.actor_id, FunctionId(b"c" * 28), "Counter", b"class", b"args", refs, DRIVER,
            fixed({"CPU": 1}), {}, **options,
        )  # fmt: skip
        rig.owner.actors.create(spec, list(nested), self.answers.append)
        if not spec.detached:
            rig.found(self.handle).local += 1
        rig.host.advance(0)

    def news(self, state, version=1, at=WORKER):
        info = ActorInfo(self.actor_id, state, 0, version, at)
        self.rig.tell(GCS, ActorChanged(info))

    def drop_handle(self):
        self.rig.drop(self.handle)

    def call(self):
        task_id = self.rig.ids.actor_task(self.actor_id)
        call = TaskCall(task_id, 0, b"", method="add")
        self.rig.owner.actor_calls.submit(self.actor_id, call, [], "add", 0)
        return return_id(task_id, 0)


def test_creation_is_repeated_until_it_is_answered(rig):
    made = Made(rig)
    assert rig.one(CreateActor)[0] == GCS
    rig.host.advance(SECOND_NS)
    assert len(rig.take(CreateActor)) == 1
    rig.tell(GCS, ActorRegistered(made.actor_id))
    assert made.answers == [None]
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(CreateActor) == []


def test_second_answer_is_not_heard(rig):
    made = Made(rig)
    rig.tell(GCS, ActorRegistered(made.actor_id))
    rig.tell(GCS, ActorRegistered(made.actor_id))
    assert made.answers == [None]


def test_refused_actor_is_dead_for_its_calls(rig):
    made = Made(rig, name="taken")
    result = made.call()
    failure = Failure(FailureKind.ACTOR_NAME_TAKEN, "the name is taken")
    rig.tell(GCS, ActorRefused(made.actor_id, failure))
    assert made.answers == [failure]
    assert rig.found(result).failure == failure
    made.drop_handle()
    rig.drop(result)
    rig.assert_nothing_left()


def test_name_is_asked_for_before_the_arguments_are_ready(rig):
    argument = rig.submit()
    worker = rig.grant()
    made = Made(rig, argument, name="early")
    [(_, first)] = rig.take(CreateActor)
    assert not first.ready
    rig.tell(GCS, ActorRegistered(made.actor_id, ready=False))
    assert made.answers == [None]
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(CreateActor) == []
    rig.done(worker, argument, inline(b"value"))
    [(_, second)] = rig.take(CreateActor)
    assert second.ready


def test_late_answer_to_the_first_question_does_not_answer_the_second(rig):
    argument = rig.submit()
    worker = rig.grant()
    made = Made(rig, argument, name="early")
    rig.done(worker, argument, inline(b"value"))
    rig.take(CreateActor)
    rig.tell(GCS, ActorRegistered(made.actor_id, ready=False))
    rig.host.advance(SECOND_NS)
    assert [create.ready for _, create in rig.take(CreateActor)] == [True]
    rig.tell(GCS, ActorRegistered(made.actor_id))
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(CreateActor) == []


def test_actor_is_asked_for_once_its_arguments_are_ready(rig):
    argument = rig.submit()
    worker = rig.grant()
    Made(rig, argument)
    assert rig.take(CreateActor) == []
    rig.done(worker, argument, inline(b"five"))
    _, create = rig.one(CreateActor)
    assert [arg.payload for arg in create.spec.refs] == [b"five"]


def test_actor_with_a_failed_argument_is_never_asked_for(rig):
    argument = rig.submit()
    worker = rig.grant()
    made = Made(rig, argument)
    result = made.call()
    rig.done(worker, argument, inline(b"Eerror"), status=TaskStatus.APPLICATION_ERROR)
    assert rig.take(CreateActor) == []
    failure = rig.found(result).failure
    assert (failure.kind, failure.init_failed, failure.payload) == (
        FailureKind.ACTOR_DIED,
        True,
        b"Eerror",
    )


def test_arguments_are_let_go_when_the_constructor_cannot_run_again(rig):
    argument = rig.put()
    made = Made(rig, argument)
    rig.drop(argument)
    rig.tell(GCS, ActorRegistered(made.actor_id))
    assert argument in rig.entries
    made.news(ActorState.ALIVE)
    assert argument not in rig.entries


def test_arguments_of_an_actor_that_may_restart_are_kept_until_it_is_dead(rig):
    argument = rig.put()
    inner = rig.put()
    made = Made(rig, argument, nested=[rig.ref(inner)], max_restarts=1)
    rig.drop(argument)
    rig.drop(inner)
    made.news(ActorState.ALIVE)
    assert {argument, inner} <= set(rig.entries)
    made.news(ActorState.DEAD, 2)
    assert not {argument, inner} & set(rig.entries)


def test_last_handle_ends_the_actor_after_its_calls(rig):
    made = Made(rig)
    made.news(ActorState.ALIVE)
    result = made.call()
    made.drop_handle()
    assert rig.take(ActorOutOfScope) == []
    rig.tell(WORKER, TasksDone(RAYLET, [rig.result(result, inline())]))
    assert rig.one(ActorOutOfScope) == (GCS, ActorOutOfScope(made.actor_id))
    made.news(ActorState.DEAD, 2)
    rig.drop(result)
    rig.assert_nothing_left()
    assert rig.owner.actor_calls.clients._actors == {}


def test_handle_that_goes_after_the_actor_leaves_nothing(rig):
    made = Made(rig)
    made.news(ActorState.ALIVE)
    made.news(ActorState.DEAD, 2)
    made.drop_handle()
    assert rig.take(ActorOutOfScope) == []
    rig.assert_nothing_left()
    assert rig.owner.actor_calls.clients._actors == {}


def test_detached_actor_outlives_its_handles(rig):
    made = Made(rig, detached=True, name="service")
    assert made.handle not in rig.entries
    rig.tell(GCS, ActorRegistered(made.actor_id))
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(ActorOutOfScope) == []


def test_actor_whose_handle_goes_before_its_arguments_are_ready_is_never_made(rig):
    argument = rig.submit()
    worker = rig.grant()
    made = Made(rig, argument)
    made.drop_handle()
    rig.done(worker, argument, inline())
    assert rig.take(CreateActor) == []
    rig.drop(argument)
    rig.assert_nothing_left()


def test_actor_whose_handle_goes_before_its_first_calls_are_sent_is_made_for_them(rig):
    argument = rig.submit()
    worker = rig.grant()
    made = Made(rig, argument)
    result = made.call()
    made.drop_handle()
    rig.done(worker, argument, inline())
    assert len(rig.take(CreateActor)) == 1
    made.news(ActorState.ALIVE)
    assert len(rig.take(PushActorCalls)) == 1
    rig.tell(WORKER, TasksDone(RAYLET, [rig.result(result, inline())]))
    assert len(rig.take(ActorOutOfScope)) == 1


def test_actor_killed_before_its_arguments_are_ready_is_never_made(rig):
    """The GCS does not know it yet, and could not remember the kill."""
    argument = rig.submit()
    worker = rig.grant()
    made = Made(rig, argument)
    result = made.call()
    rig.owner.actors.kill(made.actor_id, no_restart=True)
    assert rig.failure(result) == FailureKind.ACTOR_DIED
    rig.host.take()
    rig.done(worker, argument, inline())
    assert not any(isinstance(sent, CreateActor | KillActor) for _, sent in rig.host.take())


def test_what_was_called_before_a_kill_is_sent_before_it(rig):
    made = Made(rig)
    made.news(ActorState.ALIVE)
    made.call()
    made.call()
    rig.host.take()
    rig.owner.actors.kill(made.actor_id, no_restart=True)
    assert [type(sent) for _, sent in rig.host.take()] == [PushActorCalls, KillActor]
