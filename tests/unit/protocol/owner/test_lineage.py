"""Lost objects are made again from the calls that made them; those calls are kept exactly as long as needed."""

import sys

from raysim.journal import ObjectGone, ObjectRebuilt
from raysim.protocol.messages import (
    CopyAdded,
    CopyRemoved,
    FreeObjects,
    NodeRemoved,
    ObjectsResolved,
    PushTasks,
    RequestWorkerLease,
    ResolveObjects,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.owner.entries import ObjectState
from raysim.spec.failure import FailureKind
from raysim.spec.ids import IdSource, driver_task, job_id, return_id
from tests.unit.protocol.owner.rig import (
    BACKGROUND_NS,
    FAR,
    OTHER,
    RAYLET,
    inline,
    stored,
    template,
)

THEIRS = IdSource(driver_task(job_id(9)))


def node_lost(rig, raylet=RAYLET):
    """A node that the owner does not live on, for this purpose: only its store matters."""
    rig.objects.node_lost(raylet.node_id)
    rig.host.advance(0)


def run_next(rig, *results, name="again", at=RAYLET):
    """The next call that was pushed, or is once its lease is granted, ends so; the call."""
    rig.owner.flush()
    pushes, requests = rig.host.of(PushTasks), rig.host.of(RequestWorkerLease)
    rig.host.take()
    if not pushes:
        rig.granted(requests[0][1], name, at)
        pushes = rig.take(PushTasks)
    worker, push = pushes[0]
    [call] = push.calls
    rig.done(worker, return_id(call.task_id, 0), *results, attempt=call.attempt, raylet=FAR)
    return call


def test_lost_object_is_made_again(rig):
    result = rig.ran(result=stored())
    node_lost(rig)
    assert rig.state(result) == ObjectState.PENDING
    call = run_next(rig, stored())
    assert (call.task_id, call.attempt) == (result[:24], 1)
    assert rig.found(result).holders == (FAR,)
    assert rig.host.noted(ObjectRebuilt) == [ObjectRebuilt(result)]
    rig.drop(result)
    rig.assert_nothing_left()


def test_object_with_another_copy_is_not_made_again(rig):
    result = rig.ran(result=stored())
    rig.tell(FAR, CopyAdded(result, FAR))
    node_lost(rig)
    assert rig.found(result).holders == (FAR,)
    assert rig.take(RequestWorkerLease) == []


def test_put_that_others_do_not_find_yet_is_not_lost(rig):
    """Their question may overtake its seal. The own raylet says when it loses what was put there."""
    put = rig.put_stored()
    rig.tell(OTHER, ResolveObjects([put], [RAYLET.node_id]))
    assert rig.found(put).holders == (RAYLET,)
    rig.tell(RAYLET, CopyRemoved(put, RAYLET, "its file is gone"))
    assert rig.failure(put) == FailureKind.OBJECT_LOST


def test_lost_put_cannot_be_made_again(rig):
    object_id = rig.put_stored()
    node_lost(rig)
    assert rig.failure(object_id) == FailureKind.OBJECT_LOST
    assert [note.object_id for note in rig.host.noted(ObjectGone)] == [object_id]


def test_result_of_a_task_that_may_not_run_again_is_lost(rig):
    result = rig.ran(what=template(max_retries=0), result=stored())
    node_lost(rig)
    assert rig.failure(result) == FailureKind.OBJECT_LOST


def test_retries_are_used_up_by_rebuilding(rig):
    result = rig.ran(what=template(max_retries=1), result=stored())
    node_lost(rig)
    run_next(rig, stored())
    node_lost(rig, FAR)
    assert rig.failure(result) == FailureKind.OBJECT_LOST
    rig.drop(result)
    rig.assert_nothing_left()


def test_lost_argument_that_was_freed_is_made_again_first(rig):
    """Its entry was kept, without a value, as a step of the other's lineage."""
    first = rig.ran(result=stored())
    second = rig.ran(first, result=stored())
    rig.drop(first)
    assert rig.state(first) == ObjectState.FREED
    node_lost(rig)
    assert run_next(rig, stored()).task_id == first[:24]
    call = run_next(rig, stored(), name="and again")
    assert call.task_id == second[:24]
    assert [arg.holders for arg in call.refs] == [[FAR]]
    assert rig.state(first) == ObjectState.FREED
    rig.drop(second)
    rig.assert_nothing_left()


def test_an_argument_that_was_dropped_and_cannot_be_made_again_is_named_as_that(rig):
    """Nobody freed it for whoever asks now."""
    first = rig.ran(what=template(max_retries=0), result=stored())
    second = rig.ran(first, result=stored())
    rig.drop(first)
    node_lost(rig)
    assert rig.failure(second) == FailureKind.RECONSTRUCTION_FAILED
    rig.drop(second)
    rig.assert_nothing_left()


def test_value_of_a_freed_step_is_not_kept(rig):
    first = rig.ran(result=stored())
    rig.ran(first, result=stored())
    rig.drop(first)
    assert rig.one(FreeObjects) == (RAYLET, FreeObjects([first]))


def test_chain_of_freed_ancestors_longer_than_the_stack_is_made_again(rig):
    length = sys.getrecursionlimit()
    first = last = rig.ran(result=stored())
    for _ in range(length):
        following = rig.ran(last, result=stored())
        rig.drop(last)
        last = following
    node_lost(rig)
    assert run_next(rig, stored()).task_id == first[:24]
    rig.host.advance(BACKGROUND_NS)
    assert rig.state(last) == ObjectState.PENDING


def test_lineage_longer_than_the_stack_is_let_go(rig):
    last = rig.ran(result=stored())
    for _ in range(sys.getrecursionlimit()):
        following = rig.ran(last, result=stored())
        rig.drop(last)
        last = following
    rig.drop(last)
    rig.assert_nothing_left()


def test_inline_argument_is_kept_by_the_call_itself(rig):
    """Its object is gone when the call runs again; the call carries the value."""
    argument = rig.put(b"value")
    result = rig.ran(argument, result=stored())
    rig.drop(argument)
    assert argument not in rig.entries
    node_lost(rig)
    assert [arg.payload for arg in run_next(rig, stored()).refs] == [b"value"]
    rig.drop(result)
    rig.assert_nothing_left()


def test_inline_borrowed_argument_is_kept_by_the_call_itself(rig):
    argument = THEIRS.put()
    entry = rig.objects.borrow(argument, OTHER)
    entry.local += 1
    rig.acknowledge(OTHER, (argument, 1))
    rig.objects.set_inline(entry, b"theirs", is_error=False)
    result = rig.ran(argument, result=stored())
    rig.drop(argument)
    node_lost(rig)
    assert [arg.payload for arg in run_next(rig, stored()).refs] == [b"theirs"]
    rig.drop(result)
    rig.assert_nothing_left()


def test_stored_borrowed_argument_is_held_for_the_lineage(rig):
    """Its owner cannot know that it would be needed again."""
    argument = THEIRS.put()
    entry = rig.objects.borrow(argument, OTHER)
    entry.local += 1
    rig.acknowledge(OTHER, (argument, 1))
    rig.objects.set_stored(entry, 10, [FAR])
    result = rig.ran(argument, result=stored())
    rig.drop(argument)
    assert argument in rig.entries
    rig.drop(result)
    rig.assert_nothing_left()


def test_reference_inside_an_inline_argument_can_be_made_again(rig):
    """f([ref]): the task gets `ref` itself; once freed, it is a step of the lineage as an argument is."""
    inner = rig.ran(result=stored())
    outer = rig.put(contained=[rig.ref(inner)])
    result = rig.ran(outer, result=stored())
    rig.drop(inner)
    rig.drop(outer)
    assert rig.state(inner) == ObjectState.FREED
    node_lost(rig)
    assert {inner[:24], result[:24]} == set(rig.owner.tasks.records)
    run_next(rig, stored(), name="one")
    run_next(rig, stored(), name="two")
    rig.drop(result)
    rig.assert_nothing_left()


def test_only_the_lost_return_takes_a_new_value(rig):
    """The other return is still whole; what the second run made of it is freed where it lies."""
    two = template(num_returns=2)
    first = rig.submit(what=two)
    second = return_id(first[:24], 1)
    worker = rig.grant()
    rig.done(worker, first, stored(), inline(b"old"))
    rig.host.advance(BACKGROUND_NS)
    rig.host.take()
    node_lost(rig)
    run_next(rig, stored(), stored())
    assert rig.found(second).payload == b"old"
    assert (FAR, FreeObjects([second])) in rig.host.sent
    rig.drop(first)
    rig.drop(second)
    rig.assert_nothing_left()


def test_references_inside_a_value_that_was_made_again_are_the_new_ones(rig):
    """Another attempt makes other objects: those of the first one are let go, those of the second held."""
    old, new = THEIRS.put(), THEIRS.put()
    result = rig.ran(result=stored(contained=[rig.ref(old, OTHER)]))
    rig.acknowledge(OTHER, (old, 1))
    node_lost(rig)
    run_next(rig, stored(contained=[rig.ref(new, OTHER)]))
    rig.acknowledge(OTHER, (new, 2))
    assert old not in rig.entries
    assert rig.found(new).held == 1
    rig.drop(result)
    rig.assert_nothing_left()


def test_both_lost_returns_are_made_by_one_run(rig):
    two = template(num_returns=2)
    first = rig.submit(what=two)
    second = return_id(first[:24], 1)
    worker = rig.grant()
    rig.done(worker, first, stored(), stored())
    rig.host.advance(BACKGROUND_NS)
    rig.host.take()
    node_lost(rig)
    run_next(rig, stored(), stored())
    assert rig.found(first).holders == rig.found(second).holders == (FAR,)
    rig.drop(first)
    rig.drop(second)
    rig.assert_nothing_left()


def test_borrower_that_finds_no_copy_waits_for_the_rebuilt_one(rig):
    result = rig.ran(result=stored())
    rig.tell(OTHER, ResolveObjects([result], [RAYLET.node_id]))
    assert rig.take(ObjectsResolved) == []
    rig.tell(RAYLET, NodeRemoved(RAYLET.node_id, "no answer"))  # Known already: changes nothing.
    rig.host.advance(BACKGROUND_NS)
    run_next(rig, stored(), at=FAR)
    [status] = rig.host.of(ObjectsResolved)[0][1].objects
    assert status.holders == [FAR]


def test_handed_back_call_waits_until_its_argument_was_made_again(rig):
    """Its worker found no copy: it costs the call no attempt."""
    argument = rig.ran(result=stored())
    result = rig.submit(argument)
    worker = rig.grant()
    rig.host.take()
    gone = rig.result(result, status=TaskStatus.NOT_RUN)
    gone.lost = {argument: [RAYLET.node_id]}
    rig.tell(worker, TasksDone(RAYLET, [gone]))
    assert run_next(rig, stored()).task_id == argument[:24]
    call = run_next(rig, inline(b"end"))
    assert (call.task_id, call.attempt) == (result[:24], 0)
    assert [arg.holders for arg in call.refs] == [[FAR]]
    assert rig.found(result).payload == b"end"
    rig.drop(argument)
    rig.drop(result)
    rig.assert_nothing_left()


def test_copy_of_the_lost_value_that_turns_up_is_freed(rig):
    """A pull ended behind the loss: the value is being made again, with other references inside perhaps."""
    result = rig.ran(result=stored())
    node_lost(rig)
    rig.tell(FAR, CopyAdded(result, FAR))
    assert rig.one(FreeObjects) == (FAR, FreeObjects([result]))


def test_object_that_is_dropped_while_it_is_made_again_leaves_nothing(rig):
    result = rig.ran(result=stored())
    node_lost(rig)
    rig.drop(result)
    run_next(rig, stored())
    assert (FAR, FreeObjects([result])) in rig.host.sent
    rig.assert_nothing_left()


def test_call_that_was_to_be_cancelled_but_ran_can_run_again(rig):
    result = rig.submit()
    worker = rig.grant()
    rig.owner.tasks.cancel(result[:24])
    rig.done(worker, result, stored())
    rig.host.advance(BACKGROUND_NS)
    rig.host.take()
    node_lost(rig)
    run_next(rig, stored())
    assert rig.found(result).holders == (FAR,)
