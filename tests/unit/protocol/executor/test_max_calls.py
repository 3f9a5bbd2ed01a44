"""A worker that has run a function `max_calls` times hands back what else it is sent, and goes when told."""

import msgspec

from raysim.protocol.messages import ExitWorker, PushTasks, TasksDone, TaskStatus, WorkerExiting
from raysim.spec.task import TaskCall
from tests.unit.protocol.executor.rig import CALLER, RAYLET, TEMPLATE, WorkerRig

TWICE = msgspec.structs.replace(TEMPLATE, max_calls=2)


def push(rig: WorkerRig, count: int, gpus: list[int] | None = None) -> list[TaskCall]:
    calls = [rig.call() for _ in range(count)]
    accelerators = {"GPU": gpus} if gpus else {}
    rig.tell(CALLER, PushTasks(1, TWICE, calls, b"function", accelerators))
    return calls


def told(rig: WorkerRig) -> list[tuple[TaskStatus, bool]]:
    """How each call ended, and whether its message says that the worker retires."""
    done = [message for _, message in rig.take(TasksDone)]
    return [(result.status, one.retires) for one in done for result in one.results]


def test_what_was_sent_ahead_is_handed_back(rig):
    push(rig, 4)
    rig.finish(b"1")
    rig.finish(b"2")
    assert len(rig.host.ran) == 2
    assert sorted(status for status, _ in told(rig)) == [
        TaskStatus.OK,
        TaskStatus.OK,
        TaskStatus.NOT_RUN,
        TaskStatus.NOT_RUN,
    ]


def test_owner_hears_with_the_last_result_that_the_worker_retires(rig):
    push(rig, 1)
    rig.finish(b"1")
    assert told(rig) == [(TaskStatus.OK, False)]
    push(rig, 1)
    rig.finish(b"2")
    assert told(rig) == [(TaskStatus.OK, True)]


def test_push_that_crosses_the_last_result_is_handed_back(rig):
    """The owner could not know: its call must not be lost with the worker."""
    push(rig, 1)
    rig.finish(b"1")
    push(rig, 1)
    rig.finish(b"2")
    rig.host.take()
    push(rig, 1)
    assert told(rig) == [(TaskStatus.NOT_RUN, True)]
    assert rig.take(WorkerExiting) == []


def test_it_goes_when_its_lease_was_returned(rig):
    push(rig, 1)
    rig.finish(b"1")
    push(rig, 1)
    rig.finish(b"2")
    rig.host.take()
    rig.tell(RAYLET, ExitWorker("it has run its max_calls"))
    ((_, exiting),) = rig.take(WorkerExiting)
    assert exiting.intended


def test_functions_are_counted_apart(rig):
    push(rig, 1)
    rig.finish(b"1")
    rig.pushed()
    rig.finish(b"other")
    rig.host.take()
    rig.pushed()
    rig.finish(b"other")
    assert told(rig) == [(TaskStatus.OK, False)]


def test_call_is_told_the_gpus_of_its_lease(rig):
    push(rig, 1, gpus=[1, 2])
    assert rig.running.accelerators == {"GPU": [1, 2]}
    rig.finish(b"1")
    rig.pushed()
    assert rig.running.accelerators == {}
