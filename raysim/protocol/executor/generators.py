"""Items of generators on their way to the owners of the calls, and generators that wait for consumers. Never user code.

Items leave in their order, and before the result of their call: user code goes on to the next only
when this one is stored, what it refers to is known to the owners, and its turn has come.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.protocol.executor.results import SEND_AFTER_NS, SEND_AT, Results
from raysim.protocol.host import ProcessHost, ReturnValue, RunnableTask, Waiter
from raysim.protocol.messages import (
    NO_LIMIT,
    GeneratorConsumed,
    GeneratorItem,
    GeneratorItems,
    Return,
)
from raysim.protocol.owner import Owner
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import TaskId, WorkerId, return_id


class Production(msgspec.Struct):
    """A generator that runs."""

    task: RunnableTask
    limit: int
    """Items that may wait to be taken; 0: any number."""
    given: int = 0
    sent: int = 0
    consumed: int = 0
    waiter: Waiter | None = None
    """Of the user code that waits for its last item to be out of the way."""
    failure: Failure | None = None
    """Why an item cannot be stored."""

    def may_go_on(self) -> bool:
        if self.sent < self.given:
            return self.failure is not None
        return self.limit <= 0 or self.consumed == NO_LIMIT or self.waiting() < self.limit

    def waiting(self) -> int:
        return self.given - self.consumed


class Generators:
    def __init__(self, host: ProcessHost, owner: Owner, raylet: Address, results: Results) -> None:
        self._host = host
        self._owner = owner
        self._raylet = raylet
        self._results = results
        self.running: dict[TaskId, Production] = {}
        self._gathered: dict[WorkerId, tuple[Address, list[GeneratorItem]]] = {}
        self._count = 0
        self._sent_ns = -SEND_AFTER_NS
        self._timer = False
        results.before_flush = self.flush

    def give(self, task: RunnableTask, value: ReturnValue) -> Production:
        """Send one more item. Its `waiter` is done when user code may go on, or `failure` says why it may not."""
        production = self.running.get(task.call.task_id)
        if production is None:
            limit = task.template.item_limit if task.template is not None else task.call.item_limit
            production = self.running[task.call.task_id] = Production(task, limit)
        index = production.given
        production.given += 1
        production.waiter = Waiter()
        inline = self._results.fits(value)
        payload = b"".join(value.parts) if inline else None
        item = GeneratorItem(
            task.call.task_id,
            task.call.attempt,
            index,
            Return(payload, value.size, value.contained, value.is_error),
        )
        if value.contained:
            object_id = return_id(item.task_id, index + 1)
            self._results.hold_item(object_id, task.caller, value.contained)
        if inline:
            self._owner.objects.after_acknowledgements(partial(self._send, production, item))
        else:
            self._results.store(task, index + 1, value, self._stored(production, item))
        return production

    def _stored(
        self, production: Production, item: GeneratorItem
    ) -> Callable[[Failure | None], None]:
        def stored(failure: Failure | None) -> None:
            if failure is None:
                send = partial(self._send, production, item)
                self._owner.objects.after_acknowledgements(send)
            else:
                production.failure = failure
                self._look(production)

        return stored

    def _send(self, production: Production, item: GeneratorItem) -> None:
        """At once, where nothing was sent for some time; else soon, with others."""
        production.sent += 1
        caller = production.task.caller
        gathered = self._gathered.get(caller.worker_id)
        if gathered is None:
            self._gathered[caller.worker_id] = (caller, [item])
        else:
            gathered[1].append(item)
        self._count += 1
        if self._count >= SEND_AT or self._host.now_ns() - self._sent_ns >= SEND_AFTER_NS:
            self.flush()
        elif not self._timer:
            self._timer = True
            self._host.call_later(SEND_AFTER_NS, self._flush_late)
        self._look(production)

    def _flush_late(self) -> None:
        self._timer = False
        self.flush()

    def flush(self) -> None:
        if not self._gathered:
            return
        gathered, self._gathered, self._count = self._gathered, {}, 0
        self._sent_ns = self._host.now_ns()
        for caller, items in gathered.values():
            self._host.send(caller, GeneratorItems(self._raylet, items))

    def on_consumed(self, sender: Address, message: GeneratorConsumed) -> None:
        for consumed in message.calls:
            production = self.running.get(consumed.task_id)
            if production is None or production.task.call.attempt != consumed.attempt:
                continue  # It has ended.
            if consumed.count == NO_LIMIT or consumed.count > production.consumed != NO_LIMIT:
                production.consumed = consumed.count
            self._look(production)

    def _look(self, production: Production) -> None:
        if production.waiter is not None and production.may_go_on():
            production.waiter.finish()

    def given(self, task: RunnableTask) -> int:
        production = self.running.get(task.call.task_id)
        return production.given if production is not None else 0

    def ended(self, task: RunnableTask) -> int:
        """The call is over; how many items it gave."""
        given = self.given(task)
        self.running.pop(task.call.task_id, None)
        return given

    def caller_lost(self, peer: Address) -> None:
        """Nobody takes its items: what waits for that ends."""
        self._gathered.pop(peer.worker_id, None)
        for production in self.running.values():
            if production.task.caller.worker_id == peer.worker_id:
                production.consumed = NO_LIMIT
                self._look(production)
