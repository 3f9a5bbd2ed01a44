"""Carries messages: latency, bandwidth, order within a connection, lost peers. Never reads what they mean.

Within a process a message takes no time, within a node `local_latency`. Between nodes a small message pays
latency and its size over the bandwidth; a large one, and what is sent behind it on the same connection,
shares both nodes' links with other transfers.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Union

import msgspec

from raysim.protocol.messages import MESSAGES, Message, ObjectChunk
from raysim.spec.address import Address
from raysim.spec.ids import ObjectId
from raysim_sim.clock import Clock
from raysim_sim.costs import NO_LIMIT, Costs
from raysim_sim.flows import SECOND_NS, Fabric, Flow, Link
from raysim_sim.handling import Handling
from raysim_sim.sizes import ENVELOPE_BYTES, SIZES, SMALL_BYTES
from raysim_sim.sketch import sketch

if TYPE_CHECKING:
    from raysim.journal import Journal
    from raysim_sim.disturbance import Disturbance
    from raysim_sim.hosts import SimHost

_ANY_MESSAGE: Final[Any] = Union[MESSAGES]  # noqa: UP007  (made at run time)


def _through_wire() -> Callable[[Message], tuple[Message, int]]:
    """What arrives of a message, and its bytes. Made only where it is asked for: that takes a while."""
    encode = msgspec.msgpack.Encoder().encode
    decode: Callable[[bytes], Message] = msgspec.msgpack.Decoder(_ANY_MESSAGE).decode

    def carry(message: Message) -> tuple[Message, int]:
        data = encode(message)
        return decode(data), len(data)

    return carry


class Delivery(msgspec.Struct, gc=False):
    """A message arrives."""

    connection: "Connection"
    message: Message
    callbacks: Any
    _ok: ClassVar[bool] = True


class PeerLoss(msgspec.Struct, gc=False):
    """A process learns that another is gone."""

    host: "SimHost"
    peer: "SimHost"
    callbacks: Any
    _ok: ClassVar[bool] = True


class Connection:
    """One direction between two processes. Messages arrive in the order of their sending."""

    __slots__ = ("flow", "last_ns", "latency", "queue", "refused", "remote", "source", "target")

    def __init__(self, source: "SimHost", target: "SimHost", latency: int, remote: bool) -> None:
        self.source = source
        self.target = target
        self.latency = latency
        self.remote = remote
        """Whether bytes take time on it, and their turn."""
        self.last_ns = 0
        """When the last of what was sent arrives."""
        self.queue: deque[tuple[Message, int]] | tuple[()] = ()
        """The message that is transferred, and what waits behind it; a deque once there was one: it takes 600 bytes."""
        self.flow: Flow | None = None
        self.refused = False
        """Whether the source is about to learn that nobody is there."""


class Network:
    """Every connection of a world."""

    def __init__(
        self, clock: Clock, costs: Costs, journal: "Journal", trace: bool, wire: bool
    ) -> None:
        self._clock = clock
        self._after = clock.after
        self._costs = costs
        self._journal = journal
        self._trace = trace
        self._watched = trace
        """Whether somebody looks at each message: the journal, or a fault."""
        self._released = False
        self.sent = 0
        """Messages."""
        self._disturbance: Disturbance | None = None
        self.fabric = Fabric(clock)
        self._hosts: dict[bytes, SimHost] = {}
        self._all: list[SimHost] = []
        """Also those whose address another has by now."""
        self._ns_per_byte = SECOND_NS / costs.bandwidth if costs.bandwidth != NO_LIMIT else 0.0
        self._through_wire = _through_wire() if wire else None
        self._handling: Handling | None = None
        self._alone = self._ns_per_byte > 0 and not costs.shared
        self._moving: dict[tuple[Connection, ObjectId], int] = {}
        """When the last part of an object that has the links for itself is through, the latest begun last."""
        self._deliver = (self._on_delivery,)
        self._lose = (self._on_loss,)
        if costs.message or costs.call:
            self._handling = Handling(clock, costs)
            self._deliver, self._lose = (self._on_arrival,), (self._on_loss_arrival,)

    def add(self, host: "SimHost") -> None:
        before = self._hosts.get(host.address.worker_id)
        assert before is None or not before.alive, f"two processes are called {host.name}"
        self._hosts[host.address.worker_id] = host
        self._all.append(host)

    def forget_all(self, takes_apart: bool) -> None:
        """The world is over. Roles keep timers, which the garbage collector does not see into, and these their
        hosts: unless hosts let go of all that they lead to, no world would ever be given back."""
        for host in self._all:
            host.let_go(takes_apart)
        self._all.clear()
        self._hosts.clear()
        self._moving.clear()
        self._disturbance = None

    def forget(self, host: "SimHost") -> None:
        """A process at the same address is about to start: nobody has a connection to it yet."""
        for other in self._hosts.values():
            other.outgoing.pop(host.address.worker_id, None)
            other.incoming.pop(host.address.worker_id, None)

    def disturb(self, disturbance: "Disturbance") -> None:
        """From now on it sees each message before it is carried."""
        self._disturbance = disturbance
        self._watched = True

    def release(self, connection: Connection, message: Message) -> None:
        """Carry what the disturbance has kept."""
        self._released = True
        self.send(connection, message)
        self._released = False

    def deliver_alone(self, connection: Connection, message: Message, delay_ns: int) -> None:
        """Outside of the connection's order: a copy, or one that is overtaken."""
        self._clock.after(delay_ns, Delivery(connection, message, self._deliver))

    def link(self) -> Link:
        """One direction of a new node's attachment."""
        return Link(self._costs.bandwidth)

    # --- sending ---

    def connect(self, source: "SimHost", to: Address) -> Connection:
        target = self._hosts.get(to.worker_id)
        assert target is not None, f"{source.name} sends to {to}, which no process ever was"
        if source is target:
            connection = Connection(source, target, 0, False)
        elif source.node is target.node:
            connection = Connection(source, target, self._costs.local_latency, False)
        else:
            latency = self._costs.latency
            remote = self._ns_per_byte > 0 and self._costs.shared
            connection = Connection(source, target, latency, remote)
        source.outgoing[to.worker_id] = connection
        target.incoming[source.address.worker_id] = connection
        return connection

    def send(self, connection: Connection, message: Message) -> None:
        if self._watched and self._is_kept(connection, message):
            return
        self.sent += 1
        size = 0
        if self._through_wire is not None:
            message, size = self._through_wire(message)
        if not connection.target.alive:
            self._refuse(connection, message)
            return
        delay_ns = connection.latency
        if self._handling is not None and connection.source is not connection.target:
            delay_ns += self._handling.take(connection.source, message)
        if connection.remote:
            if not size:
                measure = SIZES.get(type(message))
                size = ENVELOPE_BYTES if measure is None else measure(message)
            if connection.queue or size > SMALL_BYTES:
                self._transfer(connection, message, size)
                return
            now_ns = self._clock._now
            arrival_ns = now_ns + delay_ns + int(size * self._ns_per_byte)
            if arrival_ns < connection.last_ns:
                arrival_ns = connection.last_ns
            else:
                connection.last_ns = arrival_ns
            delay_ns = arrival_ns - now_ns
        elif self._alone and type(message) is ObjectChunk:
            self._move_alone(connection, message)
            return
        self._after(delay_ns, Delivery(connection, message, self._deliver))

    def _is_kept(self, connection: Connection, message: Message) -> bool:
        """By the disturbance, which releases it later, or never."""
        if self._released:
            return False
        if self._trace:
            self._record(connection.source, "send", connection.target, message)
        return self._disturbance is not None and self._disturbance.keeps(connection, message)

    def _refuse(self, connection: Connection, message: Message) -> None:
        """Nobody listens: on a live node the sender learns it after a round trip; from a dead one, never."""
        self.drop(connection, message)
        if connection.target.node.alive and not connection.refused:
            connection.refused = True
            self._lose_later(connection.source, connection.target, 2 * connection.latency)

    # --- large messages ---

    def _move_alone(self, connection: Connection, chunk: ObjectChunk) -> None:
        """As if each object had the links for itself: its parts follow each other, and wait for no other object's."""
        now_ns, key = self._clock._now, (connection, chunk.object_id)
        begins_ns = max(now_ns, self._moving.pop(key, now_ns))
        self._moving[key] = ends_ns = begins_ns + int(chunk.length * self._ns_per_byte)
        while next(iter(self._moving.values())) < now_ns:
            del self._moving[next(iter(self._moving))]
        self.deliver_alone(connection, chunk, ends_ns + connection.latency - now_ns)

    def _transfer(self, connection: Connection, message: Message, size: int) -> None:
        queue = connection.queue
        if not isinstance(queue, deque):
            queue = connection.queue = deque()
        queue.append((message, size))
        if len(queue) == 1:
            links = (connection.source.node.link_out, connection.target.node.link_in)
            flow = Flow(size, links, lambda: self._on_transferred(connection))
            connection.flow = flow
            self.fabric.begin(flow)

    def _on_transferred(self, connection: Connection) -> None:
        clock, flow, queue = self._clock, connection.flow, connection.queue
        assert flow is not None
        assert isinstance(queue, deque), "a transfer ended that never began"
        message, _ = queue.popleft()
        connection.last_ns = max(connection.last_ns, clock.now_ns + connection.latency)
        clock.after(connection.last_ns - clock.now_ns, Delivery(connection, message, self._deliver))
        if queue:
            self.fabric.go_on(flow, queue[0][1])
        else:
            connection.flow = None
            self.fabric.end(flow)
            if not connection.source.alive:
                self._announce(connection)

    def _cut(self, connection: Connection) -> None:
        """What has not left the sender never does."""
        if connection.flow is not None:
            self.fabric.end(connection.flow)
            connection.flow = None
        for message, _ in connection.queue:
            self.drop(connection, message)
        connection.queue = ()

    # --- arrivals ---

    def _on_arrival(self, event: Delivery) -> None:
        """It waits until its receiver has time for it, where that costs any."""
        connection = event.connection
        target = connection.target
        if connection.source is target or not target.runs:
            self._on_delivery(event)
            return
        assert self._handling is not None
        delay_ns = self._handling.take(target, event.message)
        handled = Delivery(connection, event.message, (self._on_delivery,))
        self._clock.after(delay_ns, handled)

    def _on_loss_arrival(self, event: PeerLoss) -> None:
        """Behind what was sent before it."""
        assert self._handling is not None
        delay_ns = self._handling.left(event.host)
        self._clock.after(delay_ns, PeerLoss(event.host, event.peer, (self._on_loss,)))

    def _on_delivery(self, event: Delivery) -> None:
        connection = event.connection
        target = connection.target
        if not target.runs:
            if target.alive:
                target.hold(event)
            else:
                self.drop(connection, event.message)
            return
        if self._trace:
            self._record(target, "deliver", connection.source, event.message)
        message, process = event.message, target.process
        handler = process.handlers.get(type(message)) or process.receive
        handler(connection.source.address, message)

    def drop(self, connection: Connection, message: Message) -> None:
        if self._trace:
            self._record(connection.target, "drop", connection.source, message)

    def _record(self, host: "SimHost", kind: str, other: "SimHost", message: Message) -> None:
        self._journal.write(self._clock.now_ns, host.name, kind, (other.name, sketch(message)))

    # --- losses ---

    def ended(self, host: "SimHost", resets: bool) -> None:
        """A process is gone. `resets`: its peers see their connections break; else they see nothing."""
        for connection in host.incoming.values():
            self._cut(connection)
        if not resets:
            for connection in host.outgoing.values():
                self._cut(connection)
            if self._disturbance is not None:
                self._disturbance.vanished(host)
            return
        told: dict[bytes, None] = {}
        for connection in host.outgoing.values():
            # What was handed to the transport still leaves, and the loss is seen behind it.
            told[connection.target.address.worker_id] = None
            if not connection.queue:
                self._announce(connection)
        for connection in host.incoming.values():
            if connection.source.address.worker_id not in told:
                self._lose_later(connection.source, host, connection.latency)

    def _announce(self, connection: Connection) -> None:
        now = self._clock.now_ns
        arrival = max(now + connection.latency, connection.last_ns)
        self._lose_later(connection.target, connection.source, arrival - now)

    def _lose_later(self, host: "SimHost", peer: "SimHost", delay_ns: int) -> None:
        if host is peer:
            return
        disturbance = self._disturbance
        if disturbance is None or not disturbance.keeps_loss(host, peer):
            self._clock.after(delay_ns, PeerLoss(host, peer, self._lose))

    def tell_loss(self, connection: Connection) -> None:
        """That its source has ended: what the disturbance has kept, behind what it released before."""
        if connection.queue:
            return  # The end of the transfer tells.
        now = self._clock.now_ns
        arrival = max(now + connection.latency, connection.last_ns)
        loss = PeerLoss(connection.target, connection.source, self._lose)
        self._clock.after(arrival - now, loss)

    def _on_loss(self, event: PeerLoss) -> None:
        host = event.host
        if not host.runs:
            host.hold(event)
            return
        peer = event.peer
        outgoing = host.outgoing.get(peer.address.worker_id)
        if outgoing is not None:
            outgoing.refused = False
        if self._trace:
            lost = (peer.name, peer.ended_at)
            self._journal.write(self._clock.now_ns, host.name, "peer_lost", lost)
        host.process.peer_lost(peer.address)
