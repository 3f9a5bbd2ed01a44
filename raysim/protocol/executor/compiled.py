"""This actor's parts of compiled graphs: each pass runs its methods in order, and sends on what they return.

A method runs once all values that it reads in this pass have come, and those before it in the pass are
done; a pass begins after the one before. Ordinary calls of the actor run between methods. Never user code.

How a method is run depends on the actor. Where one thread runs all of its methods, and the world has
inboxes, the part belongs to that thread: it takes turns at it between the calls (`_turn`), without the
lock, and whoever else has something for the part posts it. Else the role runs methods as calls.
"""

from collections.abc import Callable
from functools import partial

from raysim.protocol.executor.actor_queue import ActorQueue
from raysim.protocol.executor.arguments import Arguments, QueuedCall
from raysim.protocol.executor.part import Part, PassValues
from raysim.protocol.executor.step_results import StepResults
from raysim.protocol.host import Execute, LocalArg, Outcome, ProcessHost, RunnableTask
from raysim.protocol.messages import (
    ChannelWrite,
    CloseGraph,
    ConnectGraph,
    GraphOpened,
    OpenGraph,
    TaskStatus,
)
from raysim.protocol.owner import Owner
from raysim.protocol.owner.channels import GATHER_NS
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import IdSource, TaskId
from raysim.spec.task import TaskArg, TaskCall


class Compiled:
    def __init__(
        self,
        host: ProcessHost,
        owner: Owner,
        actor: ActorQueue,
        arguments: Arguments,
        run: Callable[[QueuedCall, RunnableTask], None],
        turn_ended: Callable[[Outcome], None],
    ) -> None:
        self._host = host
        self._owner = owner
        self._address = host.address
        self._channels = owner.channels
        self._actor = actor
        self._arguments = arguments
        self._run = run
        self._turn_ended = turn_ended
        self._results = StepResults(host, owner, self._step_done)
        self._parts: dict[TaskId, Part] = {}
        self.running: dict[TaskId, Part] = {}
        """By the call that runs."""
        self.in_turn: RunnableTask | None = None
        """What user code works on in a turn."""
        self.leaving = False
        """The process ends once that is done."""
        owner.graphs.part_takes = self._on_write

    # Opening

    def on_open(self, sender: Address, message: OpenGraph) -> None:
        spec = self._actor.spec
        if spec is None or spec.actor_id != message.actor_id:
            return
        part = self._parts.get(message.graph_id)
        if part is None:
            part = self._parts[message.graph_id] = self._part(sender, message, spec)
        place = part.inbox.place if part.inbox is not None else ""
        self._host.send(sender, GraphOpened(part.graph_id, message.actor_id, place))

    def _part(self, driver: Address, message: OpenGraph, spec: ActorSpec) -> Part:
        last = {
            channel: index for index, step in enumerate(message.steps) for _, channel in step.inputs
        }
        ids = [IdSource(message.graph_id, index) for index in range(len(message.steps))]
        part = Part(message.graph_id, spec.actor_id, driver, message.steps, ids, last)
        if not spec.is_async and spec.max_concurrency == 1 and not spec.concurrency_groups:
            part.inbox = self._host.inbox(message.graph_id)
            if part.inbox is not None:
                part.inbox.serve(partial(self._turn, part))
        return part

    def on_connect(self, sender: Address, message: ConnectGraph) -> None:
        part = self._parts.get(message.graph_id)
        if part is None or part.outlets:
            return
        found = {reader: self._host.outlet(place) for reader, place in message.places.items()}
        part.outlets = {reader: out for reader, out in found.items() if out is not None}

    # Passes

    def _on_write(self, sender: Address, write: ChannelWrite) -> None:
        part = self._parts.get(write.graph_id)
        if part is not None:
            part.do(partial(self._arrive, part, sender, write))

    def _arrive(self, part: Part, sender: Address, write: ChannelWrite) -> None:
        if part.closed or write.channel not in part.last or write.number < part.number:
            return
        values = part.arrived.get(write.number)
        if values is None:
            values = part.arrived[write.number] = {}
        values[write.channel] = (sender, write)
        if not part.busy:
            self._go_on(part)

    def _go_on(self, part: Part) -> None:
        """Begin the next step, if all that it reads is here."""
        values = part.arrived.get(part.number)
        if values is None:
            return
        args: list[LocalArg] = []
        takes_turns = part.inbox is not None
        for position, channel in part.steps[part.at].inputs:
            found = values.get(channel)
            if found is None:
                return
            write = found[1]
            if write.payload is None:
                takes_turns = False
            else:
                is_plain = not (write.held or write.is_error)
                args.append(LocalArg(position, write.payload, is_plain=is_plain))
        part.busy = True
        if takes_turns:
            part.task = self._actor.runnable(self._call(part, []), part.driver, args)
        else:
            self._queue(part, values, args)

    def _call(self, part: Part, refs: list[TaskArg]) -> TaskCall:
        step = part.steps[part.at]
        return TaskCall(
            part.ids[part.at].actor_task(part.actor_id),
            0,
            step.args,
            refs,
            method=step.method,
            num_returns=len(step.outputs),
        )

    def _queue(self, part: Part, values: PassValues, args: list[LocalArg]) -> None:
        refs: list[TaskArg] = []
        failure: Failure | None = None
        for position, channel in part.steps[part.at].inputs:
            writer, write = values[channel]
            if write.failure is not None:
                failure = failure or write.failure
            elif write.object_id is not None:
                assert write.holder is not None
                refs.append(
                    TaskArg(position, write.object_id, writer, None, [write.holder], write.size)
                )
        call = self._call(part, refs if failure is None else [])
        queued = part.queued = QueuedCall(call, part.driver, args=args, failure=failure)
        if call.refs:
            begin = partial(part.do, partial(self._begin, part, queued))
            with self._host.lock:
                self._arguments.bring(queued, lambda _: begin(), may_give_up=False)
        else:
            self._begin(part, queued)

    def _begin(self, part: Part, queued: QueuedCall) -> None:
        task = self._actor.runnable(queued.call, queued.caller, queued.args)
        if part.inbox is not None:
            part.task = task
        else:
            self.running[queued.call.task_id] = part
            self._run(queued, task)

    # Run as calls

    def runs(self, queued: QueuedCall) -> bool:
        return queued.call.task_id in self.running

    def finished(self, queued: QueuedCall, outcome: Outcome, lasted_ns: int) -> None:
        """User code is done with a step: its values go to their readers, then the next one may begin."""
        part = self.running.pop(queued.call.task_id)
        self._results.write(part, queued.call.task_id, outcome)
        # Short methods one after another: their values leave together.
        self._channels.settle(more=part.busy and lasted_ns < GATHER_NS)

    # Run in turns

    def _turn(self, part: Part, execute: Execute) -> bool:
        """In the thread that runs methods, without the lock: run one, if all that it reads is here."""
        if part.posted:
            self._do_posted(part)
        if part.task is None and part.inbox is not None and not part.closed:
            for write in part.inbox.take():
                self._arrive(part, self._address, write)
        task, part.task = part.task, None
        if task is None:
            return False
        task.start_ns = self._host.now_ns()
        queued = part.queued
        if queued is None or queued.failure is None:
            self.in_turn = task
            outcome = execute(task)
            self.in_turn = None
        else:
            outcome = Outcome(TaskStatus.FAILED, failure=queued.failure)
        if queued is not None and queued.pins:
            with self._host.lock:
                self._arguments.release(queued)
        if not outcome.crashed:
            self._results.write(part, task.call.task_id, outcome)
            if self._channels.has_unsent:
                self._settle(part, task)
        if outcome.exits or self.leaving:
            with self._host.lock:
                self._turn_ended(outcome)
        return True

    def _do_posted(self, part: Part) -> None:
        posted = part.posted
        while posted:
            posted.popleft()()

    def _settle(self, part: Part, task: RunnableTask) -> None:
        short = self._host.now_ns() - task.start_ns < GATHER_NS
        with self._host.lock:
            self._channels.settle(more=part.task is not None and short)

    def _step_done(self, part: Part) -> None:
        values = part.arrived[part.number]
        for _, channel in part.steps[part.at].inputs:
            if part.last[channel] == part.at and channel in values:
                writer, write = values.pop(channel)
                if write.held:
                    with self._host.lock:
                        self._channels.acknowledge(writer, write)
        part.busy = False
        part.queued = None
        part.at += 1
        if part.at == len(part.steps):
            del part.arrived[part.number]
            part.at = 0
            part.number += 1
        self._go_on(part)

    # The end

    def on_close(self, sender: Address, message: CloseGraph) -> None:
        part = self._parts.pop(message.graph_id, None)
        if part is not None:
            self._close(part)

    def _close(self, part: Part) -> None:
        part.closed = True
        queued = part.queued
        if queued is not None and queued.call.task_id not in self.running:
            queued.dropped = True
        self._channels.close(part.graph_id)
        part.do(partial(self._let_go, part))

    def _let_go(self, part: Part) -> None:
        part.arrived.clear()
        task, part.task = part.task, None
        if task is not None and part.queued is not None:
            with self._host.lock:
                self._arguments.release(part.queued)
        outlets, part.outlets = part.outlets, {}
        for outlet in outlets.values():
            outlet.close()
        if part.inbox is not None:
            part.inbox.close()

    def drivers(self) -> list[Address]:
        return [part.driver for part in self._parts.values()]

    def driver_lost(self, peer: Address) -> None:
        for part in list(self._parts.values()):
            if part.driver.worker_id == peer.worker_id:
                del self._parts[part.graph_id]
                self._close(part)
