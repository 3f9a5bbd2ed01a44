"""A process's part in explanations: asks on behalf of its user, and tells others what it knows. Never waits."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from raysim.protocol.executor import Executor
from raysim.protocol.explaining.inquiry import Inquiry, Question, Steps
from raysim.protocol.host import Host, RunnableTask, Timer
from raysim.protocol.messages import (
    ActorExplained,
    CallSeen,
    ContainedRef,
    ExplainCall,
    ExplainObject,
    ExplainProcess,
    GroupExplained,
    LeaseExplained,
    ObjectExplained,
    ProcessExplained,
    ProcessStory,
)
from raysim.protocol.owner import Owner
from raysim.protocol.process import Handlers
from raysim.protocol.queries import Queries
from raysim.spec.address import Address
from raysim.spec.explanation import Explanation

ATTEMPTS = 2
"""Times that a question is asked before its addressee counts as silent. Ours."""

MOST_AWAITED = 16
"""Objects that one process says it waits for. Ours."""


class Explaining:
    """Part of every driver and worker."""

    def __init__(
        self,
        host: Host,
        gcs: Address,
        owner: Owner,
        queries: Queries,
    ) -> None:
        self._host = host
        self._gcs = gcs
        self._owner = owner
        self._queries = queries
        self.executor: Executor | None = None
        """Of a worker."""
        self._number = 0
        self._open: dict[int, tuple[Callable[[Any], None], Timer]] = {}

    def start(self) -> None:
        """Nothing to do before the first question."""

    def peer_lost(self, peer: Address) -> None:
        """Questions to it end by their timers."""

    @staticmethod
    def handlers() -> Handlers["Explaining"]:
        return {
            ExplainObject: lambda role: role._on_object,
            ExplainCall: lambda role: role._on_call,
            ExplainProcess: lambda role: role._on_process,
            ObjectExplained: lambda role: lambda _, m: role._answered(m.number, m.story),
            LeaseExplained: lambda role: lambda _, m: role._answered(m.number, m.story),
            ActorExplained: lambda role: lambda _, m: role._answered(m.number, m.story),
            GroupExplained: lambda role: lambda _, m: role._answered(m.number, m.story),
            ProcessExplained: lambda role: lambda _, m: role._answered(m.number, m.story),
        }

    # What others ask

    def _on_object(self, sender: Address, asked: ExplainObject) -> None:
        story = self._owner.testimony.of(asked.object_id)
        self._host.send(sender, ObjectExplained(asked.number, story))

    def _on_call(self, sender: Address, asked: ExplainCall) -> None:
        story = self._owner.testimony.of_call(asked.task_id)
        self._host.send(sender, ObjectExplained(asked.number, story))

    def _on_process(self, sender: Address, asked: ExplainProcess) -> None:
        now = self._host.now_ns()
        tasks = self.executor.running if self.executor is not None else []
        running = [
            CallSeen(task.call.task_id, _name(task), max(0, now - task.start_ns)) for task in tasks
        ]
        story = ProcessStory(running, self.awaited()[:MOST_AWAITED])
        self._host.send(sender, ProcessExplained(asked.number, story))

    def awaited(self) -> list[ContainedRef]:
        """The objects that user code waits for and that are not ready."""
        own = self._host.address
        entries = self._owner.fetches.awaited() + self._owner.streams.awaited()
        return [ContainedRef(entry.object_id, entry.owner or own) for entry in entries]

    # What our user asks

    def explain(
        self, refs: Sequence[ContainedRef], answer: Callable[[list[Explanation]], None]
    ) -> None:
        """Why these objects are not ready; `answer` hears it when all who know were asked."""
        self.inquire([partial(Inquiry.object, ref=ref) for ref in refs], answer)

    def inquire(
        self,
        subjects: Sequence[Callable[[Inquiry], Steps]],
        answer: Callable[[list[Explanation]], None],
    ) -> None:
        """One explanation of each; `answer` hears them when all who know were asked."""
        inquiry = Inquiry(self._gcs)
        found: list[Explanation] = []
        left = list(subjects)

        def next_one() -> None:
            if not left:
                answer(found)
                return
            self._step(left.pop(0)(inquiry), None, ended)

        def ended(explanation: Explanation) -> None:
            found.append(explanation)
            next_one()

        def named(states: Iterable[Any]) -> None:
            inquiry.names = {state.info.address.node_id: state.info.name for state in states}
            next_one()

        self._queries.nodes(named)

    def _step(self, steps: Steps, story: Any, ended: Callable[[Explanation], None]) -> None:
        try:
            question = steps.send(story)
        except StopIteration as stop:
            ended(stop.value)
            return
        self._ask(question, lambda story: self._step(steps, story, ended))

    def _ask(self, question: Question, answer: Callable[[Any], None]) -> None:
        self._number += 1
        self._send(self._number, question, answer, ATTEMPTS)

    def _send(
        self, number: int, question: Question, answer: Callable[[Any], None], attempts: int
    ) -> None:
        if attempts == 0:
            del self._open[number]
            answer(None)
            return
        to, make = question
        again = partial(self._send, number, question, answer, attempts - 1)
        timer = self._host.call_later(self._host.config.request_retry_ns, again)
        self._open[number] = (answer, timer)
        self._host.send(to, make(number))

    def _answered(self, number: int, story: object) -> None:
        asked = self._open.pop(number, None)
        if asked is not None:
            asked[1].cancel()
            asked[0](story)


def _name(task: RunnableTask) -> str:
    if task.template is not None:
        return task.template.name
    return f"{task.actor.class_name}.{task.call.method}" if task.actor is not None else ""
