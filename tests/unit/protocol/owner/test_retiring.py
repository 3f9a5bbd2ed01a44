"""Workers that have run their `max_calls`: their lease goes back with word of it, their calls go elsewhere."""

import msgspec

from raysim.protocol.messages import (
    PushTasks,
    RequestWorkerLease,
    ReturnWorkerLease,
    TasksDone,
    TaskStatus,
    WorkerLeaseGranted,
)
from tests.unit.protocol.owner.rig import RAYLET, TEMPLATE, inline

ONCE = msgspec.structs.replace(TEMPLATE, max_calls=1, max_retries=3)
TWICE = msgspec.structs.replace(TEMPLATE, max_calls=2, max_retries=3)


def test_lease_of_a_worker_that_retires_is_returned_at_once(rig):
    ref = rig.submit(what=ONCE)
    worker = rig.grant()
    rig.tell(worker, TasksDone(RAYLET, [rig.result(ref, inline())], retires=True))
    ((_, returned),) = rig.take(ReturnWorkerLease)
    assert returned.worker_retires
    assert not returned.worker_failed


def test_calls_handed_back_by_a_worker_that_retires_go_to_another_lease(rig):
    first = rig.submit(what=TWICE)
    worker = rig.grant()
    rig.done(worker, first, inline(), lasting=1_000)
    second, third = rig.submit(what=TWICE), rig.submit(what=TWICE)
    rig.host.advance(1_000_000)
    rig.host.take()
    back = rig.result(third, status=TaskStatus.NOT_RUN)
    rig.tell(worker, TasksDone(RAYLET, [rig.result(second, inline()), back], retires=True))
    kinds = [type(message) for _, message in rig.host.take()]
    assert ReturnWorkerLease in kinds
    assert RequestWorkerLease in kinds
    assert PushTasks not in kinds


def test_no_more_calls_are_sent_ahead_than_the_worker_may_run(rig):
    first = rig.submit(what=TWICE)
    worker = rig.grant()
    rig.done(worker, first, inline(), lasting=1_000)
    rig.host.take()
    for _ in range(10):
        rig.submit(what=TWICE)
    rig.host.advance(0)
    assert len(rig.pushed()) <= 2


def test_gpus_of_the_lease_are_told_with_the_calls(rig):
    rig.submit()
    ((_, request),) = rig.take(RequestWorkerLease)
    worker = RAYLET
    rig.tell(RAYLET, WorkerLeaseGranted(request.lease_id, worker, {"GPU": [3]}))
    ((_, push),) = rig.take(PushTasks)
    assert push.accelerators == {"GPU": [3]}
