"""Calls on their way to a worker: pushed ahead, gathered in batches, handed back by one that is blocked."""

import pytest

from raysim.protocol.messages import (
    PushTasks,
    RequestWorkerLease,
    TasksDone,
    TaskStatus,
)
from raysim.protocol.owner.leases import BURST, SEND_AFTER_NS, SEND_AT
from raysim.protocol.owner.scheduling_class import ONE_BY_ONE, SchedulingClass
from raysim.spec.address import Address
from tests.unit.protocol.owner.rig import (
    MS,
    RAYLET,
    inline,
    learn_short_tasks,
    template,
)

# Pushing ahead.


def test_nothing_is_pushed_ahead_before_a_duration_is_known(rig):
    for _ in range(4):
        rig.submit()
    rig.grant()
    assert len(rig.pushed()) == 1


def test_short_tasks_are_pushed_ahead_as_far_as_the_window_goes(rig):
    learn_short_tasks(rig)
    rig.host.take()
    for _ in range(300):
        rig.submit()
    config = rig.host.config
    assert len(rig.pushed()) == config.push_window_ns // 10_001


def test_task_that_may_not_run_twice_is_never_pushed_ahead(rig):
    """Lost with a worker before it started, it could not be told from one that ran."""
    once = template(max_retries=0, name="once")
    first = rig.submit(what=once)
    worker = rig.grant()
    rig.done(worker, first, inline(), lasting=1000)
    rig.host.take()
    for _ in range(5):
        rig.submit(what=once)
    assert len(rig.pushed()) == 1


def test_mean_moves_a_quarter_towards_the_last_duration():
    cls = SchedulingClass(template(), None)
    cls.learn(1000)
    cls.learn(2000)
    assert cls.mean_ns == 1250
    assert cls.window(10_000, 256) == 7
    assert cls.window(10_000, 3) == 3
    assert cls.window(10, 256) == 1


def test_gathered_calls_leave_in_order_before_the_owner_waits(rig):
    learn_short_tasks(rig)
    rig.host.take()
    submitted = [rig.submit() for _ in range(5)]
    assert [call.task_id for call in rig.pushed()] == [result[:24] for result in submitted]


def test_gathered_calls_leave_by_themselves_after_a_moment(rig):
    learn_short_tasks(rig)
    submitted = [rig.submit() for _ in range(5)]
    rig.host.take()
    rig.host.advance(MS)
    assert sum(len(push.calls) for _, push in rig.host.of(PushTasks)) == len(submitted) - 1


def test_a_call_behind_one_that_left_long_ago_leaves_at_once(rig):
    """An owner that computes has nobody to send what waits for company."""
    learn_short_tasks(rig)
    for _ in range(3):
        rig.host.take()
        rig.submit()
        assert [len(push.calls) for _, push in rig.host.of(PushTasks)] == [1]
        rig.host.advance(SEND_AFTER_NS)


def two_idle_workers(rig) -> list[Address]:
    """In the order in which they were answered."""
    results = [rig.submit() for _ in range(2)]
    requests = [request for _, request in rig.take(RequestWorkerLease)]
    workers = [rig.granted(requests[i], f"worker-{i}") for i in range(2)]
    for worker, result in zip(workers, results, strict=True):
        rig.done(worker, result, inline(), lasting=10_000)
    rig.host.take()
    return workers


def test_calls_one_after_another_stay_with_one_worker(rig):
    """It still looks for the next one, and the others fall asleep: to take turns made a call twice as long."""
    _, latest = two_idle_workers(rig)
    for _ in range(3):
        result = rig.submit()
        assert [worker for worker, _ in rig.take(PushTasks)] == [latest]
        rig.done(latest, result, inline(), lasting=10_000)


def test_calls_at_once_go_to_all_workers_that_have_nothing_to_do(rig):
    first, latest = two_idle_workers(rig)
    for _ in range(2):
        rig.submit()
    assert [worker for worker, _ in rig.take(PushTasks)] == [latest, first]


# Gathering.


def sent_calls(rig) -> list[int]:
    """How many calls are in each batch that left, without anybody asking for it."""
    rig.host.advance(0)
    return [len(sent.calls) for _, sent in rig.host.take() if isinstance(sent, PushTasks)]


def submit_in_a_row(rig, count: int) -> tuple[list[int], list[bytes]]:
    """Each is done before the next: the worker is faster than its caller. What left, and the results."""
    left, results = [], []
    for _ in range(count):
        results.append(rig.submit())
        batch = sent_calls(rig)
        if batch:
            left += batch
            rig.done(rig.worker, results[-1], inline(), lasting=10_000)
    return left, results


@pytest.fixture
def fast(rig):
    rig.worker, _ = learn_short_tasks(rig)
    rig.host.advance(MS)
    rig.host.take()
    return rig


def test_calls_in_a_row_are_gathered_once_there_are_many(fast):
    """Else each is sent by itself to a worker that is faster than its caller."""
    left, _ = submit_in_a_row(fast, BURST + 20)
    assert left == [1] * BURST
    fast.host.advance(SEND_AFTER_NS)
    assert sent_calls(fast) == [20]


def test_gathered_calls_leave_when_somebody_waits(fast):
    submit_in_a_row(fast, BURST + 5)
    fast.owner.flush()
    assert sent_calls(fast) == [5]
    assert submit_in_a_row(fast, 1)[0] == []  # It runs those five.


def test_gathered_calls_leave_once_they_are_enough(fast):
    left, _ = submit_in_a_row(fast, BURST + SEND_AT + 1)
    assert left == [1] * BURST + [SEND_AT]


def test_gathering_goes_on_while_calls_come(fast):
    _, results = submit_in_a_row(fast, BURST + 5)
    for _ in range(3):
        fast.host.advance(SEND_AFTER_NS)
        assert sent_calls(fast) == [5]
        for result in results[-5:]:
            fast.done(fast.worker, result, inline(), lasting=10_000)
        left, results = submit_in_a_row(fast, 5)
        assert left == []


def test_calls_with_time_between_them_leave_at_once(fast):
    for _ in range(3 * BURST):
        fast.host.advance(SEND_AFTER_NS + 1)
        assert submit_in_a_row(fast, 1)[0] == [1]
    fast.host.advance(SEND_AFTER_NS + 1)
    submit_in_a_row(fast, BURST + 5)
    fast.host.advance(SEND_AFTER_NS)
    fast.host.advance(SEND_AFTER_NS)  # In which none came.
    assert sent_calls(fast) == [5]
    assert fast.owner.tasks.leases._gathering == {}


# Handing back.


def test_handed_back_tasks_go_elsewhere_in_their_order(rig):
    worker, _ = learn_short_tasks(rig)
    running, *ahead = [rig.submit() for _ in range(4)]
    rig.owner.flush()
    rig.host.take()
    back = [rig.result(result, status=TaskStatus.NOT_RUN) for result in ahead]
    rig.tell(worker, TasksDone(RAYLET, back))
    other = rig.granted(rig.take(RequestWorkerLease)[0][1], "second")
    for result in ahead:
        [(to, push)] = rig.take(PushTasks)
        assert to == other
        # It was not tried; and not ahead of its turn: this class waits for something in its calls.
        assert [(call.task_id, call.attempt) for call in push.calls] == [(result[:24], 0)]
        rig.done(other, result, inline(), lasting=10_000)
    assert rig.found(running).ready is False


def test_calls_are_pushed_ahead_again_once_none_was_handed_back_for_a_while(rig):
    worker, _ = learn_short_tasks(rig)
    running, ahead = rig.submit(), rig.submit()
    rig.owner.flush()
    rig.tell(worker, TasksDone(RAYLET, [rig.result(ahead, status=TaskStatus.NOT_RUN)]))
    rig.done(worker, running, inline(), lasting=10_000)
    one_by_one = [ahead, *(rig.submit() for _ in range(ONE_BY_ONE - 2))]
    rig.take(PushTasks)
    for result in one_by_one[:-1]:
        rig.done(worker, result, inline(), lasting=10_000)
        assert len(rig.pushed()) == 1
    more = [rig.submit() for _ in range(3)]
    assert rig.pushed() == []
    rig.done(worker, one_by_one[-1], inline(), lasting=10_000)
    assert [call.task_id for call in rig.pushed()] == [result[:24] for result in more]


def test_worker_that_handed_back_gets_work_again_after_its_call_ended(rig):
    worker, _ = learn_short_tasks(rig)
    running, ahead = rig.submit(), rig.submit()
    rig.owner.flush()
    rig.host.take()
    rig.tell(worker, TasksDone(RAYLET, [rig.result(ahead, status=TaskStatus.NOT_RUN)]))
    assert rig.pushed() == []
    rig.done(worker, running, inline())
    assert [call.task_id for call in rig.pushed()] == [ahead[:24]]
