"""Who keeps an object alive, and until when: races of owners, borrowers and those who pass references on."""

import sys

import pytest

from raysim.protocol.messages import (
    AddBorrowers,
    BorrowEpoch,
    BorrowersAdded,
    CopyAdded,
    CopyRemoved,
    FreeObjects,
    NodeRemoved,
    ObjectsResolved,
    ObjectStatus,
    ReleaseReturnHolds,
    RemoveBorrowers,
    ResolveObjects,
)
from raysim.protocol.owner.entries import ObjectState
from raysim.spec.failure import FailureKind
from raysim.spec.ids import IdSource, driver_task, job_id
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import (
    DRIVER,
    FAR,
    LARGE,
    OTHER,
    RAYLET,
    OwnerRig,
    inline,
    stored,
)

THEIRS = IdSource(driver_task(job_id(9)))


def add(rig, sender, object_id, epoch=1):
    rig.tell(sender, AddBorrowers([BorrowEpoch(object_id, epoch)]))


def remove(rig, sender, object_id, epoch=1):
    rig.tell(sender, RemoveBorrowers([BorrowEpoch(object_id, epoch)]))


def borrow(rig, object_id, owner=OTHER):
    """A Python reference to somebody else's object, as it comes in a value."""
    entry = rig.objects.borrow(object_id, owner)
    entry.local += 1
    return entry


# Owned objects.


def test_object_goes_with_its_last_local_reference(rig):
    object_id = rig.put()
    rig.found(object_id).local += 1
    rig.drop(object_id)
    assert object_id in rig.entries
    rig.drop(object_id)
    rig.assert_nothing_left()


def test_freed_object_is_freed_at_every_holder(rig):
    object_id = rig.put_stored()
    rig.tell(FAR, CopyAdded(object_id, FAR))
    rig.drop(object_id)
    assert [to for to, freed in rig.take(FreeObjects) if freed.object_ids == [object_id]] == [
        RAYLET,
        FAR,
    ]
    rig.assert_nothing_left()


def test_many_freed_objects_are_one_message_a_node(rig):
    objects = [rig.put_stored() for _ in range(5)]
    for object_id in objects:
        rig.objects.drop_local(object_id)
    assert rig.one(FreeObjects) == (RAYLET, FreeObjects(objects))


def test_copy_that_is_reported_after_the_object_was_freed_is_freed_too(rig):
    object_id = rig.put_stored()
    rig.drop(object_id)
    rig.host.take()
    rig.tell(FAR, CopyAdded(object_id, FAR))
    assert rig.one(FreeObjects) == (FAR, FreeObjects([object_id]))


def test_evicted_copy_is_no_holder_any_more(rig):
    object_id = rig.put_stored()
    rig.tell(FAR, CopyAdded(object_id, FAR))
    rig.tell(RAYLET, CopyRemoved(object_id, RAYLET))
    assert rig.found(object_id).holders == (FAR,)
    assert rig.state(object_id) == ObjectState.STORED


def test_call_under_way_keeps_its_argument(rig):
    argument = rig.put()
    result = rig.submit(argument)
    rig.drop(argument)
    worker = rig.grant()
    assert argument in rig.entries
    rig.done(worker, result, inline())
    assert argument not in rig.entries


def test_reference_inside_an_argument_is_kept_until_the_call_ended(rig):
    inner = rig.put()
    result = rig.submit(nested=[rig.ref(inner)])
    rig.drop(inner)
    worker = rig.grant()
    assert inner in rig.entries
    rig.done(worker, result, inline())
    assert inner not in rig.entries


def test_value_keeps_the_references_inside_it(rig):
    inner = rig.put()
    outer = rig.put(contained=[rig.ref(inner)])
    rig.drop(inner)
    assert inner in rig.entries
    rig.drop(outer)
    rig.assert_nothing_left()


def test_failed_put_lets_go_of_what_was_inside(rig):
    """There was no room for it: the value never came to be, but its references were counted."""
    inner = rig.put()
    outer = rig.ids.put()
    entry = rig.objects.create(outer)
    entry.local = 1
    rig.objects.carry(entry, [rig.ref(inner)])
    rig.drop(inner)
    rig.drop(outer)
    rig.assert_nothing_left()


def test_chain_of_references_longer_than_the_stack_is_freed(rig):
    last = rig.put()
    for _ in range(sys.getrecursionlimit() * 2):
        outer = rig.put(contained=[rig.ref(last)])
        rig.drop(last)
        last = outer
    rig.drop(last)
    rig.assert_nothing_left()


def test_actor_is_told_when_its_last_handle_goes(rig):
    handle = rig.put()
    gone = []
    rig.objects.on_out_of_scope[handle] = lambda: gone.append(handle)
    add(rig, OTHER, handle)
    rig.drop(handle)
    assert gone == []
    remove(rig, OTHER, handle)
    assert gone == [handle]
    rig.assert_nothing_left()


# Borrowers, at the owner.


def test_borrower_keeps_the_object_after_the_owner_let_go(rig):
    object_id = rig.put()
    add(rig, OTHER, object_id)
    rig.drop(object_id)
    assert object_id in rig.entries
    remove(rig, OTHER, object_id)
    rig.assert_nothing_left()


def test_registration_is_acknowledged_also_for_an_object_that_is_gone(rig):
    """The borrower waits for it; that the object is gone, its get will say."""
    object_id = rig.ids.put()
    add(rig, OTHER, object_id)
    assert rig.one(BorrowersAdded) == (OTHER, BorrowersAdded([BorrowEpoch(object_id, 1)]))


def test_second_copy_of_a_registration_counts_once(rig):
    object_id = rig.put()
    add(rig, OTHER, object_id)
    add(rig, OTHER, object_id)
    assert len(rig.take(BorrowersAdded)) == 2
    rig.drop(object_id)
    remove(rig, OTHER, object_id)
    rig.assert_nothing_left()


def test_second_copy_of_a_removal_counts_once(rig):
    object_id = rig.put()
    add(rig, OTHER, object_id)
    add(rig, FAR, object_id)
    remove(rig, OTHER, object_id)
    remove(rig, OTHER, object_id)
    rig.drop(object_id)
    assert object_id in rig.entries
    remove(rig, FAR, object_id)
    rig.assert_nothing_left()


def test_removal_that_overtakes_its_registration_leaves_no_borrower(rig):
    object_id = rig.put()
    remove(rig, OTHER, object_id, epoch=4)
    add(rig, OTHER, object_id, epoch=4)
    rig.drop(object_id)
    rig.assert_nothing_left()


def test_late_removal_does_not_end_a_later_borrow(rig):
    """Borrowed, let go, borrowed again: the first removal arrives last."""
    object_id = rig.put()
    add(rig, OTHER, object_id, epoch=1)
    add(rig, OTHER, object_id, epoch=2)
    remove(rig, OTHER, object_id, epoch=1)
    rig.drop(object_id)
    assert object_id in rig.entries
    remove(rig, OTHER, object_id, epoch=2)
    rig.assert_nothing_left()


def test_late_registration_does_not_revive_an_ended_borrow(rig):
    object_id = rig.put()
    add(rig, OTHER, object_id, epoch=2)
    remove(rig, OTHER, object_id, epoch=2)
    add(rig, OTHER, object_id, epoch=1)
    rig.drop(object_id)
    rig.assert_nothing_left()


def test_lost_borrower_lets_go_of_everything(rig):
    objects = [rig.put() for _ in range(3)]
    for object_id in objects:
        add(rig, OTHER, object_id)
        rig.drop(object_id)
    remove(rig, OTHER, objects[0])
    assert set(rig.entries) == set(objects[1:])
    rig.lose(OTHER)
    rig.assert_nothing_left()


def test_borrowers_of_a_lost_node_let_go(rig):
    """A node without power tells nobody: the GCS does."""
    object_id = rig.put()
    add(rig, OTHER, object_id)
    rig.drop(object_id)
    rig.tell(RAYLET, NodeRemoved(OTHER.node_id, "no answer"))
    rig.assert_nothing_left()


def test_nothing_is_noted_of_borrowers_of_freed_objects(rig):
    """A worker that borrows a million objects one by one must not cost the owner a million notes."""
    for epoch in range(10):
        object_id = rig.put()
        add(rig, OTHER, object_id, epoch)
        remove(rig, OTHER, object_id, epoch)
        rig.drop(object_id)
    borrowers = rig.objects._borrowers
    assert (borrowers.epochs, borrowers._of) == ({}, {})


# Resolving, at the owner.


def test_borrower_hears_of_a_value_once_it_is_there(rig):
    result = rig.submit()
    worker = rig.grant()
    add(rig, OTHER, result)
    rig.tell(OTHER, ResolveObjects([result]))
    assert rig.take(ObjectsResolved) == []
    rig.done(worker, result, inline(b"answer"))
    to, resolved = rig.one(ObjectsResolved)
    assert (to, resolved.objects) == (OTHER, [ObjectStatus(result, b"answer")])


def test_borrower_hears_of_places_of_a_stored_object(rig):
    object_id = rig.put_stored()
    rig.tell(OTHER, ResolveObjects([object_id]))
    _, resolved = rig.one(ObjectsResolved)
    assert resolved.objects == [ObjectStatus(object_id, holders=[RAYLET], size=LARGE)]


def test_borrower_of_a_freed_object_hears_so(rig):
    object_id = rig.put()
    rig.drop(object_id)
    rig.tell(OTHER, ResolveObjects([object_id]))
    _, resolved = rig.one(ObjectsResolved)
    assert resolved.objects[0].failure.kind == FailureKind.OBJECT_FREED


def test_who_waits_for_an_object_that_is_freed_while_pending_hears_so(rig):
    result = rig.submit()
    rig.tell(OTHER, ResolveObjects([result]))
    rig.drop(result)
    _, resolved = rig.one(ObjectsResolved)
    assert resolved.objects[0].failure.kind == FailureKind.OBJECT_FREED


# Borrowing.


def test_borrow_is_registered_before_it_is_released(rig):
    """Let go at once: the owner must see the registration first, or nothing of either."""
    object_id = THEIRS.put()
    borrow(rig, object_id)
    rig.drop(object_id)
    assert rig.one(AddBorrowers) == (OTHER, AddBorrowers([BorrowEpoch(object_id, 1)]))
    rig.acknowledge(OTHER, (object_id, 1))
    assert rig.one(RemoveBorrowers) == (OTHER, RemoveBorrowers([BorrowEpoch(object_id, 1)]))
    rig.assert_nothing_left()


def test_borrow_after_a_release_has_a_higher_epoch(rig):
    object_id = THEIRS.put()
    borrow(rig, object_id)
    rig.objects.drop_local(object_id)
    borrow(rig, object_id)
    _, added = rig.one(AddBorrowers)
    assert [one.epoch for one in added.borrows] == [1, 2]
    rig.acknowledge(OTHER, (object_id, 1), (object_id, 2))
    assert rig.one(RemoveBorrowers)[1].borrows == [BorrowEpoch(object_id, 1)]
    rig.drop(object_id)
    assert rig.one(RemoveBorrowers)[1].borrows == [BorrowEpoch(object_id, 2)]


def test_outer_borrow_is_released_only_when_the_inner_one_is_known(rig):
    """The owner of the outer value holds the inner reference as long as somebody borrows the outer one."""
    outer, inner = THEIRS.put(), THEIRS.put()
    borrow(rig, outer)
    rig.acknowledge(OTHER, (outer, 1))
    borrow(rig, inner, FAR)
    rig.drop(outer)
    assert rig.take(RemoveBorrowers) == []
    rig.acknowledge(FAR, (inner, 2))
    assert rig.one(RemoveBorrowers) == (OTHER, RemoveBorrowers([BorrowEpoch(outer, 1)]))


def test_waiting_for_one_borrow_again_does_not_forget_the_first(rig):
    """What was reported at epoch 1 may be released by its passer only when epoch 1 is known."""
    object_id = THEIRS.put()
    done = []
    borrow(rig, object_id)
    rig.objects.after_acknowledgements(lambda: done.append(1))
    rig.drop(object_id)
    borrow(rig, object_id)
    rig.acknowledge(OTHER, (object_id, 2))
    assert done == []
    rig.acknowledge(OTHER, (object_id, 1))
    assert done == [1]


def test_actions_run_in_order_as_their_borrows_become_known(rig):
    first, second = THEIRS.put(), THEIRS.put()
    done = []
    borrow(rig, first)
    rig.objects.after_acknowledgements(lambda: done.append("first"))
    borrow(rig, second, FAR)
    rig.objects.after_acknowledgements(lambda: done.append("second"))
    rig.acknowledge(FAR, (second, 2))
    assert done == []
    rig.acknowledge(OTHER, (first, 1))
    assert done == ["first", "second"]


def test_owner_that_dies_before_it_acknowledges_holds_nothing_up(rig):
    """The reference was dropped already: no entry is left that would remind of the owner."""
    object_id = THEIRS.put()
    borrow(rig, object_id)
    done = []
    rig.objects.after_acknowledgements(lambda: done.append(1))
    rig.drop(object_id)
    rig.lose(OTHER)
    assert done == [1]
    rig.assert_nothing_left()


def test_owner_on_a_dead_node_holds_nothing_up(rig):
    object_id = THEIRS.put()
    borrow(rig, object_id)
    done = []
    rig.objects.after_acknowledgements(lambda: done.append(1))
    rig.drop(object_id)
    rig.tell(RAYLET, NodeRemoved(OTHER.node_id, "no answer"))
    assert done == [1]


def test_objects_of_a_lost_owner_fail(rig):
    pending, there, inlined = THEIRS.put(), THEIRS.put(), THEIRS.put()
    for object_id in (pending, there, inlined):
        borrow(rig, object_id)
    rig.objects.set_stored(rig.found(there), LARGE, [FAR])
    rig.objects.set_inline(rig.found(inlined), b"value", is_error=False)
    rig.lose(OTHER)
    assert rig.failure(pending) == rig.failure(there) == FailureKind.OWNER_DIED
    assert rig.found(inlined).payload == b"value"  # Nothing is lost of what is here already.


def test_loss_of_an_owner_survives_that_one_object_takes_another_with_it(rig):
    """The failure of the first argument ends the call that held the second."""
    first, second = THEIRS.put(), THEIRS.put()
    borrow(rig, first)
    borrow(rig, second)
    result = rig.submit(first, second)
    rig.drop(first)
    rig.drop(second)
    rig.lose(OTHER)
    assert rig.failure(result) == FailureKind.OWNER_DIED
    rig.drop(result)
    rig.assert_nothing_left()


def test_reference_to_an_object_of_a_dead_owner_is_not_registered_again(rig):
    object_id = THEIRS.put()
    entry = rig.objects.find(object_id, OTHER)
    entry.uses += 1
    rig.lose(OTHER)
    rig.objects.borrow(object_id, OTHER)
    assert rig.take(AddBorrowers) == []


def test_own_reference_that_comes_back_after_the_object_was_freed_fails(rig):
    object_id = rig.put()
    rig.drop(object_id)
    borrow(rig, object_id, DRIVER)
    assert rig.failure(object_id) == FailureKind.OBJECT_FREED
    rig.drop(object_id)
    rig.assert_nothing_left()


def test_borrowed_object_that_is_given_up_while_it_is_awaited_goes_when_it_resolves(rig):
    object_id = THEIRS.put()
    entry = borrow(rig, object_id)
    rig.acknowledge(OTHER, (object_id, 1))
    seen = []
    rig.objects.when_ready(entry, lambda: seen.append(entry.payload))
    rig.drop(object_id)
    assert rig.take(RemoveBorrowers) == []
    rig.tell(OTHER, ObjectsResolved([ObjectStatus(object_id, b"value")]))
    assert seen == [b"value"]
    assert len(rig.take(RemoveBorrowers)) == 1
    rig.assert_nothing_left()


def test_waits_that_were_given_up_go_with_a_pending_object(rig):
    result = rig.submit()
    rig.objects.when_ready(rig.found(result), lambda: pytest.fail("nobody waits any more"))
    worker = rig.grant()
    rig.drop(result)
    rig.done(worker, result, inline())
    rig.assert_nothing_left()


def test_second_answer_to_a_resolve_is_ignored(rig):
    object_id = THEIRS.put()
    entry = borrow(rig, object_id)
    rig.objects.when_ready(entry, lambda: None)
    rig.tell(OTHER, ObjectsResolved([ObjectStatus(object_id, b"value")]))
    rig.tell(OTHER, ObjectsResolved([ObjectStatus(object_id, b"other")]))
    assert entry.payload == b"value"


# References inside results.


def test_reference_inside_a_result_is_held_before_the_worker_lets_go(rig):
    """Rule 1: the worker holds it until ReleaseReturnHolds, which follows the owner's acknowledgement."""
    result = rig.submit()
    worker = rig.grant()
    inner = THEIRS.put()
    rig.done(worker, result, inline(contained=[rig.ref(inner, OTHER)]))
    sent = rig.host.take()
    assert (OTHER, AddBorrowers([BorrowEpoch(inner, 1)])) in sent
    assert not any(isinstance(message, ReleaseReturnHolds) for _, message in sent)
    rig.acknowledge(OTHER, (inner, 1))
    assert rig.one(ReleaseReturnHolds)[0] == worker
    rig.drop(result)
    assert rig.one(RemoveBorrowers) == (OTHER, RemoveBorrowers([BorrowEpoch(inner, 1)]))
    rig.assert_nothing_left()


def test_own_reference_inside_a_result_needs_no_registration(rig):
    inner = rig.put()
    result = rig.submit(nested=[rig.ref(inner)])
    worker = rig.grant()
    rig.done(worker, result, inline(contained=[rig.ref(inner)]))
    assert rig.one(ReleaseReturnHolds)[0] == worker
    rig.drop(inner)
    assert inner in rig.entries
    rig.drop(result)
    rig.assert_nothing_left()


def test_result_that_nobody_wants_any_more_is_freed_where_it_lies(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.drop(result)
    rig.done(worker, result, stored(), raylet=FAR)
    assert rig.one(FreeObjects) == (FAR, FreeObjects([result]))
    rig.assert_nothing_left()


# The end of a process.


def test_last_owned_object_lets_the_process_end():
    rig = OwnerRig(address("worker", "near"))
    first, second = rig.put(), rig.put()
    ended = []
    rig.objects.when_nothing_owned(lambda: ended.append(1))
    rig.drop(first)
    assert ended == []
    rig.drop(second)
    assert ended == [1]
