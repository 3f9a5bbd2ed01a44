"""Compiled graphs of this driver: opened at their actors, passes started, outputs gathered. Never which method runs.

Nothing is scheduled in a pass: the driver writes its inputs straight to the actors that read them, and
gets the outputs straight from those that write them. A graph does not outlive any of its actors'
incarnations: what was under way then fails, and the others are told to close it.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.protocol.host import Host
from raysim.protocol.messages import (
    ChannelOutput,
    ChannelWrite,
    CloseGraph,
    GraphOpened,
    GraphStep,
    OpenGraph,
)
from raysim.protocol.owner.actor_calls import ActorCalls
from raysim.protocol.owner.channels import Channels
from raysim.spec.actor import ActorInfo, ActorState
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.graph import GraphPlan
from raysim.spec.ids import ActorId, TaskId


class Pass(msgspec.Struct):
    """One run of a graph, as far as its outputs have arrived."""

    missing: int
    """Channels that nothing came through yet."""
    written: dict[int, tuple[Address, ChannelWrite]] = {}
    error: ChannelWrite | None = None
    """The first error that came: the whole pass's, so that nobody gets part of a result (Ray)."""
    held: bool = False
    """Some writer keeps something until its output was read."""
    told: Callable[[], None] | None = None

    def is_done(self) -> bool:
        return not self.missing or self.error is not None


class Graph(msgspec.Struct):
    """`failure`: it is closed, because of that."""

    graph_id: TaskId
    plan: GraphPlan
    answer: Callable[[Failure | None], None]
    """Of whoever opens it; called once."""
    actors: dict[ActorId, Address] = {}
    """Those that are known to live."""
    opening: dict[ActorId, None] = {}
    """Those that have not said yet that they take values."""
    opened: bool = False
    inputs: list[ChannelOutput] = []
    outputs: dict[int, None] = {}
    passes: dict[int, Pass] = {}
    """Those that somebody waits for, or may still ask for."""
    failure: Failure | None = None


class Graphs:
    def __init__(self, host: Host, calls: ActorCalls, channels: Channels) -> None:
        self._host = host
        self._calls = calls
        self._channels = channels
        self._graphs: dict[TaskId, Graph] = {}
        self.part_takes: Callable[[Address, ChannelWrite], None] = lambda sender, write: None
        """Set by the role of this process that runs the actor's part of graphs."""

    # Opening

    def open(
        self, graph_id: TaskId, plan: GraphPlan, answer: Callable[[Failure | None], None]
    ) -> Graph:
        """Tell the actors, once all of them live. Calls `answer` when the graph takes values, or never will."""
        outputs = dict.fromkeys(plan.outputs)
        graph = Graph(graph_id, plan, answer, outputs=outputs)
        self._graphs[graph_id] = graph
        for actor_id in plan.actors():
            if graph.failure is None:
                self._calls.watch(actor_id, graph_id, partial(self._actor_changed, graph))
        return graph

    def _actor_changed(self, graph: Graph, info: ActorInfo) -> None:
        if graph.failure is not None:
            return
        known = graph.actors.get(info.actor_id)
        if info.state == ActorState.DEAD:
            self._break(graph, _died(info))
        elif known is not None:
            if info.state != ActorState.ALIVE or info.address.worker_id != known.worker_id:
                self._break(graph, _restarted(info))
        elif info.state == ActorState.ALIVE:
            graph.actors[info.actor_id] = info.address
            if len(graph.actors) == len(graph.plan.actors()):
                self._tell(graph)

    def _tell(self, graph: Graph) -> None:
        """All actors live: each is told its part, with the addresses of those that read what it writes."""
        readers = graph.plan.readers()

        def output(channel: int) -> ChannelOutput:
            found = [graph.actors[actor_id] for actor_id in readers.get(channel, ())]
            if channel in graph.outputs:
                found.append(self._host.address)
            return ChannelOutput(channel, list({a.worker_id: a for a in found}.values()))

        steps: dict[ActorId, list[GraphStep]] = {}
        for step in graph.plan.steps:
            outputs = [output(channel) for channel in step.outputs]
            steps.setdefault(step.actor_id, []).append(
                GraphStep(step.method, step.args, step.inputs, outputs)
            )
        graph.inputs = [output(channel) for channel in graph.plan.inputs]
        graph.opening = dict.fromkeys(steps)
        for actor_id, own in steps.items():
            self._host.send(graph.actors[actor_id], OpenGraph(graph.graph_id, actor_id, own))

    def on_opened(self, sender: Address, opened: GraphOpened) -> None:
        graph = self._graphs.get(opened.graph_id)
        if graph is None or graph.opened:
            return
        graph.opening.pop(opened.actor_id, None)
        if not graph.opening:
            graph.opened = True
            graph.answer(None)

    # Passes

    def begin(self, graph: Graph, number: int) -> None:
        """Outputs of this pass are expected from now on; the inputs are then written by the caller."""
        graph.passes[number] = Pass(len(graph.outputs))

    def on_write(self, sender: Address, write: ChannelWrite) -> None:
        graph = self._graphs.get(write.graph_id)
        if graph is not None and write.channel in graph.outputs:
            self._take(graph, sender, write)
        else:
            self.part_takes(sender, write)

    def _take(self, graph: Graph, sender: Address, write: ChannelWrite) -> None:
        found = graph.passes.get(write.number)
        if found is None:
            self._channels.acknowledge(sender, write)  # Nobody asks for it any more.
            return
        if write.channel not in found.written:
            found.missing -= 1
        found.written[write.channel] = (sender, write)
        found.held = found.held or write.held
        if (write.is_error or write.failure is not None) and found.error is None:
            found.error = write
        if found.told is not None and found.is_done():
            told, found.told = found.told, None
            told()

    def when_done(self, graph: Graph, number: int, told: Callable[[], None]) -> None:
        """Run `told` once all outputs of the pass are here, or none will come."""
        found = graph.passes[number]
        if found.is_done() or graph.failure is not None:
            told()
        else:
            found.told = told

    def read(self, found: Pass) -> None:
        """Nobody asks for the outputs of this pass any more, which was taken out of the graph's."""
        for sender, write in found.written.values():
            self._channels.acknowledge(sender, write)

    # The end

    def close(self, graph: Graph) -> None:
        """Torn down by its driver. What has arrived may still be taken."""
        if self._graphs.get(graph.graph_id) is graph:
            text = f"Compiled graph {graph.graph_id.hex()[:16]} was torn down."
            self._break(graph, Failure(FailureKind.CHANNEL_CLOSED, text))

    def _break(self, graph: Graph, failure: Failure) -> None:
        graph.failure = failure
        del self._graphs[graph.graph_id]
        for actor_id in graph.plan.actors():
            self._calls.unwatch(actor_id, graph.graph_id)
        if graph.inputs:
            for address in graph.actors.values():
                self._host.send(address, CloseGraph(graph.graph_id))
        self._channels.close(graph.graph_id)
        for found in graph.passes.values():
            if found.told is not None:
                told, found.told = found.told, None
                told()
        if not graph.opened:
            graph.answer(failure)


def _died(info: ActorInfo) -> Failure:
    if info.death is not None:
        return info.death
    text = f"Actor {info.class_name} ({info.actor_id.hex()[:8]}) of a compiled graph is dead."
    return Failure(FailureKind.ACTOR_DIED, text, info.actor_id)


def _restarted(info: ActorInfo) -> Failure:
    text = (
        f"Actor {info.class_name} ({info.actor_id.hex()[:8]}) of a compiled graph died and is started"
        " again. The graph does not outlive that: compile another one."
    )
    return Failure(FailureKind.ACTOR_DIED, text, info.actor_id)
