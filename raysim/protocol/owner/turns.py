"""Calls that wait for their turn, under an order of the queue that is not Ray's. Never whose turn it is.

Each has a scheduling class of its own, and so a lease request of its own, which carries its claim; the lease is
returned after it. So the raylet orders calls, and no lease that is kept passes those that come first.
"""

from __future__ import annotations

import msgspec

from raysim.protocol.messages import TaskResult
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.spec.ids import TaskId
from raysim.spec.task import Work


class Turns:
    def __init__(self) -> None:
        self._classes: dict[TaskId, SchedulingClass] = {}

    def class_of(self, shared: SchedulingClass, record: TaskRecord) -> SchedulingClass:
        """Its own. `shared`: that of its template, which knows how long its calls take."""
        task_id, claim = record.call.task_id, record.claim
        found = self._classes.get(task_id)
        if found is None:
            assert claim is not None, f"{record.name} does not wait for its turn"
            if claim.expected_ns < 0 <= shared.mean_ns:
                claim = msgspec.structs.replace(claim, expected_ns=round(shared.mean_ns))
            found = SchedulingClass(shared.template, shared.function, claim=claim, shared=shared)
            self._classes[task_id] = found
        return found

    def of(self, record: TaskRecord) -> SchedulingClass | None:
        return self._classes.get(record.call.task_id)

    def forget(self, record: TaskRecord) -> None:
        self._classes.pop(record.call.task_id, None)


def preempted(cls: SchedulingClass, record: TaskRecord, result: TaskResult) -> None:
    """It made room, and goes on where it was when its turn comes again."""
    done_ns = result.end_ns - result.start_ns
    record.done_ns += done_ns
    _shorten(record, done_ns)
    claim = cls.claim
    if claim is not None and claim.expected_ns >= 0:
        left_ns = max(0, claim.expected_ns - done_ns)
        cls.claim = msgspec.structs.replace(claim, expected_ns=left_ns)


def restored(record: TaskRecord) -> None:
    """All of it is to be done again."""
    _shorten(record, -record.done_ns)
    record.done_ns = 0


def _shorten(record: TaskRecord, by_ns: int) -> None:
    """A copy: the call as it was may still be on its way to somebody."""
    call = record.call
    assert call.work is not None, f"{record.name} is no synthetic task, and cannot stop half-way"
    elsewhere = {node: max(0, lasts - by_ns) for node, lasts in call.work.elsewhere.items()}
    work = Work(max(0, call.work.duration_ns - by_ns), call.work.return_sizes, elsewhere)
    record.call = msgspec.structs.replace(call, attempt=call.attempt + 1, work=work)
