"""Generators at a worker: items leave in order and before the result, and wait for their consumer."""

import msgspec
import pytest

from raysim.protocol.executor.results import SEND_AFTER_NS
from raysim.protocol.host import ReturnValue
from raysim.protocol.messages import (
    NO_LIMIT,
    AddBorrowers,
    BorrowEpoch,
    BorrowersAdded,
    Consumed,
    ContainedRef,
    ExtentLent,
    ExtentRefused,
    GeneratorConsumed,
    GeneratorItems,
    NodeRemoved,
    PushTasks,
    ReleaseReturnHolds,
    RemoveBorrowers,
    RequestExtent,
    SealObject,
    TasksDone,
)
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import return_id
from raysim.spec.task import STREAMING
from tests.unit.protocol.executor.rig import CALLER, LARGE, OTHER, RAYLET, TEMPLATE, WorkerRig

GENERATOR = msgspec.structs.replace(TEMPLATE, num_returns=STREAMING)
LIMITED = msgspec.structs.replace(GENERATOR, item_limit=2)


class Producer:
    """A call of a generator that runs."""

    def __init__(self, template=GENERATOR):
        self.rig = WorkerRig()
        self.rig.registered()
        self.call = self.rig.call()
        self.rig.tell(CALLER, PushTasks(1, template, [self.call], b"function"))
        self.task = self.rig.running
        self.given = 0

    def gives(self, payload=b"item", contained=(), size=None):
        """User code yields; the waiter that it waits for."""
        self.rig.owner.objects.hold(contained)
        parts = [payload] if size is None else []
        value = ReturnValue(parts, len(payload) if size is None else size, list(contained))
        self.given += 1
        production = self.rig.executor.give(self.task, value)
        self.rig.host.advance(0)
        return production

    def stopped(self):
        return self.gives().waiter

    def sent(self):
        """Index and payload of the items that were sent since."""
        sent = self.rig.take(GeneratorItems)
        assert all(to == CALLER and message.raylet == RAYLET for to, message in sent)
        return [(item.index, item.value.payload) for _, message in sent for item in message.items]

    def consumed(self, count, attempt=0):
        told = [Consumed(self.call.task_id, attempt, count)]
        self.rig.tell(CALLER, GeneratorConsumed(told))

    def item(self, index):
        return return_id(self.call.task_id, index + 1)


@pytest.fixture
def producer():
    return Producer()


def test_first_item_leaves_at_once(producer):
    assert producer.gives(b"a").waiter.done
    assert producer.sent() == [(0, b"a")]


def test_items_in_a_row_leave_together(producer):
    for payload in (b"a", b"b", b"c"):
        producer.gives(payload)
    assert producer.sent() == [(0, b"a")]
    producer.rig.host.advance(SEND_AFTER_NS)
    assert producer.sent() == [(1, b"b"), (2, b"c")]


def test_items_leave_before_the_result(producer):
    producer.gives(b"a")
    producer.gives(b"b")
    producer.rig.finish(b"end")
    kinds = [type(m) for _, m in producer.rig.host.sent if not isinstance(m, AddBorrowers)]
    assert kinds[-2:] == [GeneratorItems, TasksDone]
    [(_, result)] = producer.rig.results()
    assert result.items == 2


def test_result_of_other_calls_has_no_items():
    rig = WorkerRig()
    rig.registered()
    rig.pushed()
    rig.finish(b"value")
    [(_, result)] = rig.results()
    assert result.items == 0


def test_large_item_is_stored_under_its_own_id(producer):
    waiter = producer.gives(size=LARGE).waiter
    _, asked = producer.rig.one(RequestExtent)
    assert not waiter.done
    producer.rig.tell(RAYLET, ExtentLent(asked.number, 5))
    assert waiter.done
    sent = producer.rig.host.take()
    seals = [message for _, message in sent if isinstance(message, SealObject)]
    assert seals == [SealObject(asked.number, producer.item(0), LARGE, CALLER)]
    [items] = [message for _, message in sent if isinstance(message, GeneratorItems)]
    assert (items.items[0].value.payload, items.items[0].value.size) == (None, LARGE)


def test_item_without_room_fails_its_generator(producer):
    production = producer.gives(size=LARGE)
    _, asked = producer.rig.one(RequestExtent)
    failure = Failure(FailureKind.OBJECT_STORE_FULL, "full")
    producer.rig.tell(RAYLET, ExtentRefused(asked.number, failure))
    assert production.waiter.done
    assert production.failure == failure
    assert producer.sent() == []


def test_item_waits_until_its_references_are_known(producer):
    """Else the caller could be told of an object whose owner has just freed it."""
    inside = ContainedRef(producer.rig.ids.put(), OTHER)
    waiter = producer.gives(b"a", [inside]).waiter
    assert producer.rig.one(AddBorrowers)[0] == OTHER
    assert not waiter.done
    producer.rig.tell(OTHER, BorrowersAdded([BorrowEpoch(inside.object_id, 1)]))
    assert waiter.done
    assert producer.sent() == [(0, b"a")]


def test_references_inside_an_item_are_held_until_its_owner_holds_them(producer):
    inside = ContainedRef(producer.rig.ids.put(), OTHER)
    producer.gives(b"a", [inside])
    producer.rig.tell(OTHER, BorrowersAdded([BorrowEpoch(inside.object_id, 1)]))
    producer.rig.finish(b"end")
    assert producer.rig.take(RemoveBorrowers) == []
    producer.rig.tell(CALLER, ReleaseReturnHolds([], [producer.item(0)]))
    assert producer.rig.one(RemoveBorrowers)[0] == OTHER


def test_references_inside_items_go_with_the_caller(producer):
    inside = ContainedRef(producer.rig.ids.put(), OTHER)
    producer.gives(b"a", [inside])
    producer.rig.tell(OTHER, BorrowersAdded([BorrowEpoch(inside.object_id, 1)]))
    producer.rig.host.take()
    producer.rig.lose(CALLER)
    assert producer.rig.one(RemoveBorrowers)[0] == OTHER


# Back-pressure.


@pytest.fixture
def limited():
    return Producer(LIMITED)


def test_a_limited_generator_waits_at_its_limit(limited):
    assert limited.stopped().done
    waiter = limited.stopped()
    assert not waiter.done
    limited.consumed(1)
    assert waiter.done


def test_items_leave_though_their_generator_waits(limited):
    limited.gives(b"a")
    limited.gives(b"b")
    limited.rig.host.advance(SEND_AFTER_NS)
    assert limited.sent() == [(0, b"a"), (1, b"b")]


def test_old_news_of_the_consumer_changes_nothing(limited):
    """Messages for one worker may come over a new connection, the older ones again."""
    limited.gives()
    limited.gives()
    limited.consumed(2)
    limited.gives()
    waiter = limited.stopped()
    limited.consumed(1)
    assert not waiter.done
    limited.consumed(3)
    assert waiter.done


def test_news_for_another_attempt_change_nothing(limited):
    limited.gives()
    waiter = limited.stopped()
    limited.consumed(2, attempt=1)
    assert not waiter.done


def test_nobody_to_wait_for(limited):
    limited.gives()
    waiter = limited.stopped()
    limited.consumed(NO_LIMIT)
    assert waiter.done
    assert all(limited.stopped().done for _ in range(5))


def test_no_limit_stays_when_older_news_come(limited):
    limited.gives()
    limited.consumed(NO_LIMIT)
    limited.consumed(1)
    assert all(limited.stopped().done for _ in range(5))


def test_a_second_attempt_catches_up(limited):
    """Its first item tells it that the consumer is far ahead."""
    limited.gives()
    limited.consumed(3)
    assert [limited.stopped().done for _ in range(4)] == [True, True, True, False]


def test_a_large_item_counts_when_it_is_stored(limited):
    waiter = limited.gives(size=LARGE).waiter
    _, asked = limited.rig.one(RequestExtent)
    limited.consumed(1)
    assert not waiter.done
    limited.rig.tell(RAYLET, ExtentLent(asked.number, 5))
    assert waiter.done


def test_news_after_the_end_are_nobody_s(limited):
    limited.gives()
    limited.rig.finish(b"end")
    limited.consumed(1)
    assert [to for to, _ in limited.rig.results()] == [CALLER]


# A caller that goes.


def test_a_generator_without_a_caller_ends(limited):
    limited.gives()
    waiter = limited.stopped()
    limited.rig.lose(CALLER)
    assert waiter.done
    assert limited.gives() is None


def test_items_for_a_lost_caller_are_not_sent(producer):
    producer.gives(b"a")
    producer.rig.host.take()
    producer.gives(b"b")
    producer.rig.lose(CALLER)
    producer.rig.host.advance(SEND_AFTER_NS)
    assert producer.sent() == []


def test_references_in_an_item_for_nobody_are_let_go(producer):
    producer.rig.lose(CALLER)
    inside = ContainedRef(producer.rig.ids.put(), OTHER)
    assert producer.gives(b"a", [inside]) is None
    assert inside.object_id not in producer.rig.owner.objects.entries


def test_a_caller_goes_with_its_node(limited):
    limited.gives()
    waiter = limited.stopped()
    limited.rig.tell(RAYLET, NodeRemoved(CALLER.node_id, "lost power"))
    assert waiter.done
    assert limited.gives() is None
