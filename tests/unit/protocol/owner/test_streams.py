"""Items of generators at their owner: each once, in order, whatever happens to the worker or the consumer."""

import msgspec
import pytest

from raysim.protocol.messages import (
    NO_LIMIT,
    Consumed,
    FreeObjects,
    GeneratorConsumed,
    GeneratorItem,
    GeneratorItems,
    PushTasks,
    ReleaseReturnHolds,
    RequestWorkerLease,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.owner.entries import ObjectState
from raysim.protocol.owner.streams import item_id
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import task_of_object
from raysim.spec.task import DYNAMIC, STREAMING
from tests.unit.protocol.owner.rig import FAR, OTHER, RAYLET, inline, stored, template

GENERATOR = template(num_returns=STREAMING)
LIMITED = template(num_returns=STREAMING, item_limit=1, max_retries=1)


class Call:
    """A generator that was called, and the worker that runs it."""

    def __init__(self, rig, what=GENERATOR, *args):
        self.rig = rig
        self.end = rig.submit(*args, what=what)
        self.task_id = task_of_object(self.end)
        self.attempt = 0
        self.worker = rig.grant()
        self.raylet = RAYLET
        rig.host.take()

    def item(self, index):
        return item_id(self.task_id, index)

    def yields(self, index, *values):
        """The worker sends these items, the first of which has this index."""
        self.rig.tell(self.worker, GeneratorItems(self.raylet, self.items(index, *values)))

    def items(self, index, *values):
        return [
            GeneratorItem(self.task_id, self.attempt, index + i, v) for i, v in enumerate(values)
        ]

    def ends(self, items, *, error=None, status=TaskStatus.OK, failure=None):
        values = [] if failure else [inline(b"end")]
        if error is not None:
            values.append(msgspec.structs.replace(inline(error), is_error=True))
        result = self.rig.result(self.end, attempt=self.attempt, status=status, failure=failure)
        result.items, result.returns = items, values
        self.rig.tell(self.worker, TasksDone(self.raylet, [result]))

    def dies(self, again="again"):
        """Its worker goes, and another one runs it again if it may."""
        self.rig.lose(self.worker)
        self.restarts(again)

    def restarts(self, again="again"):
        self.rig.owner.flush()
        self.rig.host.advance(0)
        pushes, requests = self.rig.host.of(PushTasks), self.rig.host.of(RequestWorkerLease)
        self.rig.host.take()
        if not pushes:
            self.rig.granted(requests[-1][1], again, FAR)
            pushes = self.rig.take(PushTasks)
        [(self.worker, push)] = pushes
        [call] = push.calls
        self.raylet = FAR
        assert call.task_id == self.task_id
        self.attempt = call.attempt

    def next(self):
        found = self.rig.owner.streams.next(self.task_id)
        self.rig.host.advance(0)
        return found

    def drains(self):
        """All that can be taken now: payloads."""
        found = []
        while (object_id := self.next()) is not None:
            found.append(self.rig.found(object_id).payload)
        return found

    def close(self):
        self.rig.owner.streams.close(self.task_id)
        self.rig.host.advance(0)

    @property
    def exhausted(self):
        return self.rig.owner.streams.exhausted(self.task_id)


@pytest.fixture
def call(rig):
    return Call(rig)


def drop_all(rig, *object_ids):
    for object_id in object_ids:
        rig.drop(object_id)


def test_items_are_taken_in_their_order(rig, call):
    call.yields(0, inline(b"a"), inline(b"b"))
    call.yields(2, inline(b"c"))
    assert [call.next(), call.next(), call.next()] == [call.item(i) for i in range(3)]
    assert call.next() is None
    assert not call.exhausted


def test_the_end_comes_after_the_last_item(rig, call):
    call.yields(0, inline(b"a"))
    call.ends(1)
    assert not call.exhausted
    assert call.drains() == [b"a"]
    assert call.exhausted
    assert rig.found(call.end).payload == b"end"


def test_consumer_is_told_once_of_the_next_item(rig, call):
    told = []
    rig.owner.streams.when_next(call.task_id, lambda: told.append("next"))
    assert told == []
    call.yields(0, inline())
    call.yields(1, inline())
    assert told == ["next"]


def test_consumer_is_told_at_once_of_what_is_there(rig, call):
    told = []
    call.yields(0, inline())
    rig.owner.streams.when_next(call.task_id, lambda: told.append("next"))
    assert told == ["next"]


def test_consumer_is_told_of_the_end(rig, call):
    told = []
    rig.owner.streams.when_next(call.task_id, lambda: told.append("end"))
    call.ends(0)
    assert told == ["end"]
    assert call.exhausted


def test_consumer_that_gave_up_is_not_told(rig, call):
    told = []

    def tell():
        told.append("next")

    rig.owner.streams.when_next(call.task_id, tell)
    rig.owner.streams.forget(call.task_id, tell)
    call.yields(0, inline())
    assert told == []


def test_second_copy_of_an_item_changes_nothing(rig, call):
    """The message was repeated on a new connection."""
    call.yields(0, inline(b"a"), inline(b"b"))
    call.yields(0, inline(b"A"), inline(b"B"))
    call.ends(2)
    assert call.drains() == [b"a", b"b"]


def test_error_is_one_item_more(rig, call):
    call.yields(0, inline(b"a"))
    call.ends(1, error=b"boom", status=TaskStatus.APPLICATION_ERROR)
    assert [call.next(), call.next()] == [call.item(0), call.item(1)]
    error = rig.found(call.item(1))
    assert (error.payload, error.is_error) == (b"boom", True)
    assert not rig.found(call.end).is_error
    assert call.exhausted


def test_failure_ends_the_stream_and_stands_in_the_end(rig):
    call = Call(rig, template(num_returns=STREAMING, max_retries=0))
    call.yields(0, inline(b"a"))
    rig.lose(call.worker)
    assert call.drains() == [b"a"]
    assert call.exhausted
    assert rig.failure(call.end) == FailureKind.WORKER_CRASHED


def test_failed_argument_ends_the_stream(rig):
    bad = rig.put()
    rig.entries[bad].is_error = True
    end = rig.submit(bad, what=GENERATOR)
    assert rig.owner.streams.exhausted(task_of_object(end))
    assert rig.found(end).is_error


def test_nothing_is_left_of_a_consumed_generator(rig, call):
    call.yields(0, inline(), stored())
    call.ends(2)
    taken = [call.next(), call.next()]
    call.close()
    drop_all(rig, call.end, *taken)
    rig.assert_nothing_left()
    assert rig.owner.streams._streams == rig.owner.streams._running == {}


def test_items_that_were_not_taken_go_with_the_generator(rig, call):
    call.yields(0, inline(), stored(), stored())
    call.ends(3)
    taken = call.next()
    rig.host.take()
    call.close()
    assert rig.take(FreeObjects) == [(RAYLET, FreeObjects([call.item(1), call.item(2)]))]
    assert rig.found(taken).ready
    drop_all(rig, taken, call.end)
    rig.assert_nothing_left()


def test_items_after_the_consumer_is_gone_are_freed(rig, call):
    call.yields(0, inline())
    call.close()
    call.yields(1, stored(), inline())
    assert rig.take(FreeObjects) == [(RAYLET, FreeObjects([call.item(1)]))]
    call.ends(3)
    rig.drop(call.end)
    rig.assert_nothing_left()


def test_item_after_the_end_is_freed(rig, call):
    """A worker that was given up goes on for a while."""
    call.yields(0, inline())
    call.ends(1)
    rig.host.take()
    call.yields(1, stored())
    assert rig.take(FreeObjects) == [(RAYLET, FreeObjects([call.item(1)]))]
    assert call.drains() == [b"value"]
    assert call.exhausted


def test_item_of_a_lost_attempt_is_freed(rig, call):
    stale = call.worker
    call.dies()
    rig.tell(stale, GeneratorItems(RAYLET, [GeneratorItem(call.task_id, 0, 0, stored())]))
    assert rig.take(FreeObjects) == [(RAYLET, FreeObjects([call.item(0)]))]
    call.yields(0, inline(b"again"))
    assert call.drains() == [b"again"]


def test_second_attempt_goes_on_where_the_first_was_lost(rig, call):
    call.yields(0, inline(b"0, first"), inline(b"1, first"))
    assert call.next() == call.item(0)
    call.dies()
    call.yields(0, inline(b"0, second"), inline(b"1, second"), inline(b"2, second"))
    call.ends(3)
    assert call.drains() == [b"1, first", b"2, second"]


def test_second_attempt_does_not_bring_back_what_was_dropped(rig, call):
    call.yields(0, stored())
    rig.drop(call.next())
    call.dies()
    rig.host.take()
    call.yields(0, stored(), inline(b"b"))
    assert rig.take(FreeObjects) == [(FAR, FreeObjects([call.item(0)]))]
    assert call.item(0) not in rig.entries
    assert call.next() == call.item(1)


def test_second_copy_on_another_node_is_freed(rig, call):
    """The first one is whole, and the only one that anybody was told of."""
    call.yields(0, stored())
    call.dies()
    rig.host.take()
    call.yields(0, stored())
    assert rig.take(FreeObjects) == [(FAR, FreeObjects([call.item(0)]))]
    assert rig.found(call.item(0)).holders == (RAYLET,)


def test_fewer_items_at_the_second_attempt(rig, call):
    call.yields(0, inline(b"a"), inline(b"b"))
    call.dies()
    call.yields(0, inline(b"a"))
    call.ends(1)
    assert call.drains() == [b"a", b"b"]
    assert call.exhausted


def test_retriable_error_starts_again(rig):
    call = Call(rig, template(num_returns=STREAMING, retry_exceptions=True))
    call.yields(0, inline(b"a"))
    call.ends(1, error=b"boom", status=TaskStatus.RETRIABLE_ERROR)
    [(_, push)] = rig.take(PushTasks)
    assert push.calls[0].attempt == call.attempt + 1
    call.attempt += 1
    call.yields(0, inline(b"A"), inline(b"B"))
    call.ends(2)
    assert call.drains() == [b"a", b"B"]


# References inside of items.


def test_references_inside_an_item_are_acknowledged_item_by_item(rig, call):
    """A generator that never ends must not keep all that it ever yielded."""
    theirs = rig.ref(rig.ids.put(), OTHER)
    call.yields(0, inline(contained=[theirs]))
    assert rig.take(ReleaseReturnHolds) == []
    rig.acknowledge(OTHER, (theirs.object_id, rig.found(theirs.object_id).epoch))
    assert rig.take(ReleaseReturnHolds) == [(call.worker, ReleaseReturnHolds([], [call.item(0)]))]


def test_references_inside_an_item_live_as_long_as_the_item(rig, call):
    inside = rig.put()
    call.yields(0, inline(contained=[rig.ref(inside)]))
    rig.drop(inside)
    taken = call.next()
    assert rig.found(inside).held == 1
    rig.drop(taken)
    assert inside not in rig.entries


def test_references_inside_an_unwanted_item_are_given_back(rig, call):
    call.close()
    call.ends(0)
    rig.host.take()
    inside = rig.put()
    call.yields(0, inline(contained=[rig.ref(inside)]))
    assert rig.take(ReleaseReturnHolds) == [(call.worker, ReleaseReturnHolds([], [call.item(0)]))]


# Back-pressure.


def consumed(rig):
    return [
        (to, told.attempt, told.count)
        for to, message in rig.take(GeneratorConsumed)
        for told in message.calls
    ]


def test_worker_is_told_what_was_taken(rig):
    call = Call(rig, LIMITED)
    call.yields(0, inline())
    assert consumed(rig) == []
    call.next()
    assert consumed(rig) == [(call.worker, 0, 1)]


def test_worker_without_a_limit_is_told_nothing(rig, call):
    call.yields(0, inline())
    call.next()
    assert consumed(rig) == []


def test_worker_is_told_when_the_consumer_goes(rig):
    call = Call(rig, LIMITED)
    call.yields(0, inline())
    call.close()
    assert consumed(rig) == [(call.worker, 0, NO_LIMIT)]
    call.yields(1, inline())
    assert consumed(rig) == [(call.worker, 0, NO_LIMIT)]


def test_second_attempt_learns_how_far_the_consumer_is(rig):
    call = Call(rig, LIMITED)
    for index in range(3):
        call.yields(index, inline())
        call.next()
    call.dies()
    rig.host.take()
    call.yields(0, inline())
    assert consumed(rig) == [(call.worker, 1, 3)]
    call.yields(1, inline(), inline(), inline())
    assert consumed(rig) == [(call.worker, 1, 3)]


def test_taking_while_nothing_runs_tells_nobody(rig):
    """The first worker is gone, the second not there yet."""
    call = Call(rig, LIMITED)
    call.yields(0, inline())
    rig.lose(call.worker)
    rig.host.take()
    call.next()
    assert consumed(rig) == []


def test_worker_of_a_call_that_has_ended_is_let_go(rig):
    call = Call(rig, LIMITED)
    call.ends(0)
    call.yields(0, inline())
    told = Consumed(call.task_id, 0, NO_LIMIT)
    assert rig.take(GeneratorConsumed)[-1] == (call.worker, GeneratorConsumed([told]))


# Lost items are made again.


def lose_store(rig, raylet=RAYLET):
    rig.objects.node_lost(raylet.node_id)
    rig.host.advance(0)


def test_lost_item_is_made_again(rig, call):
    call.yields(0, stored(), stored())
    call.ends(2)
    first, second = call.next(), call.next()
    rig.drop(first)
    rig.host.take()
    lose_store(rig)
    assert rig.state(second) == ObjectState.PENDING
    call.restarts()
    rig.host.take()
    call.yields(0, stored(), stored())
    call.ends(2)
    assert rig.found(second).holders == (FAR,)
    assert rig.take(FreeObjects)[0] == (FAR, FreeObjects([first]))


def test_lost_item_is_made_again_without_its_generator(rig, call):
    call.yields(0, stored())
    call.ends(1)
    item = call.next()
    call.close()
    rig.host.take()
    lose_store(rig)
    call.restarts()
    call.yields(0, stored())
    assert rig.found(item).holders == (FAR,)
    call.ends(1)
    drop_all(rig, item, call.end)
    rig.assert_nothing_left()


def test_item_lost_while_its_generator_runs_again_is_made_a_third_time(rig, call):
    """The second attempt was past it already."""
    call.yields(0, stored())
    item = call.next()
    call.dies()
    call.yields(0, stored(), inline(b"b"))
    lose_store(rig)
    assert rig.state(item) == ObjectState.PENDING
    call.ends(2)
    rig.host.advance(0)
    [(worker, push)] = rig.take(PushTasks)
    call.worker, call.attempt = worker, push.calls[0].attempt
    call.yields(0, stored(), inline(b"b"))
    call.ends(2)
    assert rig.found(item).holders == (FAR,)
    assert call.drains() == [b"b"]


def test_item_lost_ahead_of_the_running_attempt_is_taken_from_it(rig, call):
    call.yields(0, stored())
    item = call.next()
    call.dies()
    lose_store(rig)
    call.yields(0, stored())
    call.ends(1)
    assert rig.found(item).holders == (FAR,)
    assert rig.take(PushTasks) == []


def test_items_that_the_replay_does_not_give_fail(rig, call):
    """Ray: StreamingGeneratorReplayInconsistentError."""
    call.yields(0, stored(), stored())
    call.ends(2)
    items = [call.next(), call.next()]
    rig.host.take()
    lose_store(rig)
    call.restarts()
    call.yields(0, stored())
    call.ends(1)
    assert rig.found(items[0]).holders == (FAR,)
    assert rig.failure(items[1]) == FailureKind.REPLAY_INCONSISTENT


def test_items_fail_with_the_replay(rig, call):
    call.yields(0, stored())
    call.ends(1)
    item = call.next()
    rig.host.take()
    lose_store(rig)
    call.restarts()
    failure = Failure(FailureKind.OBJECT_STORE_FULL, "full")
    call.ends(0, status=TaskStatus.FAILED, failure=failure)
    assert rig.failure(item) == FailureKind.OBJECT_STORE_FULL


def test_lost_item_without_retries_is_lost(rig):
    call = Call(rig, template(num_returns=STREAMING, max_retries=0))
    call.yields(0, stored())
    call.ends(1)
    item = call.next()
    lose_store(rig)
    assert rig.failure(item) == FailureKind.OBJECT_LOST


def test_arguments_are_kept_while_an_item_could_be_lost(rig):
    argument = rig.put()
    call = Call(rig, GENERATOR, argument)
    rig.drop(argument)
    call.yields(0, stored())
    call.ends(1)
    item = call.next()
    call.close()
    rig.drop(call.end)
    rig.host.take()
    lose_store(rig)
    call.restarts()
    call.yields(0, stored())
    call.ends(1)
    rig.drop(item)
    rig.assert_nothing_left()


# Dynamic.


def test_items_of_a_dynamic_generator_live_in_its_return(rig):
    call = Call(rig, template(num_returns=DYNAMIC))
    call.yields(0, inline(b"a"), inline(b"b"))
    inside = [rig.ref(call.item(0)), rig.ref(call.item(1))]
    result = rig.result(call.end, inline(b"refs", inside))
    result.items = 2
    rig.tell(call.worker, TasksDone(RAYLET, [result]))
    assert [rig.found(ref.object_id).held for ref in inside] == [1, 1]
    assert [rig.found(ref.object_id).local for ref in inside] == [0, 0]
    rig.drop(call.end)
    rig.assert_nothing_left()


def test_items_of_a_failed_dynamic_generator_are_freed(rig):
    call = Call(rig, template(num_returns=DYNAMIC, max_retries=0))
    call.yields(0, inline(b"a"))
    rig.lose(call.worker)
    assert call.item(0) not in rig.entries
    assert rig.failure(call.end) == FailureKind.WORKER_CRASHED


def test_no_call_waits_behind_a_generator(rig):
    """It may wait for its consumer, who may wait for the call behind it."""
    quick = Call(rig)
    quick.ends(0)
    rig.host.take()
    for _ in range(3):
        rig.submit(what=GENERATOR)
    assert len(rig.pushed()) == 1
