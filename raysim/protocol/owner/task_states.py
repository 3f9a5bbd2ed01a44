"""What an owner shows of its calls when somebody asks for the state of tasks. Changes nothing.

A call is shown as far as its owner knows: that it runs is known where it runs, and added by whoever asks.
"""

from collections.abc import Iterator
from operator import itemgetter

from raysim.protocol.messages.state import ActorSeen, TaskCount, TaskSeen
from raysim.protocol.owner.actor_calls import ActorCalls
from raysim.protocol.owner.actor_creation import ActorCreation, Creation, constructor_row
from raysim.protocol.owner.history import History, describe
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.tasks import Tasks
from raysim.protocol.sieve import Sieve, count, first_of
from raysim.spec.ids import TaskId
from raysim.spec.state import Wanted
from raysim.spec.task import group_of

ARGUMENTS = "PENDING_ARGS_AVAIL"
UNPLACED = "PENDING_NODE_ASSIGNMENT"
SENT = "SUBMITTED_TO_WORKER"

MOST_SENT = 10_000
"""Of those on their way that are shown beyond what is wanted. Ray: `RAY_MAX_LIMIT_FROM_DATA_SOURCE`."""


class TaskStates:
    def __init__(
        self, history: History, tasks: Tasks, calls: ActorCalls, creations: ActorCreation
    ) -> None:
        self._history = history
        self._tasks = tasks
        self._calls = calls
        self._creations = creations

    def rows(self, limit: int, only: bytes) -> tuple[list[TaskSeen], int]:
        """Those under way, then the newest that have ended, so many at most; and how many there are."""
        living = [row for row in self._living() if row.task_id.startswith(only)]
        ended, total = self._history.rows(max(0, limit - len(living)), only)
        return [*ended, *living[:limit]], total + len(living)

    def wanted(self, wanted: Wanted) -> tuple[list[TaskSeen], int]:
        """The first that pass, and all those on their way that may; and how many there are."""
        sieve = Sieve(wanted.tests)
        sent: list[TaskSeen] = []
        found, total = first_of(self._candidates(sieve, sent), wanted.first, itemgetter(0, 1))
        rows = [self._history.row(one) if isinstance(one, int) else one for _, _, one in found]
        return [*rows, *sent], total + len(sent)

    def counted(self, wanted: Wanted) -> tuple[list[TaskSeen | TaskCount], int]:
        """How many pass, by name, kind and state; and those on their way that may pass."""
        sieve = Sieve(wanted.tests)
        sent: list[TaskSeen] = []
        counts = count(filter(sieve.passes, self._history.attempts()))
        for key, number in count(self._waiting(sieve, sent)).items():
            counts[key] = counts.get(key, 0) + number
        rows = [TaskCount(*key, number) for key, number in counts.items()]
        return [*rows, *sent], len(rows) + len(sent)

    def _candidates(
        self, sieve: Sieve, sent: list[TaskSeen]
    ) -> Iterator[tuple[bytes, int, int | TaskSeen]]:
        """Task, attempt, and where its row is. `sent`: gets those whose state somebody else knows."""
        yield from self._history.passing(sieve)
        for row in self._waiting(sieve, sent):
            yield row.task_id, row.attempt, row

    def _waiting(self, sieve: Sieve, sent: list[TaskSeen]) -> Iterator[TaskSeen]:
        for row in self._living():
            if row.state == SENT:
                if len(sent) < MOST_SENT and sieve.may_pass(row):
                    sent.append(row)
            elif sieve.passes(row):
                yield row

    def state_of(self, record: TaskRecord) -> str:
        if record.running:
            return SENT
        return ARGUMENTS if record.missing else UNPLACED

    def find(self, task_id: TaskId) -> TaskRecord | None:
        """A call under way."""
        return self._tasks.records.get(task_id) or self._calls.record(task_id)

    def unready_actors(self) -> list[ActorSeen]:
        """Those that the GCS does not know yet: arguments of their constructors are not ready."""
        return [
            ActorSeen(
                made.spec.actor_id,
                made.spec.qualified_name or made.spec.class_name,
                "DEPENDENCIES_UNREADY",
                made.spec.name,
                made.spec.namespace,
                need=made.spec.lifetime,
                detached=made.spec.detached,
                group_id=group_of(made.spec.strategy),
                selectors=made.spec.selectors,
                runtime_env=made.spec.runtime_env,
            )
            for made in self._creations.made()
            if not made.asked
        ]

    def _living(self) -> Iterator[TaskSeen]:
        for record in self._tasks.records.values():
            if not record.hidden:
                yield self._task(record)
        for record in self._calls.records.values():
            if not self._calls.is_hidden(record):
                yield self._call(record)
        for made in self._creations.made():
            if made.starting and not made.record.hidden:
                yield self._constructor(made)

    def _task(self, record: TaskRecord) -> TaskSeen:
        assert record.template is not None
        row = self._row(record)
        describe(row, record.template)
        lease = self._tasks.leases.where(record.call.task_id) if record.running else None
        if lease is not None:
            row.worker = lease.worker
        return row

    def _call(self, record: TaskRecord) -> TaskSeen:
        assert record.actor_id is not None
        row = self._row(record)
        info = self._calls.clients.of(record.actor_id).info
        class_name = self._creations.class_name(record.actor_id)
        if info is not None:
            class_name = info.class_name or class_name
        describe(row, class_name, "" if info is None else info.shown)
        if record.running and info is not None:
            row.worker = info.address
        return row

    def _constructor(self, made: Creation) -> TaskSeen:
        return constructor_row(made, self.state_of(made.record))

    def _row(self, record: TaskRecord) -> TaskSeen:
        return TaskSeen(
            record.call.task_id,
            record.call.attempt,
            record.name,
            record.call.method,
            self.state_of(record),
            record.parent,
            record.submitted_ns,
            record.pushed_ns if record.running else 0,
        )
