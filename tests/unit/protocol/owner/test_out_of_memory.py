"""A worker ends because memory ran out: its calls run again later, as often as it takes."""

import pytest

from raysim.config import Config
from raysim.protocol.messages import LeaseLost, PushTasks, RequestWorkerLease, ReturnWorkerLease
from raysim.protocol.owner.entries import ObjectState
from raysim.spec.failure import FailureKind
from tests.unit.protocol.owner.rig import RAYLET, SECOND_NS, OwnerRig, inline, template


def ended(rig, worker, final=False):
    leases = rig.owner.tasks.leases._by_worker[worker.worker_id]
    for lease_id in list(leases):
        rig.tell(RAYLET, LeaseLost(lease_id, worker, "its node ran out of memory", True, final))
    rig.lose(worker)


def test_the_raylet_gets_its_worker_back(rig):
    rig.submit()
    worker = rig.grant()
    ended(rig, worker)
    assert [m.worker_failed for _, m in rig.take(ReturnWorkerLease)] == [True]


def test_it_runs_again_after_a_while(rig):
    result = rig.submit(what=template(max_retries=1))
    ended(rig, rig.grant())
    rig.take(PushTasks)
    rig.take(RequestWorkerLease)
    rig.host.advance(2 * SECOND_NS - 1)
    assert rig.take(RequestWorkerLease) == []
    rig.host.advance(1)
    worker = rig.grant()
    [call] = rig.pushed()
    assert call.attempt == 1
    rig.done(worker, result, inline(b"x"), attempt=1)
    assert rig.state(result) is ObjectState.INLINE


def test_the_retries_for_crashes_are_left(rig):
    """Each wait is twice the last."""
    result = rig.submit(what=template(max_retries=1))
    for round_ in range(5):
        ended(rig, rig.grant())
        rig.host.advance((2 << round_) * SECOND_NS)
    rig.lose(rig.grant())
    rig.lose(rig.grant())
    assert rig.failure(result) is FailureKind.WORKER_CRASHED


def test_the_owner_s_last_call_fails(rig):
    result = rig.submit()
    ended(rig, rig.grant(), final=True)
    assert rig.failure(result) is FailureKind.OUT_OF_MEMORY
    assert "ran out of memory" in rig.found(result).failure.text


def test_what_waits_behind_it_has_not_begun_and_runs_again(rig):
    warm = rig.submit()
    worker = rig.grant()
    rig.done(worker, warm, inline(), lasting=1000)
    first, second = rig.submit(), rig.submit()
    rig.owner.flush()
    assert len(rig.pushed()) == 3, "short calls are pushed ahead"
    ended(rig, worker, final=True)
    assert rig.failure(first) is FailureKind.OUT_OF_MEMORY
    assert rig.state(second) is ObjectState.PENDING


def test_a_task_without_retries_fails(rig):
    result = rig.submit(what=template(max_retries=0))
    ended(rig, rig.grant())
    assert rig.failure(result) is FailureKind.OUT_OF_MEMORY


@pytest.mark.parametrize("rounds", [0, 2])
def test_the_number_of_runs_is_a_knob(rounds):
    rig = OwnerRig(config=Config(task_oom_retries=rounds))
    result = rig.submit()
    for round_ in range(rounds):
        ended(rig, rig.grant())
        rig.host.advance((2 << round_) * SECOND_NS)
    ended(rig, rig.grant())
    assert rig.failure(result) is FailureKind.OUT_OF_MEMORY


def test_a_call_that_is_cancelled_meanwhile_does_not_run_again(rig):
    result = rig.submit()
    ended(rig, rig.grant())
    rig.owner.tasks.cancel(result[:24])
    assert rig.failure(result) is FailureKind.TASK_CANCELLED
    rig.take(PushTasks)
    rig.host.advance(2 * SECOND_NS)
    assert rig.take(PushTasks) == []
