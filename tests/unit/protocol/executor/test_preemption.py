"""Synthetic work that has to make room: it stops where it is, and says how far it came."""

from raysim.protocol.messages import PreemptTasks, TaskStatus
from raysim.spec.task import Work
from tests.unit.protocol.executor.rig import CALLER, MS

WORK = Work(10 * MS, (0,))


def test_what_runs_is_stopped_once_and_says_what_it_has_done(rig):
    call = rig.call(work=WORK)
    rig.push(call)
    rig.host.advance(4 * MS)
    for _ in range(2):
        rig.tell(CALLER, PreemptTasks([call.task_id]))
    assert rig.host.preempted == [rig.running]
    rig.finish(status=TaskStatus.NOT_RUN)
    [(to, result)] = rig.results()
    assert (to, result.status, result.end_ns - result.start_ns) == (
        CALLER,
        TaskStatus.NOT_RUN,
        4 * MS,
    )


def test_what_has_not_started_is_handed_back(rig):
    running, waiting = rig.call(work=WORK), rig.call(work=WORK)
    rig.push(running, waiting)
    rig.tell(CALLER, PreemptTasks([waiting.task_id]))
    assert rig.host.preempted == []
    [(_, result)] = rig.results()
    assert (result.task_id, result.status, result.end_ns) == (
        waiting.task_id,
        TaskStatus.NOT_RUN,
        0,
    )


def test_user_code_goes_on(rig):
    [call] = rig.pushed()
    rig.tell(CALLER, PreemptTasks([call.task_id]))
    assert rig.host.preempted == []
    rig.finish(b"done")
    [(_, result)] = rig.results()
    assert result.status == TaskStatus.OK
