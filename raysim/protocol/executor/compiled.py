"""This actor's parts of compiled graphs: each pass runs its methods in order, and sends on what they return.

A method runs once all values that it reads in this pass have come, and those before it in the pass are
done; a pass begins after the one before. Ordinary calls of the actor run between methods. Never user code.
"""

from collections.abc import Callable

import msgspec

from raysim.protocol.executor.actor_queue import ActorQueue
from raysim.protocol.executor.arguments import Arguments, QueuedCall
from raysim.protocol.host import Host, LocalArg, Outcome, RunnableTask
from raysim.protocol.messages import ChannelWrite, CloseGraph, GraphOpened, GraphStep, OpenGraph
from raysim.protocol.owner import Owner
from raysim.protocol.owner.channels import GATHER_NS
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, IdSource, TaskId, return_id
from raysim.spec.task import TaskArg, TaskCall


class Part(msgspec.Struct):
    """What one graph has this actor do, and how far it is."""

    graph_id: TaskId
    driver: Address
    steps: list[GraphStep]
    ids: list[IdSource]
    """Of each step: where its calls have their ids from."""
    last: dict[int, int]
    """Of each channel that is read here: the last step of a pass that reads it."""
    number: int = 0
    """Of the pass under way."""
    at: int = 0
    """The step that runs, or comes next."""
    queued: QueuedCall | None = None
    """It runs, or waits for large arguments, or for its results to be written."""
    closed: bool = False
    arrived: dict[int, dict[int, tuple[Address, ChannelWrite]]] = {}
    """By pass and channel."""


class Compiled:
    def __init__(
        self,
        host: Host,
        owner: Owner,
        actor: ActorQueue,
        arguments: Arguments,
        run: Callable[[QueuedCall, RunnableTask], None],
    ) -> None:
        self._host = host
        self._owner = owner
        self._channels = owner.channels
        self._actor = actor
        self._arguments = arguments
        self._run = run
        self._parts: dict[TaskId, Part] = {}
        self._running: dict[TaskId, Part] = {}
        """By the call that runs."""
        owner.graphs.part_takes = self._on_write

    def on_open(self, sender: Address, message: OpenGraph) -> None:
        spec = self._actor.spec
        if spec is None or spec.actor_id != message.actor_id:
            return
        graph_id = message.graph_id
        if graph_id not in self._parts:
            last = {
                channel: index
                for index, step in enumerate(message.steps)
                for _, channel in step.inputs
            }
            ids = [IdSource(graph_id, index) for index in range(len(message.steps))]
            self._parts[graph_id] = Part(graph_id, sender, message.steps, ids, last)
        self._host.send(sender, GraphOpened(graph_id, message.actor_id))

    def _on_write(self, sender: Address, write: ChannelWrite) -> None:
        part = self._parts.get(write.graph_id)
        if part is None or write.channel not in part.last or write.number < part.number:
            return
        values = part.arrived.get(write.number)
        if values is None:
            values = part.arrived[write.number] = {}
        values[write.channel] = (sender, write)
        if part.queued is None:
            self._go_on(part)

    def _go_on(self, part: Part) -> None:
        """Begin the next step, if all that it reads is here."""
        values = part.arrived.get(part.number)
        if values is None:
            return
        step = part.steps[part.at]
        args: list[LocalArg] = []
        refs: list[TaskArg] = []
        failure: Failure | None = None
        for position, channel in step.inputs:
            found = values.get(channel)
            if found is None:
                return
            writer, write = found
            if write.payload is not None:
                args.append(LocalArg(position, write.payload))
            elif write.failure is not None:
                failure = failure or write.failure
            else:
                assert write.object_id is not None
                assert write.holder is not None
                refs.append(
                    TaskArg(position, write.object_id, writer, None, [write.holder], write.size)
                )
        call = TaskCall(
            part.ids[part.at].actor_task(self._actor_id),
            0,
            step.args,
            refs if failure is None else [],
            method=step.method,
            num_returns=len(step.outputs),
        )
        queued = part.queued = QueuedCall(call, part.driver, args=args, failure=failure)
        if call.refs:
            self._arguments.bring(queued, lambda _: self._begin(part, queued), may_give_up=False)
        else:
            self._begin(part, queued)

    @property
    def _actor_id(self) -> ActorId:
        assert self._actor.spec is not None
        return self._actor.spec.actor_id

    def _begin(self, part: Part, queued: QueuedCall) -> None:
        self._running[queued.call.task_id] = part
        self._run(queued, self._actor.runnable(queued))

    def runs(self, queued: QueuedCall) -> bool:
        return queued.call.task_id in self._running

    def finished(self, queued: QueuedCall, outcome: Outcome, lasted_ns: int) -> None:
        """User code is done with a step: its values go to their readers, then the next one may begin."""
        task_id = queued.call.task_id
        part = self._running.pop(task_id)
        if part.closed:
            for value in outcome.returns:
                self._owner.objects.drop_holds(value.contained)
            return
        self._write(part, task_id, outcome)
        # Short methods one after another: their values leave together.
        self._channels.settle(more=part.queued is not None and lasted_ns < GATHER_NS)

    def _write(self, part: Part, task_id: TaskId, outcome: Outcome) -> None:
        outputs = part.steps[part.at].outputs
        left = len(outputs)

        def written() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._step_done(part)

        for index, output in enumerate(outputs):
            if outcome.failure is not None:
                self._channels.write_failure(part.graph_id, part.number, output, outcome.failure)
                written()
                continue
            value = outcome.returns[index]
            if self._channels.fits(value):
                self._channels.write_inline(
                    part.graph_id,
                    part.number,
                    output,
                    b"".join(value.parts),
                    value.contained,
                    value.is_error,
                )
                written()
            else:
                # It may be the actor's own array: the next method comes after it was copied.
                name = return_id(task_id, index)
                self._channels.store(
                    part.graph_id,
                    part.number,
                    output,
                    value,
                    name,
                    lambda: not part.closed,
                    written,
                )

    def _step_done(self, part: Part) -> None:
        values = part.arrived[part.number]
        for _, channel in part.steps[part.at].inputs:
            if part.last[channel] == part.at and channel in values:
                self._channels.acknowledge(*values.pop(channel))
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
        part.arrived.clear()
        queued = part.queued
        if queued is not None and queued.call.task_id not in self._running:
            queued.dropped = True
        self._channels.close(part.graph_id)

    def drivers(self) -> list[Address]:
        return [part.driver for part in self._parts.values()]

    def driver_lost(self, peer: Address) -> None:
        for part in list(self._parts.values()):
            if part.driver.worker_id == peer.worker_id:
                del self._parts[part.graph_id]
                self._close(part)
