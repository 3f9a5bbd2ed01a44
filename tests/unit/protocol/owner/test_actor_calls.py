"""Calls to actors: their order, and what becomes of them when the actor goes, restarts, or never was."""

import pytest

from raysim.journal import TaskEnded
from raysim.protocol.messages import (
    ActorChanged,
    CancelTasks,
    NodeRemoved,
    PushActorCalls,
    SubscribeActor,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.owner.leases import BURST, SEND_AFTER_NS, SEND_AT
from raysim.spec.actor import ActorInfo, ActorState
from raysim.spec.address import NOWHERE
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import return_id
from raysim.spec.task import TaskCall
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import GCS, MS, RAYLET, SECOND_NS, OwnerRig, inline

FIRST, SECOND = address("first", "far"), address("second", "third")


class Client:
    """A caller of one actor, and the GCS's news of it."""

    def __init__(self, rig: OwnerRig) -> None:
        self.rig = rig
        self.actor_id = rig.ids.actor()
        self.version = 0
        self.numbers = 0

    def news(self, state, incarnation=0, at=NOWHERE, death=None, version=None, **more):
        if version is None:
            self.version += 1
            version = self.version
        info = ActorInfo(
            self.actor_id,
            state,
            incarnation,
            version,
            at,
            class_name="Counter",
            death=death,
            **more,
        )
        self.rig.tell(GCS, ActorChanged(info))

    def alive(self, incarnation=0, at=FIRST, out_of_order=False):
        self.news(ActorState.ALIVE, incarnation, at, out_of_order=out_of_order)

    def call(self, *args, retries=0, method="add", group=""):
        rig = self.rig
        refs = [rig.arg(object_id, slot) for slot, object_id in enumerate(args)]
        self.numbers += 1
        call = TaskCall(
            rig.ids.actor_task(self.actor_id),
            0,
            b"%d" % self.numbers,
            refs,
            method=method,
            group=group,
        )
        rig.owner.actor_calls.submit(self.actor_id, call, [], method, retries)
        return return_id(call.task_id, 0)

    def pushed(self):
        """Sequence, attempt and arguments of what was sent since the last time."""
        return [(call.sequence, call.attempt, call.args) for call in self.rig.pushed_actor()]

    def done(self, *results, worker=FIRST, attempt=0, status=TaskStatus.OK):
        answers = [
            self.rig.result(one, inline(), attempt=attempt, status=status) for one in results
        ]
        self.rig.tell(worker, TasksDone(RAYLET, answers))


@pytest.fixture
def actor(rig) -> Client:
    return Client(rig)


# Getting to know it.


def test_first_call_asks_for_the_actor_until_it_is_told(rig, actor):
    actor.call()
    assert rig.one(SubscribeActor)[0] == GCS
    rig.host.advance(SECOND_NS)
    assert len(rig.take(SubscribeActor)) == 1
    actor.alive()
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(SubscribeActor) == []


def test_a_gcs_that_comes_back_is_told_again_who_wants_the_news(rig, actor):
    """It has written down actors, and not who asked for them."""
    actor.call()
    actor.news(ActorState.PENDING_CREATION)
    rig.take(SubscribeActor)
    rig.lose(GCS)
    rig.lose(GCS)
    assert rig.take(SubscribeActor) == [], "not at once: a refused connection would be a busy loop"
    rig.host.advance(SECOND_NS)
    assert len(rig.take(SubscribeActor)) == 1
    actor.alive()
    assert len(actor.pushed()) == 1
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(SubscribeActor) == []


def test_a_dead_actor_is_not_asked_for_when_the_gcs_comes_back(rig, actor):
    actor.call()
    actor.news(ActorState.DEAD, death=Failure(FailureKind.ACTOR_DIED, "killed"))
    rig.take(SubscribeActor)
    rig.lose(GCS)
    rig.host.advance(10 * SECOND_NS)
    assert rig.take(SubscribeActor) == []


def test_calls_wait_in_order_until_the_actor_is_alive(rig, actor):
    for _ in range(3):
        actor.call()
    actor.news(ActorState.PENDING_CREATION)
    assert actor.pushed() == []
    actor.alive()
    assert actor.pushed() == [(0, 0, b"1"), (1, 0, b"2"), (2, 0, b"3")]


def test_second_copy_of_the_news_sends_nothing_again(rig, actor):
    actor.call()
    actor.alive()
    assert len(actor.pushed()) == 1
    actor.news(ActorState.ALIVE, 0, FIRST, version=1)
    assert actor.pushed() == []


def test_older_news_are_ignored(rig, actor):
    actor.call()
    actor.alive()
    actor.news(ActorState.RESTARTING, 1)
    actor.alive(1, SECOND)
    rig.host.take()
    actor.news(ActorState.ALIVE, 0, FIRST, version=1)
    actor.call()
    assert [to for to, _ in rig.take(PushActorCalls)] == [SECOND]


def test_news_of_an_unknown_actor_are_ignored(rig, actor):
    actor.alive()
    assert rig.host.timers == []


# Order.


def test_call_with_an_unready_argument_blocks_those_behind_it(rig, actor):
    argument = rig.submit()
    worker = rig.grant()
    actor.call()
    actor.alive()
    actor.call(argument)
    actor.call()
    assert [args for _, _, args in actor.pushed()] == [b"1"]
    rig.done(worker, argument, inline())
    assert actor.pushed() == [(1, 0, b"2"), (2, 0, b"3")]


def test_call_with_an_unready_argument_blocks_its_own_concurrency_group_only(rig, actor):
    """The nameless group is one as well."""
    argument = rig.submit()
    worker = rig.grant()
    actor.call(argument, group="io")
    actor.call(group="io")
    actor.call()
    actor.call(group="compute")
    actor.alive()
    assert actor.pushed() == [(0, 0, b"3"), (1, 0, b"4")]
    actor.call(argument)
    actor.call()
    actor.call(group="compute")
    assert actor.pushed() == [(2, 0, b"7")]
    rig.done(worker, argument, inline())
    assert [args for _, _, args in actor.pushed()] == [b"1", b"2", b"5", b"6"]


def test_call_whose_argument_failed_uses_no_number(rig, actor):
    argument = rig.submit()
    worker = rig.grant()
    failed = actor.call(argument)
    actor.call()
    actor.alive()
    rig.host.take()
    rig.done(worker, argument, inline(b"Eerror"), status=TaskStatus.APPLICATION_ERROR)
    assert rig.found(failed).is_error
    assert actor.pushed() == [(0, 0, b"2")]


def test_gathered_calls_are_one_message(rig, actor):
    actor.call()
    actor.alive()
    rig.host.take()
    for _ in range(5):
        actor.call()
    rig.owner.flush()
    [(_, push)] = rig.host.of(PushActorCalls)
    assert [call.sequence for call in push.calls] == [1, 2, 3, 4, 5]


def test_gathered_calls_leave_by_themselves_after_a_moment(rig, actor):
    actor.call()
    actor.alive()
    actor.call()
    rig.host.take()
    rig.host.advance(MS)
    assert len(rig.host.of(PushActorCalls)) == 1


def call_in_a_row(rig, actor, count: int) -> list[int]:
    """Each is done before the next: the actor is faster than its caller. The sizes of the batches that left."""
    left = []
    for _ in range(count):
        result = actor.call()
        batch = [len(push.calls) for _, push in rig.host.of(PushActorCalls)]
        rig.host.take()
        if batch:
            left += batch
            actor.done(result)
    return left


def test_calls_in_a_row_are_gathered_once_there_are_many(rig, actor):
    """Else each is sent by itself to an actor that is faster than its caller."""
    first = actor.call()
    actor.alive()
    actor.done(first)
    rig.host.take()
    rig.host.advance(MS)
    assert call_in_a_row(rig, actor, BURST + 20) == [1] * BURST
    rig.host.advance(SEND_AFTER_NS)
    assert [len(push.calls) for _, push in rig.host.of(PushActorCalls)] == [20]
    rig.host.take()
    assert call_in_a_row(rig, actor, SEND_AT + 5) == [SEND_AT]
    rig.owner.flush()
    assert [len(push.calls) for _, push in rig.host.of(PushActorCalls)] == [5]


def test_calls_with_time_between_them_leave_at_once(rig, actor):
    first = actor.call()
    actor.alive()
    actor.done(first)
    rig.host.take()
    for _ in range(3 * BURST):
        rig.host.advance(SEND_AFTER_NS + 1)
        assert call_in_a_row(rig, actor, 1) == [1]
    rig.host.advance(SEND_AFTER_NS + 1)
    call_in_a_row(rig, actor, BURST + 5)
    rig.host.advance(3 * SEND_AFTER_NS)
    assert rig.owner.actor_calls._batches.gathering == {}


# Results.


def test_answers_may_come_in_any_order_and_twice(rig, actor):
    first, second = actor.call(), actor.call()
    actor.alive()
    rig.owner.flush()
    actor.done(second)
    actor.done(second, first)
    assert rig.found(first).ready
    assert rig.found(second).ready
    assert len(rig.host.noted(TaskEnded)) == 2


def test_retriable_error_is_called_again_with_a_fresh_number(rig, actor):
    result = actor.call(retries=1)
    actor.alive()
    rig.host.take()
    actor.done(result, status=TaskStatus.RETRIABLE_ERROR)
    assert actor.pushed() == [(1, 1, b"1")]
    actor.done(result, attempt=1, status=TaskStatus.RETRIABLE_ERROR)
    assert rig.found(result).is_error


def test_answer_to_an_earlier_attempt_is_ignored(rig, actor):
    result = actor.call(retries=2)
    actor.alive()
    actor.news(ActorState.RESTARTING, 1)
    actor.alive(1, SECOND)
    actor.done(result, attempt=0)
    assert not rig.found(result).ready
    actor.done(result, worker=SECOND, attempt=1)
    assert rig.found(result).ready


# Restarts.


def test_restart_fails_what_was_out_and_keeps_what_was_queued(rig, actor):
    argument = rig.submit()
    worker = rig.grant()
    out = actor.call()
    queued = actor.call(argument)
    actor.alive()
    rig.host.take()
    actor.news(ActorState.RESTARTING, 1)
    assert rig.failure(out) == FailureKind.ACTOR_UNAVAILABLE
    assert "max_task_retries" in rig.found(out).failure.text
    actor.alive(1, SECOND)
    rig.done(worker, argument, inline())
    assert actor.pushed() == [(0, 0, b"2")]
    assert not rig.found(queued).ready


def test_retried_calls_are_sent_again_in_order_and_numbered_from_zero(rig, actor):
    first = actor.call(retries=-1)
    actor.alive()
    for _ in range(3):
        actor.call(retries=-1)
    assert [sequence for sequence, _, _ in actor.pushed()] == [0, 1, 2, 3]
    actor.done(first)
    actor.news(ActorState.RESTARTING, 1)
    actor.call(retries=-1)
    actor.alive(1, SECOND)
    assert actor.pushed() == [(0, 1, b"2"), (1, 1, b"3"), (2, 1, b"4"), (3, 0, b"5")]


def test_retries_are_used_up_by_restarts(rig, actor):
    result = actor.call(retries=1)
    actor.alive()
    rig.owner.flush()
    actor.news(ActorState.RESTARTING, 1)
    actor.alive(1, SECOND)
    rig.owner.flush()
    assert not rig.found(result).ready
    actor.news(ActorState.RESTARTING, 2)
    assert rig.failure(result) == FailureKind.ACTOR_UNAVAILABLE


def test_news_of_the_restart_may_be_missed(rig, actor):
    """Only the next incarnation is heard of: what was sent to the former one is lost all the same."""
    out, again = actor.call(), actor.call(retries=1)
    actor.alive()
    rig.owner.flush()
    rig.host.take()
    actor.alive(1, SECOND)
    assert rig.failure(out) == FailureKind.ACTOR_UNAVAILABLE
    assert actor.pushed() == [(0, 1, b"2")]
    assert not rig.found(again).ready


def test_call_that_was_gathered_but_not_sent_has_not_run(rig, actor):
    """It needs no retry: it waits for the next incarnation."""
    sent = actor.call()
    actor.alive()
    rig.host.take()
    gathered = actor.call()
    actor.news(ActorState.RESTARTING, 1)
    assert rig.failure(sent) == FailureKind.ACTOR_UNAVAILABLE
    assert not rig.found(gathered).ready
    actor.alive(1, SECOND)
    assert actor.pushed() == [(0, 0, b"2")]


def test_call_while_the_actor_restarts_fails_unless_it_may_be_retried(rig, actor):
    actor.call()
    actor.news(ActorState.RESTARTING, 1)
    assert rig.failure(actor.call()) == FailureKind.ACTOR_UNAVAILABLE
    waits = actor.call(retries=1)
    assert not rig.found(waits).ready


def test_retried_call_waits_for_an_argument_that_is_being_made_again(rig, actor):
    """The node that went took the argument with it: the call goes out once that is whole again."""
    argument = rig.put_stored()
    actor.call(argument, retries=1)
    actor.call(retries=1)
    actor.alive()
    rig.owner.flush()
    rig.objects.set_pending(rig.found(argument))
    actor.news(ActorState.RESTARTING, 1)
    rig.host.take()
    actor.alive(1, SECOND)
    assert actor.pushed() == []
    rig.objects.set_stored(rig.found(argument), 10, [RAYLET])
    assert actor.pushed() == [(0, 1, b"1"), (1, 1, b"2")]


# Lost connections.


def test_lost_connection_decides_nothing_but_asks(rig, actor):
    result = actor.call()
    actor.alive()
    rig.host.take()
    rig.lose(FIRST)
    assert not rig.found(result).ready
    assert len(rig.take(SubscribeActor)) == 1
    actor.news(ActorState.RESTARTING, 1)
    assert rig.failure(result) == FailureKind.ACTOR_UNAVAILABLE


def test_gcs_that_has_not_noticed_the_loss_is_asked_again(rig, actor):
    """It says ALIVE of the very incarnation whose end this caller saw: nothing may be sent there."""
    actor.call(retries=1)
    actor.alive()
    rig.lose(FIRST)
    rig.host.take()
    actor.alive()
    assert actor.pushed() == []
    rig.host.advance(SECOND_NS)
    assert len(rig.take(SubscribeActor)) == 1
    actor.news(ActorState.RESTARTING, 1)
    actor.alive(1, SECOND)
    assert actor.pushed() == [(0, 1, b"1")]


def test_calls_wait_between_the_loss_and_the_news_of_it(rig, actor):
    actor.call()
    actor.alive()
    rig.lose(FIRST)
    rig.host.take()
    actor.call()
    assert actor.pushed() == []
    actor.news(ActorState.RESTARTING, 1)
    actor.alive(1, SECOND)
    assert actor.pushed() == [(0, 0, b"2")]


def test_dead_node_counts_as_a_lost_connection(rig, actor):
    actor.call()
    actor.alive()
    rig.host.take()
    rig.tell(RAYLET, NodeRemoved(FIRST.node_id, "no answer"))
    actor.call()
    sent = [type(message) for _, message in rig.host.take()]
    assert sent == [SubscribeActor]


# Death.


def test_death_fails_all_calls_with_its_cause(rig, actor):
    argument = rig.submit()
    rig.grant()
    out, queued = actor.call(retries=-1), actor.call(argument, retries=-1)
    actor.alive()
    rig.owner.flush()
    death = Failure(FailureKind.ACTOR_DIED, "killed by ray.kill", actor.actor_id)
    actor.news(ActorState.DEAD, 0, death=death)
    assert rig.found(out).failure == rig.found(queued).failure == death
    assert rig.found(actor.call()).failure == death


def test_call_to_a_dead_actor_has_its_return(rig, actor):
    actor.call()
    actor.news(ActorState.DEAD)
    result = actor.call()
    assert rig.failure(result) == FailureKind.ACTOR_DIED
    rig.drop(result)
    assert result not in rig.entries


def test_failure_that_the_actor_answers_with_is_the_calls(rig, actor):
    result = actor.call(retries=-1)
    actor.alive()
    rig.owner.flush()
    failure = Failure(FailureKind.OBJECT_LOST, "an argument is gone")
    answer = rig.result(result, status=TaskStatus.FAILED, failure=failure)
    rig.tell(FIRST, TasksDone(RAYLET, [answer]))
    assert rig.found(result).failure == failure


# Cancelling.


def test_call_cancelled_before_it_was_sent_leaves_no_gap(rig, actor):
    actor.call()
    middle = actor.call()
    actor.call()
    rig.owner.actor_calls.cancel(middle[:24])
    assert rig.failure(middle) == FailureKind.TASK_CANCELLED
    actor.alive()
    assert actor.pushed() == [(0, 0, b"1"), (1, 0, b"3")]


def test_cancelled_head_with_an_unready_argument_blocks_nobody(rig, actor):
    argument = rig.submit()
    rig.grant()
    head = actor.call(argument)
    actor.call()
    actor.alive()
    assert actor.pushed() == []
    rig.owner.actor_calls.cancel(head[:24])
    assert actor.pushed() == [(0, 0, b"2")]


def test_cancelling_a_sent_call_is_left_to_its_actor(rig, actor):
    result = actor.call()
    actor.call()
    actor.alive()
    rig.owner.actor_calls.cancel(result[:24], recursive=True)
    sent = [(to, m) for to, m in rig.host.take() if isinstance(m, PushActorCalls | CancelTasks)]
    assert [type(message) for _, message in sent] == [PushActorCalls] * 2 + [CancelTasks]
    assert sent[-1] == (FIRST, CancelTasks([result[:24]], recursive=True))
    assert not rig.found(result).ready


def test_cancelled_call_is_not_repeated_by_the_next_incarnation(rig, actor):
    result = actor.call(retries=-1)
    actor.alive()
    rig.owner.actor_calls.cancel(result[:24])
    actor.news(ActorState.RESTARTING, 1)
    assert rig.failure(result) == FailureKind.TASK_CANCELLED


def test_calls_overtake_one_that_waits_if_the_actor_keeps_no_order(rig, actor):
    argument = rig.submit()
    actor.call(argument)
    actor.call()
    actor.alive(out_of_order=True)
    assert actor.pushed() == [(0, 0, b"2")]


def test_calls_that_are_ready_before_and_behind_one_that_waits_overtake_it(rig, actor):
    """As after a restart, when all that was sent is put back."""
    argument = rig.submit()
    actor.call()
    actor.call(argument)
    actor.call()
    actor.alive(out_of_order=True)
    assert actor.pushed() == [(0, 0, b"1"), (1, 0, b"3")]


@pytest.mark.parametrize("out_of_order", [True, False])
def test_calls_that_fail_one_after_the_other_are_gone_through_once(rig, actor, out_of_order):
    """The first one fails as its argument did, and so lets the next one go in the middle of its own turn."""
    argument = rig.submit()
    first = actor.call(argument)
    second = actor.call(first)
    argument_to_come = rig.submit()
    actor.call(argument_to_come)
    actor.call()
    worker = rig.grant()
    rig.done(worker, argument, inline(b"Eerror"), status=TaskStatus.APPLICATION_ERROR)
    actor.alive(out_of_order=out_of_order)
    assert rig.found(first).ready
    assert rig.found(second).ready
    assert actor.pushed() == ([(0, 0, b"4")] if out_of_order else [])


def test_pending_calls_are_counted(rig, actor):
    actor.call()
    actor.alive()
    second = actor.call()
    assert rig.owner.actor_calls.pending(actor.actor_id) == 2
    actor.done(second)
    assert rig.owner.actor_calls.pending(actor.actor_id) == 1


# Idle.


def test_idle_means_that_every_call_was_answered(rig, actor):
    idle = []
    first = actor.call()
    cancelled = actor.call()
    rig.owner.actor_calls.when_idle(actor.actor_id, lambda: idle.append(1))
    rig.owner.actor_calls.cancel(cancelled[:24])
    actor.alive()
    rig.owner.flush()
    assert idle == []
    actor.done(first)
    assert idle == [1]


def test_nothing_is_left_of_answered_calls(rig, actor):
    argument = rig.put()
    results = [actor.call(argument) for _ in range(3)]
    rig.drop(argument)
    actor.alive()
    rig.owner.flush()
    actor.done(*results)
    for result in results:
        rig.drop(result)
    rig.assert_nothing_left()
    assert rig.owner.actor_calls.records == {}
