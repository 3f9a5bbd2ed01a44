"""Results on their way back: returns stored or inlined, replies gathered by owner. Never decides what runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from raysim.protocol.host import Outcome, ProcessHost, ReturnValue, RunnableTask
from raysim.protocol.messages import ContainedRef, Return, TaskResult, TasksDone, TaskStatus
from raysim.protocol.owner import Owner
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import NodeId, ObjectId, TaskId, WorkerId, return_id
from raysim.spec.task import TaskCall

SEND_AT = 64
"""Results gathered for one owner before they are sent though more work waits. Measured."""

NONE_LOST: Final[Mapping[ObjectId, list[NodeId]]] = {}

SEND_AFTER_NS = 200_000
"""Nanoseconds that a finished result may wait for company. Measured."""


class Results:
    """Turns outcomes into TasksDone."""

    def __init__(self, host: ProcessHost, owner: Owner, raylet: Address) -> None:
        self._host = host
        self._owner = owner
        self._raylet = raylet
        self._gathered: dict[WorkerId, tuple[Address, list[TaskResult]]] = {}
        self._since_ns = 0
        self._timer = False
        self._holds: dict[TaskId | ObjectId, tuple[Address, list[ContainedRef]]] = {}
        """By call, and by item of a generator."""
        self.before_flush: Callable[[], None] = lambda: None
        """What has to leave before results do."""
        self.retires = False
        """Owners are told that this worker runs nothing more."""
        self.under_way = 0
        """Outcomes that still wait for a place in the store, or for borrows to be known."""

    def finish(self, task: RunnableTask, outcome: Outcome, end_ns: int) -> bool:
        """Report this outcome, once its borrows are acknowledged. False: some return does not fit into a
        message, and it is for `finish_stored`."""
        most = self._host.config.max_inline_bytes
        returns: list[Return] = []
        carries = False
        for value in outcome.returns:
            size, is_error, contained = value.size, value.is_error, value.contained
            if size > most and not is_error:
                return False
            returns.append(Return(b"".join(value.parts), size, contained, is_error))
            carries = carries or bool(contained)
        result = _result(task, outcome, returns, end_ns)
        if carries:
            self._hold_contained(task, outcome.returns)
        if not self._owner.objects.unacknowledged:
            self._gather(task.caller, result)
            return True
        self.under_way += 1
        late = False

        def report() -> None:
            self._report(task.caller, result)
            if late:
                self.flush()  # Nobody settles any more: the turn in which the call ended is over.

        self._owner.objects.after_acknowledgements(report)
        late = True
        return True

    def finish_stored(
        self, task: RunnableTask, outcome: Outcome, end_ns: int, written: Callable[[], None]
    ) -> None:
        """Report this outcome, once its large returns are sealed and its borrows acknowledged.

        `written` is run when no return refers to memory of user code any more: until then nothing may run that
        could change it.
        """
        returns = [
            Return(b"".join(v.parts), v.size, v.contained, v.is_error)
            if self.fits(v)
            else Return(None, v.size, v.contained)
            for v in outcome.returns
        ]
        result = _result(task, outcome, returns, end_ns)
        self.under_way += 1
        self._hold_contained(task, outcome.returns)
        stored = [(i, v) for i, v in enumerate(outcome.returns) if not self.fits(v)]
        left = len(stored)
        late = False

        def report() -> None:
            self._report(task.caller, result)
            if late:
                self.flush()  # As above.

        def sealed(failure: Failure | None) -> None:
            nonlocal left
            left -= 1
            if failure is not None and result.failure is None:
                self.release_holds([result.task_id])
                result.status, result.failure, result.returns = TaskStatus.FAILED, failure, []
            if left == 0:
                written()
                self._owner.objects.after_acknowledgements(report)

        for index, value in stored:
            self.store(task, index, value, sealed)
        late = True

    def fits(self, value: ReturnValue) -> bool:
        return value.is_error or value.size <= self._host.config.max_inline_bytes

    def store(
        self,
        task: RunnableTask,
        index: int,
        value: ReturnValue,
        sealed: Callable[[Failure | None], None],
    ) -> None:
        """Put this return into the node's store, under its own id."""

        def lent(number: int, handle: int, failure: Failure | None) -> None:
            if failure is None:
                if value.parts:
                    self._host.store.write(handle, value.parts)
                object_id = return_id(task.call.task_id, index)
                self._owner.extents.seal(number, object_id, value.size, task.caller)
            sealed(failure)

        self._owner.extents.request(value.size, lent)

    def _hold_contained(self, task: RunnableTask, values: list[ReturnValue]) -> None:
        """References inside returns, held since they were serialised, stay so until the caller says that it
        holds them."""
        contained: list[ContainedRef] = []
        for value in values:
            if value.contained and value.held:
                contained += value.contained
        if contained:
            # Of an attempt before, whose result nobody heard of: its caller has asked again.
            self.release_holds([task.call.task_id])
            self._holds[task.call.task_id] = (task.caller, contained)

    def hold_item(self, item: ObjectId, caller: Address, contained: list[ContainedRef]) -> None:
        """The references in an item of a generator, likewise."""
        self._holds[item] = (caller, contained)

    def release_holds(self, names: Sequence[TaskId | ObjectId]) -> None:
        for name in names:
            held = self._holds.pop(name, None)
            if held is not None:
                self._owner.objects.drop_holds(held[1])

    def nobody_waits(self, outcome: Outcome) -> None:
        """The caller is gone: what it returned is nobody's."""
        for value in outcome.returns:
            if value.held:
                self._owner.objects.drop_holds(value.contained)

    def callers(self) -> list[Address]:
        """Those that have still to say that they hold what was returned to them."""
        return [caller for caller, _ in self._holds.values()]

    def caller_lost(self, peer: Address) -> None:
        lost = [t for t, (caller, _) in self._holds.items() if caller.worker_id == peer.worker_id]
        self.release_holds(lost)
        self._gathered.pop(peer.worker_id, None)

    def hand_back(
        self, caller: Address, call: TaskCall, lost: Mapping[ObjectId, list[NodeId]] = NONE_LOST
    ) -> None:
        """It was not started, and another worker may; `lost`: after these arguments were made again."""
        self.under_way += 1
        result = TaskResult(call.task_id, call.attempt, TaskStatus.NOT_RUN, lost=lost)
        self._report(caller, result)

    def _report(self, caller: Address, result: TaskResult) -> None:
        self.under_way -= 1
        self._gather(caller, result)

    def _gather(self, caller: Address, result: TaskResult) -> None:
        gathered = self._gathered.get(caller.worker_id)
        if gathered is None:
            if not self._gathered:
                self._since_ns = self._host.now_ns()
            self._gathered[caller.worker_id] = (caller, [result])
        else:
            gathered[1].append(result)
            if len(gathered[1]) >= SEND_AT:
                self.flush()

    def settle(self, busy: bool) -> None:
        """After each outcome: send at once when nothing else runs, else soon."""
        if not self._gathered:
            return
        if not busy or self._host.now_ns() - self._since_ns >= SEND_AFTER_NS:
            self.flush()
        elif not self._timer:
            self._timer = True
            early = self._host.buggify("executor.answer_early")
            self._host.call_later(0 if early else SEND_AFTER_NS, self._flush_late)

    def _flush_late(self) -> None:
        self._timer = False
        self.flush()

    def flush(self) -> None:
        self.before_flush()
        gathered, self._gathered = self._gathered, {}
        for caller, results in gathered.values():
            self._host.send(caller, TasksDone(self._raylet, results, self.retires))


def _result(task: RunnableTask, outcome: Outcome, returns: list[Return], end_ns: int) -> TaskResult:
    call = task.call
    return TaskResult(
        call.task_id,
        call.attempt,
        outcome.status,
        returns,
        task.start_ns,
        end_ns,
        outcome.failure,
        NONE_LOST,
        outcome.items,
    )
