"""Compiled graphs of this driver: opened at their actors, passes started, outputs gathered. Never which method runs.

Nothing is scheduled in a pass: the driver writes its inputs straight to the actors that read them, and
gets the outputs straight from those that write them. A graph does not outlive any of its actors'
incarnations: what was under way then fails, and the others are told to close it.

What user code calls for each pass (`begin`, `is_done`, `when_told`) needs no lock: one thread at a time
drives a graph, and that one alone takes from its inbox (`look`).
"""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.protocol.host import Inbox, Outlet, ProcessHost, Waiter
from raysim.protocol.messages import (
    ChannelOutput,
    ChannelWrite,
    CloseGraph,
    ConnectGraph,
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
from raysim.spec.ids import ActorId, TaskId, WorkerId


class Pass(msgspec.Struct):
    """One run of a graph, as far as its outputs have arrived."""

    outputs: int
    """Channels that something comes through."""
    written: dict[int, tuple[Address, ChannelWrite]] = {}
    error: ChannelWrite | None = None
    """The first error that came: the whole pass's, so that nobody gets part of a result (Ray)."""
    held: bool = False
    """Some writer keeps something until its output was read."""
    done: bool = False
    """All outputs are here, or an error is."""


class Graph(msgspec.Struct):
    """`failure`: it is closed, because of that."""

    graph_id: TaskId
    plan: GraphPlan
    answer: Callable[[Failure | None], None]
    """Of whoever opens it; called once."""
    actors: dict[ActorId, Address] = {}
    """Those that are known to live."""
    writers: dict[ActorId, list[ChannelOutput]] = {}
    """What each actor writes."""
    opening: dict[ActorId, None] = {}
    """Those that have not said yet that they take values."""
    opened: bool = False
    inputs: list[ChannelOutput] = []
    outputs: dict[int, None] = {}
    passes: dict[int, Pass] = {}
    """Those that somebody waits for, or may still ask for."""
    waiting: dict[Callable[[], None], None] = {}
    """Told of whatever happens next, each once."""
    blocked: Waiter | None = None
    """Of the thread that blocks until something comes: it alone takes what does."""
    inbox: Inbox | None = None
    places: dict[WorkerId, str] = {}
    """Where the actors have theirs."""
    outlets: dict[WorkerId, Outlet] = {}
    failure: Failure | None = None


class Graphs:
    def __init__(self, host: ProcessHost, calls: ActorCalls, channels: Channels) -> None:
        self._host = host
        self._address = host.address
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
                self._calls.clients.watch(actor_id, graph_id, partial(self._actor_changed, graph))
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
        for actor_id, own in steps.items():
            graph.writers[actor_id] = [output for step in own for output in step.outputs]
        here = [address for address in graph.actors.values() if self._is_near(address)]
        if here and self._host.address.worker_id not in {a.worker_id for a in here}:
            graph.inbox = self._host.inbox(graph.graph_id)
        graph.opening = dict.fromkeys(steps)
        for actor_id, own in steps.items():
            self._host.send(graph.actors[actor_id], OpenGraph(graph.graph_id, actor_id, own))

    def _is_near(self, address: Address) -> bool:
        return address.node_id == self._host.address.node_id

    def on_opened(self, sender: Address, opened: GraphOpened) -> None:
        graph = self._graphs.get(opened.graph_id)
        if graph is None or graph.opened:
            return
        graph.opening.pop(opened.actor_id, None)
        if opened.place:
            graph.places[sender.worker_id] = opened.place
        if not graph.opening:
            graph.opened = True
            self._connect(graph)
            graph.answer(None)

    def _connect(self, graph: Graph) -> None:
        """Tell each writer which of the processes that read what it writes have an inbox on its node."""
        own = self._host.address
        if graph.inbox is not None:
            graph.places[own.worker_id] = graph.inbox.place
        for writer, outputs in graph.writers.items():
            found = self._places(graph, graph.actors[writer], outputs)
            if found:
                self._host.send(graph.actors[writer], ConnectGraph(graph.graph_id, found))
        for reader, place in self._places(graph, own, graph.inputs).items():
            outlet = self._host.outlet(place)
            if outlet is not None:
                graph.outlets[reader] = outlet

    def _places(
        self, graph: Graph, writer: Address, outputs: list[ChannelOutput]
    ) -> dict[WorkerId, str]:
        return {
            reader.worker_id: graph.places[reader.worker_id]
            for output in outputs
            for reader in output.readers
            if reader.worker_id in graph.places and reader.node_id == writer.node_id
        }

    # Passes

    def begin(self, graph: Graph, number: int) -> None:
        """Outputs of this pass are expected from now on; the inputs are then written by the caller."""
        graph.passes[number] = Pass(len(graph.outputs))

    def look(self, graph: Graph) -> bool:
        """Take what has come straight; whether anything has."""
        if graph.inbox is None:
            return False
        found = graph.inbox.take()
        for write in found:
            self._take(graph, self._address, write)
        return bool(found)

    def on_write(self, sender: Address, write: ChannelWrite) -> None:
        graph = self._graphs.get(write.graph_id)
        if graph is not None and write.channel in graph.outputs:
            self._take(graph, sender, write)
            self.tell(graph)
        else:
            self.part_takes(sender, write)

    def _take(self, graph: Graph, sender: Address, write: ChannelWrite) -> None:
        found = graph.passes.get(write.number)
        if found is None:
            self._channels.acknowledge(sender, write)  # Nobody asks for it any more.
            return
        found.written[write.channel] = (sender, write)
        if write.held:
            found.held = True
        if (write.is_error or write.failure is not None) and found.error is None:
            found.error = write
        if len(found.written) == found.outputs or found.error is not None:
            found.done = True

    def is_done(self, graph: Graph, number: int) -> bool:
        """All outputs of the pass are here, or none will come."""
        return graph.passes[number].done or graph.failure is not None

    def when_told(self, graph: Graph, told: Callable[[], None]) -> None:
        """Run `told` once something has happened to the graph; what has come into its inbox is not looked at."""
        graph.waiting[told] = None

    def tell(self, graph: Graph) -> None:
        if graph.blocked is not None:
            graph.blocked.finish()
        for told in list(graph.waiting):
            if graph.waiting.pop(told, told) is None:
                told()

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
            self._calls.clients.unwatch(actor_id, graph.graph_id)
        if graph.inputs:
            for address in graph.actors.values():
                self._host.send(address, CloseGraph(graph.graph_id))
        self._channels.close(graph.graph_id)
        self.tell(graph)
        if not graph.opened:
            graph.answer(failure)

    def let_go(self, graph: Graph) -> None:
        """Nobody begins a pass any more. What has come may still be taken."""
        self.look(graph)
        outlets, graph.outlets = graph.outlets, {}
        for outlet in outlets.values():
            outlet.close()
        if graph.inbox is not None:
            graph.inbox.close()


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
