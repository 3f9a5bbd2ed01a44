"""Shows the state of the cluster: asks on behalf of its user, tells others what it knows. Never waits."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from raysim.protocol.executor import Executor
from raysim.protocol.host import Host, Timer
from raysim.protocol.inspecting.survey import Findings, Make, Survey
from raysim.protocol.messages import (
    Inspected,
    InspectProcess,
    KeepMetrics,
    KeepTasks,
    LogRead,
    LogsListed,
    Message,
)
from raysim.protocol.messages.state import AnyRow, MetricSeen, TaskCount, TaskSeen
from raysim.protocol.owner import Owner
from raysim.protocol.process import Handlers
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.ids import actor_creation_task
from raysim.spec.state import Inquiry, Noun

HANDED_OVER = 1_000
"""Ended tasks, and spans, of a process that ends which the GCS is told, the latest. Ours: a message of 400 KB."""

ERRORS_BYTES = 1 << 20
"""Of pickled exceptions that it is told with them, the latest. Ours."""

GAUGE = "gauge"

Answer = Callable[[Any, bool], None]
"""Hears the reply, or None when there is none in time, or, as is said then, because whoever was asked has ended."""


class _Question(msgspec.Struct):
    to: Address
    make: Make
    answer: Answer
    until_ns: int
    timer: Timer


class Inspecting:
    """Part of every driver and worker."""

    def __init__(self, host: Host, gcs: Address, owner: Owner) -> None:
        self._host = host
        self._gcs = gcs
        self._owner = owner
        self.executor: Executor | None = None
        """Of a worker."""
        self.metrics: Callable[[], list[MetricSeen]] = list
        """Of user code; set by who runs it."""
        self._number = 0
        self._open: dict[int, _Question] = {}

    def start(self) -> None:
        """Nothing to do before the first question."""

    @staticmethod
    def handlers() -> Handlers["Inspecting"]:
        return {
            InspectProcess: lambda role: role._on_inspect,
            Inspected: lambda role: lambda _, m: role._answered(m.number, m),
            LogsListed: lambda role: lambda _, m: role._answered(m.number, m),
            LogRead: lambda role: lambda _, m: role._answered(m.number, m),
        }

    def peer_lost(self, peer: Address) -> None:
        if peer.worker_id == self._gcs.worker_id:
            return  # It comes back, and is asked again by the timers.
        asked = [n for n, q in self._open.items() if q.to.worker_id == peer.worker_id]
        for number in asked:
            self._answered(number, None)

    def leave(self) -> None:
        """This process ends in good order: what it knows of ended tasks, and has counted, is to be known on."""
        tasks, _ = self._owner.history.rows(HANDED_OVER, b"")
        left = ERRORS_BYTES
        for task in reversed(tasks):
            left -= len(task.payload)
            if left < 0:
                task.payload, task.text = (
                    b"",
                    "Its exception was dropped with the process that submitted it.",
                )
        spans = self._owner.spans.rows(HANDED_OVER)
        if tasks or spans:
            self._host.send(self._gcs, KeepTasks(tasks, spans))
        # What a gauge showed is over with its process.
        metrics = [row for row in self.metrics() if row.kind != GAUGE]
        if metrics:
            self._host.send(self._gcs, KeepMetrics(metrics))

    # What others ask

    def _on_inspect(self, sender: Address, asked: InspectProcess) -> None:
        rows: list[AnyRow] = []
        total = 0
        if asked.noun is Noun.TASKS:
            states = self._owner.task_states
            tasks: Sequence[TaskSeen | TaskCount]
            if asked.wanted is None:
                tasks, total = states.rows(asked.limit, asked.only)
            elif asked.wanted.counted:
                tasks, total = states.counted(asked.wanted)
            else:
                tasks, total = states.wanted(asked.wanted)
            self._name_parents(tasks)
            rows += tasks
            if self.executor is not None:
                stages = self.executor.stages()
                rows += stages
                total += len(stages)
        elif asked.noun is Noun.OBJECTS:
            objects, total = self._owner.object_states.rows(asked.limit, asked.only)
            rows += objects
        elif asked.noun is Noun.ACTORS:
            actors = self._owner.task_states.unready_actors()
            rows += [row for row in actors if row.actor_id.startswith(asked.only)]
            total = len(rows)
        elif asked.noun is Noun.METRICS:
            metrics = self.metrics()
            rows += metrics[: asked.limit]
            total = len(metrics)
        elif asked.noun is Noun.SPANS:
            rows += self._owner.spans.rows(asked.limit)
            total = len(self._owner.spans)
        self._host.send(sender, Inspected(asked.number, rows, total))

    def _name_parents(self, tasks: Sequence[TaskSeen | TaskCount]) -> None:
        """What an actor that runs several calls at once submits counts to its constructor (Ray)."""
        actor = None if self.executor is None else self.executor.actor
        if actor is not None and runs_several(actor):
            for task in tasks:
                if isinstance(task, TaskSeen):
                    task.parent = actor_creation_task(actor.actor_id)

    # What our user asks

    def survey(
        self,
        inquiry: Inquiry,
        timeout_ns: int,
        done: Callable[[Findings], None],
    ) -> None:
        """`done` hears what everybody knows who answers within this time."""
        ask = partial(self._ask, self._host.now_ns() + timeout_ns)
        Survey(ask, self._gcs, inquiry, done).begin()

    def ask(self, to: Address, make: Make, timeout_ns: int, answer: Answer) -> None:
        """One question to one process, `make` of its number."""
        self._ask(self._host.now_ns() + timeout_ns, to, make, answer)

    def _ask(self, until_ns: int, to: Address, make: Make, answer: Answer) -> None:
        self._number += 1
        self._send(self._number, to, make, answer, until_ns, self._host.config.request_retry_ns)

    def _send(
        self, number: int, to: Address, make: Make, answer: Answer, until_ns: int, wait_ns: int
    ) -> None:
        """Each time it waits twice as long: whoever has much to tell would otherwise have to tell it ever again."""
        left_ns = until_ns - self._host.now_ns()
        if left_ns <= 0:
            self._open.pop(number, None)
            answer(None, False)
            return
        again = partial(self._send, number, to, make, answer, until_ns, 2 * wait_ns)
        timer = self._host.call_later(min(left_ns, wait_ns), again)
        self._open[number] = _Question(to, make, answer, until_ns, timer)
        self._host.send(to, make(number))

    def _answered(self, number: int, what: Message | None) -> None:
        """None: whoever was asked has ended."""
        asked = self._open.pop(number, None)
        if asked is not None:
            asked.timer.cancel()
            asked.answer(what, what is None)


def runs_several(actor: ActorSpec) -> bool:
    return actor.is_async or actor.max_concurrency > 1 or bool(actor.concurrency_groups)
