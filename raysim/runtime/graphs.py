"""Compiled graphs between Python values and the channels of the protocol. Never a pass's order: see the actors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from raysim.backend import BoundMethod, Channel, GraphOptions
from raysim.protocol.host import Waiter
from raysim.protocol.messages import ChannelWrite, ContainedRef
from raysim.protocol.owner.graphs import Graph
from raysim.runtime.futures import told
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.serialization import Serialized
from raysim.runtime.values import NS, raisable
from raysim.spec.address import Address
from raysim.spec.failure import Failure
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

    def is_open(self) -> bool:
        return self._graph.failure is None

    # Passes

    def start(self, values: Sequence[Any]) -> int:
        serialize, limit = self._worker.values.serialize, self._host.config.max_inline_bytes
        serialized = [serialize(value, "the input of a compiled graph") for value in values]
        # What is large is in the store when this returns: the caller may change its arrays then.
        refs = [
            self._worker.values.put_serialized(one) if one.size > limit else None
            for one in serialized
        ]
        number, self._next = self._next, self._next + 1
        with self._host.lock:
            self._worker.drain()
            self._graphs.begin(self._graph, number)
            if self._graph.failure is None:
                for index, one in enumerate(serialized):
                    self._write(number, index, one, refs[index])
                self._channels.settle(more=len(self._graph.passes) > 1)
        return number

    def _write(self, number: int, index: int, value: Serialized, ref: ObjectRef | None) -> None:
        output, objects = self._graph.inputs[index], self._worker.owner.objects
        if ref is not None:
            entry = objects.entries[ref._id]
            self._channels.write_stored(self._graph.graph_id, number, output, entry)
            return
        if value.contained:
            objects.hold(value.contained)
        self._channels.write_inline(
            self._graph.graph_id, number, output, value.join(), value.contained
        )

    def done(self, number: int) -> bool:
        return self._graph.passes[number].is_done() or self._graph.failure is not None

    def wait(self, number: int, timeout: float | None) -> bool:
        if self.done(number):
            return True
        waiter = Waiter()
        with self._host.lock:
            self._graphs.when_done(self._graph, number, waiter.finish)
        return self._worker.block(waiter, None if timeout is None else int(timeout * NS))

    async def ready(self, number: int) -> None:
        def begin(here: Any) -> None:
            with self._host.lock:
                self._channels.flush()
                self._graphs.when_done(self._graph, number, here)

        if not self.done(number):
            await told(begin)

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
        return self._worker.values.load(write.payload)[0]

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
        if not found.held and not found.missing:
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
        contained, self._contained = self._contained, []
        self._worker.owner.objects.drop_holds(contained)
