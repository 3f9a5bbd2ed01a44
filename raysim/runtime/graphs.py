"""Compiled graphs between Python values and the channels of the protocol. Never a pass's order: see the actors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from raysim.backend import BoundMethod, Channel, GraphOptions
from raysim.protocol.host import Waiter
from raysim.protocol.messages import ChannelOutput, ChannelWrite, ContainedRef
from raysim.protocol.owner.channels import write_straight
from raysim.protocol.owner.graphs import Graph
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.serialization import Serialized
from raysim.runtime.values import NS, raisable
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.graph import GraphPlan, PlannedStep
from raysim.spec.ids import NIL_OBJECT

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker


def compile_graph(worker: "CoreWorker", options: GraphOptions) -> "OpenedGraph":
    """Raises ActorDiedError, TypeError for a constant that cannot be pickled."""
    contained: list[ContainedRef] = []
    steps = [_planned(worker, method, contained) for method in options.methods]
    plan = GraphPlan(steps, options.inputs, options.outputs)
    waiter = Waiter()
    refused: list[Failure] = []

    def answer(failure: Failure | None) -> None:
        if failure is not None:
            refused.append(failure)
        waiter.finish()

    with worker.host.lock:
        worker.drain()
        worker.owner.objects.hold(contained)
        graph = worker.owner.graphs.open(worker.context.ids.task(), plan, answer)
    opened = OpenedGraph(worker, graph, contained)
    try:
        worker.block(waiter, None)
    except BaseException:
        opened.close()
        raise
    if refused:
        opened.close()
        raise worker.values.exception_of(refused[0], NIL_OBJECT)
    return opened


def _planned(
    worker: "CoreWorker", method: BoundMethod, contained: list[ContainedRef]
) -> PlannedStep:
    inputs: list[tuple[int, int]] = []
    constants: list[Any] = []
    for position, value in enumerate(method.args):
        if isinstance(value, Channel):
            inputs.append((position, value.number))
            constants.append(None)
        else:
            constants.append(value)
    if len(inputs) == len(constants) and not method.kwargs:
        return PlannedStep(method.actor_id, method.method, b"", inputs, method.outputs)
    what = f"the constants of {method.method}"
    serialized = worker.values.serialize((constants, method.kwargs), what)
    contained.extend(serialized.contained)
    return PlannedStep(method.actor_id, method.method, serialized.join(), inputs, method.outputs)


class OpenedGraph:
    """The port `raysim.backend.CompiledGraph`, over this process's owner."""

    def __init__(self, worker: "CoreWorker", graph: Graph, contained: list[ContainedRef]) -> None:
        self.graph_id: bytes = graph.graph_id
        self._worker = worker
        self._host = worker.host
        self._graphs = worker.owner.graphs
        self._channels = worker.owner.channels
        self._graph = graph
        self._contained = contained
        """References among the constants of its methods."""
        self._next = 0
        self._inline_limit = worker.host.config.max_inline_bytes

    def is_open(self) -> bool:
        return self._graph.failure is None

    # Passes

    def start(self, values: Sequence[Any]) -> int:
        graph = self._graph
        serialize = self._worker.values.serialize
        serialized = [serialize(value, "the input of a compiled graph") for value in values]
        number, self._next = self._next, self._next + 1
        self._graphs.begin(graph, number)
        if graph.failure is not None:
            return number
        left: list[tuple[ChannelOutput, Serialized]] = []
        try:
            # An interrupt finds all written, or nothing.
            with self._host.guard:
                for output, one in zip(graph.inputs, serialized, strict=True):
                    rest: ChannelOutput | None = output
                    if not one.contained:
                        rest = write_straight(graph.outlets, number, output, one.parts, one.size)
                    if rest is not None:
                        left.append((rest, one))
            if not left:
                return number
            # What is large is in the store when this returns: the caller may change its arrays then.
            refs = [self._stored_first(one) for _, one in left]
        except BaseException as error:
            self._give_up(number, [output for output, _ in left], error)
            raise
        self._send(number, left, refs)
        return number

    def _stored_first(self, value: Serialized) -> ObjectRef | None:
        if value.size <= self._inline_limit:
            return None
        return self._worker.values.put_serialized(value)

    def _send(
        self,
        number: int,
        left: list[tuple[ChannelOutput, Serialized]],
        refs: list[ObjectRef | None],
    ) -> None:
        graph_id, objects = self._graph.graph_id, self._worker.owner.objects
        with self._host.lock:
            self._worker.drain()
            for (output, value), ref in zip(left, refs, strict=True):
                if ref is not None:
                    entry = objects.entries[ref._id]
                    self._channels.write_stored(graph_id, number, output, entry)
                    continue
                if value.contained:
                    objects.hold(value.contained)
                self._channels.write_inline(graph_id, number, output, value.join(), value.contained)
            self._channels.settle(more=len(self._graph.passes) > 1)

    def _give_up(self, number: int, outputs: list[ChannelOutput], error: BaseException) -> None:
        """The pass has begun, and the next one comes after it: its methods get a failure for what is missing."""
        text = f"An input of this pass was not written: {type(error).__name__}: {error}"
        failure = Failure(FailureKind.CHANNEL_CLOSED, text)
        with self._host.lock:
            for output in outputs:
                self._channels.write_failure(self._graph.graph_id, number, output, failure)
            self._channels.flush()
            self.forget(number)

    def done(self, number: int) -> bool:
        graph = self._graph
        if self._graphs.is_done(graph, number):
            return True
        with self._host.guard:
            found = self._graphs.look(graph)
        if found and graph.waiting:
            self._tell_others()
        return self._graphs.is_done(graph, number)

    def _tell_others(self) -> None:
        """What came may be another pass's, whose coroutine began to wait when its host had told of it already."""
        with self._host.lock:
            self._tell()

    def wait(self, number: int, timeout: float | None) -> bool:
        graphs, graph, host = self._graphs, self._graph, self._host
        if graphs.is_done(graph, number):
            return True
        left_ns = None if timeout is None else int(timeout * NS)
        end_ns = None if left_ns is None else host.now_ns() + left_ns
        while True:
            waiter = graph.blocked
            if waiter is None or waiter.done:
                waiter = graph.blocked = Waiter()
                if graphs.is_done(graph, number):  # Since it was looked at last.
                    return True
            with host.guard:
                in_time = self._block(waiter, left_ns)
                found = graphs.look(graph)
            if found and graph.waiting:
                self._tell_others()
            if graphs.is_done(graph, number):
                return True
            if not in_time:
                return False
            left_ns = None if end_ns is None else max(0, end_ns - host.now_ns())

    def _block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        inbox, worker = self._graph.inbox, self._worker
        if inbox is None:
            return worker.block(waiter, timeout_ns)
        if worker.executor is not None or self._channels.has_unsent:
            return worker.block(waiter, timeout_ns, inbox.block)
        # A driver lends no CPUs, and calls that were gathered leave by their timers.
        return waiter.done or inbox.block(waiter, timeout_ns)

    async def ready(self, number: int) -> None:
        graphs, graph = self._graphs, self._graph

        def begin(here: Any) -> None:
            with self._host.lock:
                self._channels.flush()
                graphs.when_told(graph, here)
                if graph.inbox is not None:
                    graph.inbox.announce(self._tell)
                if graphs.is_done(graph, number):
                    graphs.tell(graph)

        while not self.done(number):
            from raysim.runtime.futures import told  # With asyncio, where it is used already.

            await told(begin)

    def _tell(self) -> None:
        self._graphs.tell(self._graph)

    def result(self, number: int, output: int) -> Any:
        found = self._graph.passes[number]
        if found.error is not None:
            raise self._error(found.error)
        written = found.written.get(self._graph.plan.outputs[output])
        if written is None:
            assert self._graph.failure is not None, f"pass {number} is not done"
            raise self._worker.values.exception_of(self._graph.failure, NIL_OBJECT)
        sender, write = written
        if write.payload is None:
            return self._stored(sender, write)
        if write.held:
            return self._worker.values.load(write.payload)[0]
        return self._worker.values.load_plain(write.payload)

    def _error(self, write: ChannelWrite) -> BaseException:
        values = self._worker.values
        if write.payload is None:
            assert write.failure is not None
            return values.exception_of(write.failure, NIL_OBJECT)
        return raisable(values.load(write.payload)[0])

    def _stored(self, writer: Address, write: ChannelWrite) -> Any:
        assert write.object_id is not None
        assert write.holder is not None
        ref = ObjectRef(write.object_id, writer, None)
        self._worker.adopt([ref])
        with self._host.lock:
            entry = self._worker.owner.objects.entries[write.object_id]
            if not entry.ready:
                self._worker.owner.objects.set_stored(entry, write.size, [write.holder])
        return self._worker.values.get([ref], None)[0]

    def forget(self, number: int) -> None:
        passes = self._graph.passes
        found = passes.get(number)
        if found is None:
            return
        if not found.held and len(found.written) == found.outputs:
            del passes[number]
            return
        with self._host.lock:
            self._graphs.read(passes.pop(number))

    # The end

    def close(self) -> None:
        with self._host.lock:
            self._close()

    def close_soon(self) -> None:
        self._host.soon(self._close)

    def _close(self) -> None:
        self._graphs.close(self._graph)
        self._graphs.let_go(self._graph)
        contained, self._contained = self._contained, []
        self._worker.owner.objects.drop_holds(contained)
