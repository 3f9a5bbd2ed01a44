"""The attempts of calls that have ended, the latest ones: for people who ask, and for timelines. Never the journal.

Written once for each attempt, so it only puts away what is at hand; what is shown is made when somebody asks.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice

import msgspec

from raysim.journal import TaskEnded
from raysim.protocol.messages import TaskResult, TaskStatus
from raysim.protocol.messages.state import TaskSeen
from raysim.protocol.owner.records import TaskRecord
from raysim.spec.actor import ActorInfo
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NIL_WORKER, NodeId, TaskId, WorkerId
from raysim.spec.task import TaskTemplate, group_of

ERRORS = 1_000
"""Exceptions of user code that are kept, the latest ones. Ours: a traceback takes some KB."""

ERROR_BYTES = 16 * 1024
"""Bytes of an exception that is kept, at most. Ours."""

ERROR_TYPES = {
    FailureKind.WORKER_CRASHED: "WORKER_DIED",
    FailureKind.NODE_DIED: "NODE_DIED",
    FailureKind.ACTOR_DIED: "ACTOR_DIED",
    FailureKind.ACTOR_UNAVAILABLE: "ACTOR_UNAVAILABLE",
    FailureKind.TASK_CANCELLED: "TASK_CANCELLED",
    FailureKind.OBJECT_LOST: "OBJECT_LOST",
    FailureKind.OBJECT_FREED: "OBJECT_FREED",
    FailureKind.OWNER_DIED: "OWNER_DIED",
    FailureKind.RECONSTRUCTION_FAILED: "OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED",
    FailureKind.OBJECT_STORE_FULL: "OUT_OF_DISK_ERROR",
    FailureKind.OUT_OF_MEMORY: "OUT_OF_MEMORY",
    FailureKind.TASK_UNSCHEDULABLE: "TASK_UNSCHEDULABLE_ERROR",
    FailureKind.ACTOR_UNSCHEDULABLE: "ACTOR_UNSCHEDULABLE_ERROR",
    FailureKind.TASK_PLACEMENT_GROUP_REMOVED: "TASK_PLACEMENT_GROUP_REMOVED",
    FailureKind.ACTOR_PLACEMENT_GROUP_REMOVED: "ACTOR_PLACEMENT_GROUP_REMOVED",
    FailureKind.REPLAY_INCONSISTENT: "STREAMING_GENERATOR_REPLAY_INCONSISTENT",
    FailureKind.RUNTIME_ENV_SETUP: "RUNTIME_ENV_SETUP_FAILED",
}
"""Ray's words for what ends a call."""

USER_ERROR = "TASK_EXECUTION_EXCEPTION"


class Ended(msgspec.Struct, gc=False):
    """An attempt that ended. `of`: its template, or the class name of its actor."""

    note: TaskEnded
    of: TaskTemplate | str
    method: str
    parent: TaskId
    error: str = ""
    """Ray's word for it."""
    shown: str = ""
    """What its actor says of itself."""


class History:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ended: deque[Ended | TaskSeen] | tuple[()] = ()
        """Made with the first: most workers never submit a call, and an empty one takes 600 bytes."""
        self._errors: dict[tuple[bytes, int], bytes] = {}

    def __len__(self) -> int:
        return len(self._ended)

    def add(
        self,
        record: TaskRecord,
        note: TaskEnded,
        actor: ActorInfo | None,
        result: TaskResult | None,
        failure: Failure | None,
    ) -> None:
        """An attempt ended. The result is that of user code, if it ran; the failure the system's."""
        of = record.template
        if of is None:
            name = "" if actor is None else actor.class_name
            ended = Ended(note, name, record.call.method, record.parent)
            ended.shown = "" if actor is None else actor.shown
        else:
            ended = Ended(note, of, "", record.parent)
        if note.status != "finished":
            if failure is None and result is not None:
                failure = result.failure
            ended.error = _word(note, result, failure)
            if result is not None and failure is None:
                self._keep_error(note, result)
        self._add(ended)

    def add_finished(self, record: TaskRecord, note: TaskEnded) -> None:
        """A task's attempt ended well."""
        assert record.template is not None
        self._add(Ended(note, record.template, "", record.parent))

    def add_called(self, record: TaskRecord, note: TaskEnded, actor: ActorInfo | None) -> None:
        """A call of an actor ended well."""
        method, parent = record.call.method, record.parent
        if actor is None:
            self._add(Ended(note, "", method, parent))
        else:
            self._add(Ended(note, actor.class_name, method, parent, "", actor.shown))

    def add_row(self, row: TaskSeen) -> None:
        """An actor's constructor ended."""
        self._add(row)

    def _add(self, ended: Ended | TaskSeen) -> None:
        kept = self._ended
        if isinstance(kept, tuple):
            kept = self._ended = deque(maxlen=self._limit)
        kept.append(ended)

    def _keep_error(self, note: TaskEnded, result: TaskResult) -> None:
        payload = result.returns[-1].payload if result.returns else None
        if payload is None or len(payload) > ERROR_BYTES:
            return
        self._errors[note.task_id, note.attempt] = payload
        if len(self._errors) > ERRORS:
            del self._errors[next(iter(self._errors))]

    def rows(self, limit: int, only: bytes) -> tuple[list[TaskSeen], int]:
        """The newest so many whose ids begin with `only`, in the order in which they ended, and how many there are."""
        if only:
            found = [one for one in self._ended if _id(one).startswith(only)]
            return [self._row(one) for one in found[-limit:]], len(found)
        total = len(self._ended)
        return [self._row(one) for one in self._newest(limit)], total

    def _newest(self, limit: int) -> Iterable[Ended | TaskSeen]:
        return reversed(list(islice(reversed(self._ended), limit)))

    def _row(self, ended: Ended | TaskSeen) -> TaskSeen:
        if isinstance(ended, TaskSeen):
            return msgspec.structs.replace(ended)  # Who asks may change what he is given.
        note = ended.note
        failed = note.status != "finished"
        row = TaskSeen(
            TaskId(note.task_id),
            note.attempt,
            note.name,
            ended.method,
            "FAILED" if failed else "FINISHED",
            ended.parent,
            note.submitted_ns,
            note.pushed_ns,
            # What never ran has no start: it is noted with its end.
            note.start_ns if note.pushed_ns else 0,
            note.end_ns,
            Address(NodeId(note.node_id), WorkerId(note.worker_id)),
        )
        describe(row, ended.of, ended.shown)
        if failed:
            row.error = ended.error
            row.payload = self._errors.get((note.task_id, note.attempt), b"")
            row.text = "" if row.payload else note.reason
        return row


def describe(row: TaskSeen, of: TaskTemplate | str, shown: str = "") -> None:
    """Say what the call is of: a function with its options, or a method of a class whose actor shows itself so."""
    if isinstance(of, str):
        method = row.function
        row.function = f"{of}.{method}" if of else method
        if row.name == method:
            row.name = f"{shown}.{method}" if shown else row.function
        return
    row.function = of.function_name or of.name
    row.need, row.selectors = of.resources, of.selectors
    row.group_id = group_of(of.strategy)
    row.runtime_env = of.runtime_env


def _id(ended: Ended | TaskSeen) -> bytes:
    return ended.task_id if isinstance(ended, TaskSeen) else ended.note.task_id


def error_type(failure: Failure) -> str:
    """Ray's word for what the system could not do."""
    return ERROR_TYPES.get(failure.kind, failure.kind.name)


def _word(note: TaskEnded, result: TaskResult | None, failure: Failure | None) -> str:
    if failure is not None:
        return error_type(failure)
    if note.status == "cancelled":
        return "TASK_CANCELLED"
    if result is not None and result.status in (
        TaskStatus.APPLICATION_ERROR,
        TaskStatus.RETRIABLE_ERROR,
    ):
        return USER_ERROR
    nowhere = note.worker_id == NIL_WORKER
    return "DEPENDENCY_RESOLUTION_FAILED" if nowhere else "WORKER_DIED"
