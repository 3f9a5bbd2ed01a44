"""Lost returns of actor calls: the actor is called again, where its calls may be retried."""

import pytest

from raysim.journal import ObjectRebuilt
from raysim.protocol.messages import GeneratorItem, GeneratorItems, TasksDone
from raysim.protocol.owner.entries import ObjectState
from raysim.protocol.owner.streams import item_id
from raysim.spec.actor import ActorState
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import return_id, task_of_object
from raysim.spec.task import STREAMING, TaskCall
from tests.unit.protocol.owner.rig import FAR, RAYLET, stored
from tests.unit.protocol.owner.test_actor_calls import FIRST, SECOND, Client


@pytest.fixture
def actor(rig):
    actor = Client(rig)
    rig.owner.actor_calls.clients.of(actor.actor_id)
    actor.alive()
    return actor


def made(rig, actor, *args, retries=1):
    """The return of a call that has ended, in the store of a node."""
    result = actor.call(*args, retries=retries)
    rig.host.take()
    rig.tell(FIRST, TasksDone(RAYLET, [rig.result(result, stored())]))
    return result


def lose_store(rig, raylet=RAYLET):
    rig.objects.node_lost(raylet.node_id)
    rig.host.advance(0)


def test_lost_return_is_made_by_another_call(rig, actor):
    result = made(rig, actor)
    lose_store(rig)
    assert rig.state(result) == ObjectState.PENDING
    assert rig.host.noted(ObjectRebuilt) == [ObjectRebuilt(result)]
    [call] = rig.pushed_actor()
    assert (call.task_id, call.attempt) == (task_of_object(result), 1)
    rig.tell(FIRST, TasksDone(FAR, [rig.result(result, stored(), attempt=1)]))
    assert rig.found(result).holders == (FAR,)


def test_lost_return_without_retries_is_lost(rig, actor):
    result = made(rig, actor, retries=0)
    lose_store(rig)
    assert rig.failure(result) == FailureKind.OBJECT_LOST
    assert rig.pushed_actor() == []


def test_retries_are_used_up(rig, actor):
    result = made(rig, actor, retries=1)
    lose_store(rig)
    rig.tell(FIRST, TasksDone(FAR, [rig.result(result, stored(), attempt=1)]))
    lose_store(rig, FAR)
    assert rig.failure(result) == FailureKind.OBJECT_LOST


def test_lost_return_waits_for_the_restarted_actor(rig, actor):
    """The node that had the copy had the actor, too."""
    result = made(rig, actor)
    actor.news(ActorState.RESTARTING, 1)
    lose_store(rig)
    assert rig.pushed_actor() == []
    actor.alive(1, SECOND)
    [call] = rig.pushed_actor()
    assert (call.task_id, call.sequence) == (task_of_object(result), 0)


def test_lost_return_is_made_first_though_its_call_was_not_sent_before_the_restart(rig, actor):
    """The node's end is told before the actor's, and the call ahead waits for that return."""
    result = made(rig, actor, retries=-1)
    actor.call(result, retries=-1)
    rig.owner.flush()
    lose_store(rig)
    actor.news(ActorState.RESTARTING, 1)
    rig.host.take()
    actor.alive(1, SECOND)
    [call] = rig.pushed_actor()
    assert (call.task_id, call.sequence) == (task_of_object(result), 0)


def test_return_of_a_dead_actor_is_lost(rig, actor):
    result = made(rig, actor)
    actor.news(ActorState.DEAD, death=Failure(FailureKind.ACTOR_DIED, "died", actor.actor_id))
    lose_store(rig)
    assert rig.failure(result) == FailureKind.OBJECT_LOST


def test_actor_that_dies_after_the_loss_fails_the_return(rig, actor):
    result = made(rig, actor)
    lose_store(rig)
    actor.news(ActorState.DEAD, death=Failure(FailureKind.ACTOR_DIED, "died", actor.actor_id))
    assert rig.failure(result) == FailureKind.ACTOR_DIED


def test_what_makes_the_arguments_is_kept_as_long_as_the_return(rig, actor):
    argument = rig.ran(result=stored())
    result = made(rig, actor, argument)
    rig.drop(argument)
    assert argument in rig.entries
    rig.drop(result)
    assert argument not in rig.entries


def test_nothing_is_kept_of_calls_that_are_not_retried(rig, actor):
    argument = rig.ran(result=stored())
    result = made(rig, actor, argument, retries=0)
    rig.drop(argument)
    assert argument not in rig.entries
    assert rig.found(result).task is None


def test_lost_item_of_a_method_is_made_again(rig, actor):
    task_id = rig.ids.actor_task(actor.actor_id)
    call = TaskCall(task_id, 0, b"args", method="stream", num_returns=STREAMING)
    rig.owner.actor_calls.submit(actor.actor_id, call, [], "stream", 1)
    rig.host.take()

    def give(attempt, raylet):
        items = [GeneratorItem(task_id, attempt, 0, stored())]
        rig.tell(FIRST, GeneratorItems(raylet, items))
        result = rig.result(return_id(task_id, 0), attempt=attempt)
        result.items = 1
        rig.tell(FIRST, TasksDone(raylet, [result]))

    give(0, RAYLET)
    item = rig.owner.streams.next(task_id)
    assert item == item_id(task_id, 0)
    lose_store(rig)
    assert [call.attempt for call in rig.pushed_actor()] == [1]
    give(1, FAR)
    assert rig.found(item).holders == (FAR,)
