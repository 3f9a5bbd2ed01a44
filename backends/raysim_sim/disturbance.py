"""What faults do to messages between processes: held up, cut off, lost, doubled, overtaken. Never how long without.

A gate stands at the head of a connection that is disturbed: what was sent waits there in its order until it
is due and the way is free. Then the network carries it as any other. Only messages that are asked for again
may be lost, doubled or overtaken: see raysim.protocol.messages.repeats.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from raysim.protocol.messages import Message
from raysim.protocol.messages.repeats import ASKED_AGAIN, REPLIES
from raysim.tape import Draws
from raysim_sim.clock import Clock
from raysim_sim.network import Connection, Network

if TYPE_CHECKING:
    from raysim_sim.hosts import SimHost
    from raysim_sim.node import SimNode

RETRANSMIT_NS: Final = 200_000_000
"""Until TCP sends a lost packet again, doubled each time. Linux: TCP_RTO_MIN."""
RETRANSMISSIONS: Final = 6
"""Of one packet, at most: the sixth gets through. Ours."""
STALE_NS: Final = 2_000_000_000
"""How late a stale duplicate comes. Ours: longer than any request is left unanswered at first."""


class Wait(msgspec.Struct, eq=False):
    """A rule of a fault: how much longer a message on the connection takes."""

    wait_ns: Callable[[Connection, Message], int]


class Cut(msgspec.Struct, eq=False):
    """A rule of a fault: nothing passes from these nodes to those."""

    cuts: Callable[["SimNode", "SimNode"], bool]


class Mishap(msgspec.Struct, eq=False):
    """A rule of a fault: what becomes of a message that is asked for again. True: it is taken away."""

    takes: Callable[[Connection, Message], bool]


class _Gate:
    """What waits at the head of a connection: each message, or the loss of its sender (None), and when it is due."""

    __slots__ = ("armed", "due_ns", "queue")

    def __init__(self) -> None:
        self.queue: deque[tuple[Message | None, int]] = deque()
        self.due_ns = 0
        self.armed = False


class _Opening(msgspec.Struct, gc=False):
    """What waits first at a gate is due."""

    connection: Connection
    callbacks: tuple[Callable[["_Opening"], None]]
    _ok: ClassVar[bool] = True


class Disturbance:
    """All rules in force, and the gates that they made."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self._network = network
        self._clock = clock
        self._waits: list[Wait] = []
        self._cuts: list[Cut] = []
        self._mishaps: list[Mishap] = []
        self._gates: dict[Connection, _Gate] = {}
        self._open = (self._on_opening,)
        network.disturb(self)

    # --- rules come and go ---

    def begin(self, rule: Wait | Cut | Mishap) -> None:
        self._list_of(rule).append(rule)

    def end(self, rule: Wait | Cut | Mishap) -> None:
        """Harmless when it ended before."""
        rules = self._list_of(rule)
        if rule in rules:
            rules.remove(rule)
        if isinstance(rule, Cut):
            for connection, gate in list(self._gates.items()):
                self._let_through(connection, gate)

    def _list_of(self, rule: Wait | Cut | Mishap) -> list[Wait | Cut | Mishap]:
        found: dict[type, list[Wait | Cut | Mishap]] = {
            Wait: self._waits,  # type: ignore[dict-item]  # Each list holds its kind only.
            Cut: self._cuts,  # type: ignore[dict-item]  # As above.
            Mishap: self._mishaps,  # type: ignore[dict-item]  # As above.
        }
        return found[type(rule)]

    # --- asked by the network ---

    def keeps(self, connection: Connection, message: Message) -> bool:
        """Whether the message is not to be carried now."""
        if connection.source is connection.target:
            return False
        if self._mishaps and type(message) in ASKED_AGAIN:
            for rule in list(self._mishaps):
                if rule.takes(connection, message):
                    return True
        wait_ns = 0
        for wait in self._waits:
            wait_ns += wait.wait_ns(connection, message)
        gate = self._gates.get(connection)
        if gate is None:
            if not wait_ns and not self._is_cut(connection.source, connection.target):
                return False
            gate = self._gates[connection] = _Gate()
        self._queue(connection, gate, message, wait_ns)
        return True

    def keeps_loss(self, host: "SimHost", peer: "SimHost") -> bool:
        """Whether the host hears of the peer's end behind what is kept of what the peer sent."""
        connection = peer.outgoing.get(host.address.worker_id)
        gate = None if connection is None else self._gates.get(connection)
        if gate is None and not self._is_cut(peer, host):
            return False
        if connection is None:
            connection = self._network.connect(peer, host.address)
        if gate is None:
            gate = self._gates[connection] = _Gate()
        self._queue(connection, gate, None, 0)
        return True

    def vanished(self, host: "SimHost") -> None:
        """Its machine has no power: what it sent and what waits still never leaves."""
        for connection, gate in list(self._gates.items()):
            if connection.source is host:
                for message, _ in gate.queue:
                    if message is not None:
                        self._network.drop(connection, message)
                gate.queue.clear()

    def _is_cut(self, source: "SimHost", target: "SimHost") -> bool:
        if source.node is target.node:
            return False
        return any(cut.cuts(source.node, target.node) for cut in self._cuts)

    # --- gates ---

    def _queue(
        self, connection: Connection, gate: _Gate, message: Message | None, wait_ns: int
    ) -> None:
        gate.due_ns = max(gate.due_ns, self._clock.now_ns + wait_ns)
        gate.queue.append((message, gate.due_ns))
        if len(gate.queue) == 1:
            self._let_through(connection, gate)

    def _on_opening(self, event: _Opening) -> None:
        gate = self._gates.get(event.connection)
        if gate is not None:
            gate.armed = False
            self._let_through(event.connection, gate)

    def _let_through(self, connection: Connection, gate: _Gate) -> None:
        """What is due, as far as the way is free: `end` asks again."""
        now = self._clock.now_ns
        while gate.queue:
            if self._is_cut(connection.source, connection.target) or gate.armed:
                return
            message, due_ns = gate.queue[0]
            if due_ns > now:
                gate.armed = True
                self._clock.after(due_ns - now, _Opening(connection, self._open))
                return
            gate.queue.popleft()
            if message is None:
                self._network.tell_loss(connection)
            else:
                self._network.release(connection, message)
        self._gates.pop(connection, None)


# --- rules ---


def between(nodes: "list[SimNode]", connection: Connection) -> bool:
    """Whether one end is on these nodes and the other on another node."""
    source, target = connection.source.node, connection.target.node
    return source is not target and (source in nodes or target in nodes)


def delayed(
    nodes: "list[SimNode]", latency_ns: int, jitter_ns: int, message: str | None, draws: Draws
) -> Wait:
    def wait_ns(connection: Connection, sent: Message) -> int:
        if message is None:
            if not between(nodes, connection):
                return 0
        elif type(sent).__name__ != message or not (
            connection.source.node in nodes or connection.target.node in nodes
        ):
            return 0
        return latency_ns + (draws.below(jitter_ns + 1) if jitter_ns else 0)

    return Wait(wait_ns)


def lossy(nodes: "list[SimNode]", rate: float, draws: Draws) -> Wait:
    """Packets are lost, and sent again."""

    def wait_ns(connection: Connection, sent: Message) -> int:
        if not between(nodes, connection):
            return 0
        tries = 0
        while tries < RETRANSMISSIONS and draws.chance(rate):
            tries += 1
        return RETRANSMIT_NS * ((1 << tries) - 1)

    return Wait(wait_ns)


def slow(node: "SimNode", per_message_ns: int) -> Wait:
    def wait_ns(connection: Connection, sent: Message) -> int:
        return per_message_ns if connection.target.node is node else 0

    return Wait(wait_ns)


def cut(nodes: "list[SimNode]", others: "list[SimNode]", one_way: bool) -> Cut:
    def cuts(source: "SimNode", target: "SimNode") -> bool:
        if source in nodes and target in others:
            return True
        return not one_way and source in others and target in nodes

    return Cut(cuts)


def doubled(
    network: Network, rate: float, latest_ns: int, message: str | None, draws: Draws
) -> Mishap:
    def takes(connection: Connection, sent: Message) -> bool:
        if _is(sent, message) and draws.chance(rate):
            network.deliver_alone(connection, sent, connection.latency + draws.below(latest_ns + 1))
        return False

    return Mishap(takes)


def overtaken(
    network: Network, rate: float, latest_ns: int, message: str | None, draws: Draws
) -> Mishap:
    def takes(connection: Connection, sent: Message) -> bool:
        if not _is(sent, message) or not draws.chance(rate):
            return False
        network.deliver_alone(connection, sent, connection.latency + draws.below(latest_ns + 1))
        return True

    return Mishap(takes)


class FailingCalls:
    """The next so many requests fail in one of four ways."""

    def __init__(
        self, network: Network, way: str, message: str | None, count: int, over: Callable[[], None]
    ) -> None:
        self._network = network
        self._way = way
        self._message = message
        self._left = count
        self._over = over
        self._awaited: dict[tuple[SimHost, SimHost], tuple[Connection, Message]] = {}
        """By who answers and who asked: the request whose reply is to be lost."""

    def takes(self, connection: Connection, sent: Message) -> bool:
        asked = self._awaited.get((connection.source, connection.target))
        if asked is not None and type(sent) in REPLIES[type(asked[1])]:
            return self._reply(connection, sent)
        if self._left and type(sent) in REPLIES and _is(sent, self._message):
            self._left -= 1
            taken = self._begin(connection, sent)
            self._look()
            return taken
        return False

    def _begin(self, connection: Connection, sent: Message) -> bool:
        match self._way:
            case "request_lost":
                self._network.drop(connection, sent)
            case "stale_duplicate":
                self._network.deliver_alone(connection, sent, STALE_NS)
            case _:
                self._awaited[connection.target, connection.source] = (connection, sent)
        return self._way == "request_lost"

    def _look(self) -> None:
        if not self._left and not self._awaited:
            self._over()

    def _reply(self, connection: Connection, sent: Message) -> bool:
        there, request = self._awaited.pop((connection.source, connection.target))
        self._network.drop(connection, sent)
        if self._way == "retried":
            self._network.deliver_alone(there, request, there.latency)
        self._look()
        return True


def _is(sent: Message, message: str | None) -> bool:
    return message is None or type(sent).__name__ == message
