"""Bringing objects near: pins shared and released, copies that are gone, fetches given up."""

from raysim.protocol.messages import (
    CancelFetches,
    FetchFailed,
    FetchObjects,
    FetchReason,
    NodeRemoved,
    ObjectLocal,
    ObjectsResolved,
    ObjectStatus,
    ReleasePins,
    ResolveObjects,
)
from raysim.protocol.owner.entries import ObjectState
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import IdSource, driver_task, job_id
from tests.unit.protocol.owner.rig import (
    DRIVER,
    FAR,
    LARGE,
    OTHER,
    RAYLET,
    inline,
    stored,
)

THEIRS = IdSource(driver_task(job_id(9)))
HANDLE = 5


class Getter:
    """Somebody who fetches: keeps the pin that it was called back with."""

    def __init__(self, rig, object_id, reason=FetchReason.GET):
        self.rig, self.entry = rig, rig.found(object_id)
        self.calls = 0
        self.pin = self.failure = None
        rig.owner.fetches.fetch(self.entry, reason, self.done)

    def done(self):
        self.calls += 1
        fetches = self.rig.owner.fetches
        self.failure = fetches.failure_of(self.entry)
        self.pin = fetches.pin_of(self.entry.object_id)
        if self.pin is not None:
            fetches.acquire(self.pin)

    def give_up(self):
        self.rig.owner.fetches.forget(self.entry, self.done)

    def release(self):
        self.rig.owner.fetches.release(self.pin)


def local(rig, object_id):
    rig.tell(RAYLET, ObjectLocal(object_id, HANDLE, LARGE))


def borrowed(rig, holders=(FAR,)):
    object_id = THEIRS.put()
    entry = rig.objects.borrow(object_id, OTHER)
    entry.local = 1
    rig.acknowledge(OTHER, (object_id, entry.epoch))
    if holders:
        rig.objects.set_stored(entry, LARGE, holders)
    return object_id


def test_what_is_at_hand_is_not_fetched(rig):
    getter = Getter(rig, rig.put())
    assert getter.calls == 1
    assert rig.take(FetchObjects) == []


def test_stored_object_is_asked_of_the_own_raylet(rig):
    object_id = rig.put_stored(LARGE, FAR)
    getter = Getter(rig, object_id)
    to, asked = rig.one(FetchObjects)
    [wanted] = asked.objects
    assert (to, asked.reason) == (RAYLET, FetchReason.GET)
    assert (wanted.holders, wanted.size, wanted.owner) == ([FAR], LARGE, DRIVER)
    assert getter.calls == 0
    local(rig, object_id)
    assert (getter.calls, getter.pin.handle) == (1, HANDLE)


def test_pin_is_shared_and_released_with_its_last_user(rig):
    object_id = rig.put_stored()
    first, second = Getter(rig, object_id), Getter(rig, object_id)
    assert len(rig.one(FetchObjects)[1].objects) == 1
    local(rig, object_id)
    assert first.pin is second.pin
    first.release()
    assert rig.take(ReleasePins) == []
    second.release()
    assert rig.one(ReleasePins) == (RAYLET, ReleasePins([object_id]))


def test_pinned_object_is_at_hand_for_the_next(rig):
    object_id = rig.put_stored()
    Getter(rig, object_id)
    local(rig, object_id)
    rig.host.take()
    assert Getter(rig, object_id).calls == 1
    assert rig.take(FetchObjects) == []


def test_pin_nobody_uses_after_all_is_released_at_once(rig):
    object_id = rig.put_stored()
    rig.owner.fetches.fetch(rig.found(object_id), FetchReason.WAIT, lambda: None)
    local(rig, object_id)
    assert len(rig.take(ReleasePins)) == 1


def test_more_urgent_reason_is_told_and_its_second_pin_returned(rig):
    object_id = rig.put_stored()
    Getter(rig, object_id, FetchReason.ARGUMENT)
    getter = Getter(rig, object_id, FetchReason.GET)
    asked = [asked.reason for _, asked in rig.take(FetchObjects)]
    assert asked == [FetchReason.ARGUMENT, FetchReason.GET]
    local(rig, object_id)
    assert rig.take(ReleasePins) == []
    local(rig, object_id)
    assert rig.one(ReleasePins) == (RAYLET, ReleasePins([object_id]))
    assert getter.calls == 1


def test_less_urgent_reason_asks_nothing_more(rig):
    object_id = rig.put_stored()
    Getter(rig, object_id, FetchReason.GET)
    Getter(rig, object_id, FetchReason.WAIT)
    assert len(rig.take(FetchObjects)) == 1


def test_given_up_fetch_is_cancelled(rig):
    object_id = rig.put_stored()
    getter = Getter(rig, object_id)
    getter.give_up()
    assert rig.one(CancelFetches) == (RAYLET, CancelFetches([object_id]))
    rig.drop(object_id)
    rig.assert_nothing_left()


def test_pin_that_crosses_the_cancellation_is_released(rig):
    object_id = rig.put_stored()
    getter = Getter(rig, object_id)
    getter.give_up()
    local(rig, object_id)
    assert rig.one(ReleasePins) == (RAYLET, ReleasePins([object_id]))
    assert getter.calls == 0


def test_one_that_gives_up_does_not_cancel_for_the_other(rig):
    object_id = rig.put_stored()
    first, second = Getter(rig, object_id), Getter(rig, object_id)
    first.give_up()
    assert rig.take(CancelFetches) == []
    local(rig, object_id)
    assert (first.calls, second.calls) == (0, 1)


def test_fetch_of_a_pending_object_goes_on_when_it_is_stored(rig):
    result = rig.submit()
    worker = rig.grant()
    getter = Getter(rig, result)
    rig.done(worker, result, stored())
    local(rig, result)
    assert getter.calls == 1


def test_given_up_fetch_of_a_pending_object_moves_no_bytes(rig):
    """A `wait` that timed out, say: the object is stored later, and nobody here wants it."""
    result = rig.submit()
    worker = rig.grant()
    Getter(rig, result).give_up()
    rig.done(worker, result, stored())
    assert rig.take(FetchObjects) == []
    rig.drop(result)
    rig.assert_nothing_left()


def test_fetch_of_an_inline_result_needs_no_raylet(rig):
    result = rig.submit()
    worker = rig.grant()
    getter = Getter(rig, result)
    rig.done(worker, result, inline())
    assert (getter.calls, getter.pin) == (1, None)


def test_borrowed_object_is_resolved_first(rig):
    object_id = borrowed(rig, holders=())
    rig.host.take()
    Getter(rig, object_id)
    assert rig.one(ResolveObjects) == (OTHER, ResolveObjects([object_id]))
    rig.tell(OTHER, ObjectsResolved([ObjectStatus(object_id, holders=[FAR], size=LARGE)]))
    assert rig.one(FetchObjects)[1].objects[0].holders == [FAR]


# Copies that are gone.


def test_borrower_asks_the_owner_again_and_tells_where_nothing_was(rig):
    object_id = borrowed(rig)
    getter = Getter(rig, object_id)
    rig.host.take()
    rig.tell(RAYLET, FetchFailed(object_id, [FAR.node_id]))
    assert rig.one(ResolveObjects) == (OTHER, ResolveObjects([object_id], [FAR.node_id]))
    rig.tell(OTHER, ObjectsResolved([ObjectStatus(object_id, holders=[RAYLET], size=LARGE)]))
    assert rig.one(FetchObjects)[1].objects[0].holders == [RAYLET]
    local(rig, object_id)
    assert getter.calls == 1


def test_borrower_hears_that_the_object_is_lost(rig):
    object_id = borrowed(rig)
    getter = Getter(rig, object_id)
    rig.tell(RAYLET, FetchFailed(object_id, [FAR.node_id]))
    lost = Failure(FailureKind.OBJECT_LOST, "all copies are gone")
    rig.tell(OTHER, ObjectsResolved([ObjectStatus(object_id, failure=lost)]))
    assert (getter.calls, getter.failure) == (1, lost)


def test_owners_own_fetch_rebuilds(rig):
    result = rig.ran(result=stored())
    getter = Getter(rig, result)
    rig.host.take()
    rig.tell(RAYLET, FetchFailed(result, [RAYLET.node_id]))
    assert rig.state(result) == ObjectState.PENDING
    worker = rig.grant("again")
    rig.done(worker, result, stored(), attempt=1, raylet=FAR)
    local(rig, result)
    assert getter.calls == 1


def test_failure_that_names_no_holder_is_asked_again(rig):
    """One copy too many was freed under the pull: nobody said that the others are gone."""
    object_id = rig.put_stored(LARGE, FAR)
    getter = Getter(rig, object_id)
    rig.host.take()
    rig.tell(RAYLET, FetchFailed(object_id, []))
    assert rig.one(FetchObjects)[1].objects[0].holders == [FAR]
    local(rig, object_id)
    assert getter.calls == 1


def test_borrower_does_not_call_copies_lost_that_nobody_missed(rig):
    object_id = borrowed(rig)
    Getter(rig, object_id)
    rig.host.take()
    rig.tell(RAYLET, FetchFailed(object_id, []))
    assert rig.one(ResolveObjects) == (OTHER, ResolveObjects([object_id]))


def test_second_failure_of_one_fetch_asks_the_owner_once(rig):
    object_id = borrowed(rig)
    Getter(rig, object_id)
    rig.host.take()
    rig.tell(RAYLET, FetchFailed(object_id, [FAR.node_id]))
    rig.tell(RAYLET, FetchFailed(object_id, [FAR.node_id]))
    assert len(rig.take(ResolveObjects)) == 1


def test_no_room_here_fails_this_fetch_and_not_the_object(rig):
    object_id = rig.put_stored(LARGE, FAR)
    getter = Getter(rig, object_id)
    full = Failure(FailureKind.OBJECT_STORE_FULL, "no room for 1 MiB")
    rig.tell(RAYLET, FetchFailed(object_id, [], full))
    assert (getter.calls, getter.failure) == (1, full)
    assert rig.state(object_id) == ObjectState.STORED
    rig.host.take()
    again = Getter(rig, object_id)
    local(rig, object_id)
    assert again.failure is None
    assert again.pin is not None


def test_failure_of_a_fetch_that_was_given_up_is_ignored(rig):
    object_id = rig.put_stored(LARGE, FAR)
    Getter(rig, object_id).give_up()
    rig.tell(RAYLET, FetchFailed(object_id, [FAR.node_id]))
    assert rig.state(object_id) == ObjectState.STORED


def test_pin_that_arrives_while_the_object_is_being_made_again_is_released(rig):
    """Asked twice: the first answer said that no copy is left, the second had found one."""
    object_id = borrowed(rig)
    getter = Getter(rig, object_id)
    rig.tell(RAYLET, FetchFailed(object_id, [FAR.node_id]))
    local(rig, object_id)
    assert getter.calls == 0
    assert len(rig.take(ReleasePins)) == 1


def test_fetch_ends_though_the_owners_loss_was_heard_of_before_the_raylets_answer(rig):
    object_id = borrowed(rig)
    getter = Getter(rig, object_id)
    rig.lose(OTHER)
    died = Failure(FailureKind.OWNER_DIED, "its owner is gone")
    rig.tell(RAYLET, FetchFailed(object_id, [], died))
    assert (getter.calls, getter.failure.kind) == (1, FailureKind.OWNER_DIED)
    rig.drop(object_id)
    rig.assert_nothing_left()


def test_who_does_not_wait_for_another_copy_hears_that_it_is_gone(rig):
    object_id = rig.ran(result=stored())
    waits, gone = Getter(rig, object_id), []
    rig.owner.fetches.fetch(
        rig.found(object_id), FetchReason.ARGUMENT, lambda: gone.append("here"), gone.append
    )
    rig.tell(RAYLET, FetchFailed(object_id, [RAYLET.node_id]))
    assert gone == [[RAYLET.node_id]]
    worker = rig.grant("again")
    rig.done(worker, object_id, stored(), attempt=1, raylet=FAR)
    local(rig, object_id)
    assert waits.calls == 1
    assert len(gone) == 1


def test_lost_owner_ends_the_fetch(rig):
    object_id = borrowed(rig)
    getter = Getter(rig, object_id)
    rig.tell(RAYLET, FetchFailed(object_id, [FAR.node_id]))
    rig.tell(RAYLET, NodeRemoved(OTHER.node_id, "no answer"))
    assert getter.failure.kind == FailureKind.OWNER_DIED
    rig.drop(object_id)
    rig.assert_nothing_left()
