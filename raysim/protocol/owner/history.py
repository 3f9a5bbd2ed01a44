"""The attempts of calls that have ended, the latest ones: for people who ask, and for timelines. Never the journal.

Written once for each attempt, so it only puts away what is at hand; what is shown is made when somebody asks.
Of an attempt that ended well that is 60 bytes in one block and one reference: objects of their own for each of a
hundred thousand would be most of what a short call costs, as none of them is in the processor's caches any more when
its place is taken.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from struct import Struct
from typing import Final

import msgspec

from raysim.journal import TaskEnded
from raysim.protocol.messages import TaskResult, TaskStatus
from raysim.protocol.messages.state import TaskSeen
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.sieve import Attempt, Sieve
from raysim.spec.actor import ActorInfo
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NIL_TASK, NIL_WORKER, TASK_ID_BYTES, NodeId, TaskId, WorkerId
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


class Kind(msgspec.Struct, frozen=True, gc=False):
    """What calls in a row have in common that ended well. `of`: as in `Ended`."""

    name: str
    of: TaskTemplate | str
    method: str
    parent: TaskId
    worker: Address
    shown: str


_NO_KIND: Final = Kind("", "", "", NIL_TASK, NOWHERE, "")

_FACTS: Final = Struct(f"<{TASK_ID_BYTES}sIqqqq")
"""Of an attempt that ended well: the task, which attempt, and when it was submitted, pushed, begun and over."""

_ATTEMPT: Final = Struct("<I")

_ROW: Final = _FACTS.size
_GROWTH: Final = bytes(256 * _ROW)
_write: Final = _FACTS.pack_into
_NO_FACTS: Final = (b"", 0, 0, 0, 0, 0)


class Ended(msgspec.Struct, gc=False):
    """An attempt that ended otherwise. `of`: its template, or the class name of its actor."""

    note: TaskEnded
    of: TaskTemplate | str
    method: str
    parent: TaskId
    error: str = ""
    """Ray's word for it."""
    shown: str = ""
    """What its actor says of itself."""

    # As a row has it, without the row: see sieve.

    @property
    def task_id(self) -> TaskId:
        return TaskId(self.note.task_id)

    @property
    def attempt(self) -> int:
        return self.note.attempt

    @property
    def state(self) -> str:
        return "FINISHED" if self.note.status == "finished" else "FAILED"

    @property
    def function(self) -> str:
        return function_of(self.of, self.method)

    @property
    def name(self) -> str:
        return name_of(self.of, self.method, self.note.name, self.shown)

    @property
    def worker(self) -> Address:
        return Address(NodeId(self.note.node_id), WorkerId(self.note.worker_id))


class _Place:
    """What stands at one place of a history, as long as nothing is added: to be tested, with no object for each."""

    kind = _NO_KIND
    begin = 0
    state = "FINISHED"
    error = ""

    def __init__(self, facts: bytearray) -> None:
        self._facts = facts

    @property
    def task_id(self) -> TaskId:
        return TaskId(bytes(self._facts[self.begin : self.begin + TASK_ID_BYTES]))

    @property
    def attempt(self) -> int:
        (attempt,) = _ATTEMPT.unpack_from(self._facts, self.begin + TASK_ID_BYTES)
        return int(attempt)

    @property
    def function(self) -> str:
        return function_of(self.kind.of, self.kind.method)

    @property
    def name(self) -> str:
        kind = self.kind
        return name_of(kind.of, kind.method, kind.name, kind.shown)

    @property
    def worker(self) -> Address:
        return self.kind.worker


class History:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ended: list[Kind | Ended | TaskSeen] = []
        """In a circle, once there are so many."""
        self._facts = bytearray()
        """Of each `Kind` in it, at its place."""
        self._next = 0
        self._kind = _NO_KIND
        """The latest."""
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

    def add_finished(
        self,
        record: TaskRecord,
        worker: Address,
        start_ns: int,
        end_ns: int,
        actor: ActorInfo | None = None,
    ) -> None:
        """An attempt ended well. The actor, if it was a call of one and that is known."""
        call, kind, shown = record.call, self._kind, ""
        of: TaskTemplate | str | None = record.template
        if of is None and actor is not None:
            of, shown = actor.class_name, actor.shown
        elif of is None:
            of = ""
        if not (
            kind.name is record.name
            and kind.of is of
            and kind.method is call.method
            and kind.parent is record.parent
            and kind.worker is worker
            and kind.shown is shown
        ):
            kind = Kind(record.name, of, call.method, record.parent, worker, shown)
            self._kind = kind
        at = self._next * _ROW
        self._add(kind)
        while at >= len(self._facts):
            self._facts += _GROWTH
        _write(
            self._facts,
            at,
            call.task_id,
            call.attempt,
            record.submitted_ns,
            record.pushed_ns,
            start_ns,
            end_ns,
        )

    def add_row(self, row: TaskSeen) -> None:
        """An actor's constructor ended."""
        self._add(row)

    def _add(self, ended: Kind | Ended | TaskSeen) -> None:
        at, kept = self._next, self._ended
        if at < len(kept):
            kept[at] = ended
        elif at < self._limit:
            kept.append(ended)
        self._next = at + 1 if at + 1 < self._limit else 0

    def _keep_error(self, note: TaskEnded, result: TaskResult) -> None:
        payload = result.returns[-1].payload if result.returns else None
        if payload is None or len(payload) > ERROR_BYTES:
            return
        self._errors[note.task_id, note.attempt] = payload
        if len(self._errors) > ERRORS:
            del self._errors[next(iter(self._errors))]

    def rows(self, limit: int, only: bytes) -> tuple[list[TaskSeen], int]:
        """The newest so many whose ids begin with `only`, in the order in which they ended, and how many there are."""
        places: Iterable[int] = self._places()
        if only:
            places = [at for at in places if self._id(at).startswith(only)]
        places = list(places)
        return [self.row(at) for at in places[max(0, len(places) - limit) :]], len(places)

    def passing(self, sieve: Sieve) -> Iterator[tuple[bytes, int, int]]:
        """Those that pass: task, attempt, and the place of the row."""
        there = _Place(self._facts)
        kind, passes = _NO_KIND, False
        facts = chain(_FACTS.iter_unpack(self._facts), repeat(_NO_FACTS))
        for at, (ended, fact) in enumerate(zip(self._ended, facts, strict=False)):
            if ended is kind:
                pass  # As nearly all do: of calls in a row one is tested.
            elif isinstance(ended, Kind):
                kind = there.kind = ended
                passes = sieve.passes_shared(there)
            else:
                if sieve.passes(ended):
                    yield ended.task_id, ended.attempt, at
                continue
            if passes:
                there.begin = at * _ROW
                if sieve.is_shared or sieve.passes(there):
                    yield fact[0], fact[1], at

    def attempts(self) -> Iterator[Attempt]:
        """Of each place in turn; one is to be looked at before the next is taken."""
        there = _Place(self._facts)
        for at, ended in enumerate(self._ended):
            if isinstance(ended, Kind):
                there.kind, there.begin = ended, at * _ROW
                yield there
            else:
                yield ended

    def _places(self) -> Iterable[int]:
        """In the order in which they ended."""
        count = len(self._ended)
        first = self._next if count == self._limit else 0
        yield from range(first, count)
        yield from range(first)

    def _id(self, at: int) -> bytes:
        ended = self._ended[at]
        if isinstance(ended, Kind):
            return bytes(self._facts[at * _ROW : at * _ROW + TASK_ID_BYTES])
        return ended.task_id

    def row(self, at: int) -> TaskSeen:
        """Of this place."""
        ended = self._ended[at]
        if isinstance(ended, TaskSeen):
            return msgspec.structs.replace(ended)  # Who asks may change what he is given.
        if isinstance(ended, Kind):
            return self._finished(ended, at)
        note = ended.note
        failed = note.status != "finished"
        row = TaskSeen(
            TaskId(note.task_id),
            note.attempt,
            note.name,
            ended.method,
            ended.state,
            ended.parent,
            note.submitted_ns,
            note.pushed_ns,
            # What never ran has no start: it is noted with its end.
            note.start_ns if note.pushed_ns else 0,
            note.end_ns,
            ended.worker,
        )
        describe(row, ended.of, ended.shown)
        if failed:
            row.error = ended.error
            row.payload = self._errors.get((note.task_id, note.attempt), b"")
            row.text = "" if row.payload else note.reason
        return row

    def _finished(self, kind: Kind, at: int) -> TaskSeen:
        facts = _FACTS.unpack_from(self._facts, at * _ROW)
        task_id, attempt, submitted_ns, pushed_ns, start_ns, end_ns = facts
        row = TaskSeen(
            TaskId(task_id),
            attempt,
            kind.name,
            kind.method,
            "FINISHED",
            kind.parent,
            submitted_ns,
            pushed_ns,
            start_ns if pushed_ns else 0,
            end_ns,
            Address(kind.worker.node_id, kind.worker.worker_id),
        )
        describe(row, kind.of, kind.shown)
        return row


def describe(row: TaskSeen, of: TaskTemplate | str, shown: str = "") -> None:
    """Say what the call is of: a function with its options, or a method of a class whose actor shows itself so."""
    method = row.function
    row.function, row.name = function_of(of, method), name_of(of, method, row.name, shown)
    if isinstance(of, str):
        return
    row.need, row.selectors = of.resources, of.selectors
    row.group_id = group_of(of.strategy)
    row.runtime_env = of.runtime_env


def function_of(of: TaskTemplate | str, method: str) -> str:
    """A function's own name; `Class.method` of an actor."""
    if isinstance(of, str):
        return f"{of}.{method}" if of else method
    return of.function_name or of.name


def name_of(of: TaskTemplate | str, method: str, name: str, shown: str) -> str:
    """What it was called; a call of an actor that was not called anything is its method's."""
    if not isinstance(of, str) or name != method:
        return name
    return f"{shown}.{method}" if shown else function_of(of, method)


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
