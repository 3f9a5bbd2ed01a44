"""Values that go through the channels of compiled graphs: sent, and kept until they were read. Never who runs when.

A value that refers to nothing goes straight into its readers' inboxes, where those are on this node and
have room. Else a value up to the inline limit travels in a message. A larger one is an object of the writer, in the
store of its node, from where its readers fetch it; it goes when the last of them has read it.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from raysim.protocol.host import Outlet, ProcessHost, ReturnValue
from raysim.protocol.messages import ChannelOutput, ChannelRead, ChannelWrite, ContainedRef
from raysim.protocol.owner.entries import Entry
from raysim.protocol.owner.extents import Extents
from raysim.protocol.owner.objects import ObjectTable
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ObjectId, TaskId, WorkerId

GATHER_NS = 100_000
"""Nanoseconds that a value may wait for company while its writer goes on at once. Measured: for methods of
a few microseconds it halves the messages; longer ones are sent as they come."""


def write_straight(
    outlets: Mapping[WorkerId, Outlet],
    number: int,
    output: ChannelOutput,
    parts: Sequence[bytes | memoryview],
    size: int,
    is_error: bool = False,
) -> ChannelOutput | None:
    """Write a value that refers to nothing; what is returned has those readers who need a message. No lock needed."""
    left: list[Address] | None = None
    for reader in output.readers:
        outlet = outlets.get(reader.worker_id)
        if outlet is None or not outlet.write(number, output.channel, parts, size, is_error):
            left = left or []
            left.append(reader)
    return None if left is None else ChannelOutput(output.channel, left)


class Kept(msgspec.Struct):
    """What a value that was sent refers to, for those that have still to read it."""

    readers: dict[WorkerId, None]
    contained: Sequence[ContainedRef]
    stored: ObjectId | None


class Channels:
    def __init__(
        self, host: ProcessHost, objects: ObjectTable, extents: Extents, raylet: Address
    ) -> None:
        self._host = host
        self._objects = objects
        self._extents = extents
        self._raylet = raylet
        self._outbox: list[tuple[Address, ChannelWrite]] = []
        self._since_ns = -1
        """When the first of the outbox came; negative: it is empty."""
        self._timer = False
        self._kept: dict[TaskId, dict[tuple[int, int], Kept]] = {}

    @property
    def has_unsent(self) -> bool:
        """Something waits for `settle` or `flush`."""
        return bool(self._outbox)

    def fits(self, value: ReturnValue) -> bool:
        """Whether it travels in the message."""
        return value.is_error or value.size <= self._host.config.max_inline_bytes

    def store(
        self,
        graph_id: TaskId,
        number: int,
        output: ChannelOutput,
        value: ReturnValue,
        object_id: ObjectId,
        wanted: Callable[[], bool],
        written: Callable[[], None],
    ) -> None:
        """Put a value, whose references are held, into the node's store under this name, and send it.

        Not sent if it is not `wanted` any more then. `written`: it is sent, and its parts may change.
        """

        def lent(extent: int, handle: int, failure: Failure | None) -> None:
            if failure is not None:
                self._objects.drop_holds(value.contained)
                if wanted():
                    self.write_failure(graph_id, number, output, failure)
                    self.flush()
                    written()
                return
            self._host.store.write(handle, value.parts)
            self._extents.seal(extent, object_id, value.size, self._host.address)
            entry = self._objects.create(object_id)
            self._objects.set_stored(entry, value.size, [self._raylet])
            if wanted():
                self.write_stored(graph_id, number, output, entry, value.contained)
                self.flush()
                written()
            else:
                self._objects.drop_holds(value.contained)
                self._objects.check(entry)  # Nobody refers to it.

        self._extents.request(value.size, lent)

    def write_inline(
        self,
        graph_id: TaskId,
        number: int,
        output: ChannelOutput,
        payload: bytes,
        contained: Sequence[ContainedRef] = (),
        is_error: bool = False,
    ) -> None:
        held = bool(contained)
        if held:
            self._keep(graph_id, number, output, contained, None)
        message = ChannelWrite(graph_id, number, output.channel, payload, is_error, held)
        for reader in output.readers:
            self._outbox.append((reader, message))

    def write_stored(
        self,
        graph_id: TaskId,
        number: int,
        output: ChannelOutput,
        entry: Entry,
        contained: Sequence[ContainedRef] = (),
    ) -> None:
        """An object of this process that is in the node's store."""
        self._objects.use(entry)
        self._keep(graph_id, number, output, contained, entry.object_id)
        message = ChannelWrite(
            graph_id,
            number,
            output.channel,
            held=True,
            object_id=entry.object_id,
            size=entry.size,
            holder=self._raylet,
        )
        for reader in output.readers:
            self._outbox.append((reader, message))

    def write_failure(
        self, graph_id: TaskId, number: int, output: ChannelOutput, failure: Failure
    ) -> None:
        message = ChannelWrite(graph_id, number, output.channel, failure=failure)
        for reader in output.readers:
            self._outbox.append((reader, message))

    def flush(self) -> None:
        """Send what was written."""
        outbox, self._outbox = self._outbox, []
        for reader, message in outbox:
            self._host.send(reader, message)

    def settle(self, more: bool) -> None:
        """After each value: send at once, unless `more` follows in a moment."""
        if not self._outbox:
            return
        now = self._host.now_ns()
        if self._since_ns < 0:
            self._since_ns = now
        if not more or now - self._since_ns >= GATHER_NS:
            self._since_ns = -1
            self.flush()
        elif not self._timer:
            self._timer = True
            self._host.call_later(GATHER_NS, self._flush_late)

    def _flush_late(self) -> None:
        self._timer = False
        self._since_ns = -1
        self.flush()

    def _keep(
        self,
        graph_id: TaskId,
        number: int,
        output: ChannelOutput,
        contained: Sequence[ContainedRef],
        stored: ObjectId | None,
    ) -> None:
        kept = Kept({reader.worker_id: None for reader in output.readers}, contained, stored)
        self._kept.setdefault(graph_id, {})[number, output.channel] = kept
        if not kept.readers:
            self._read(graph_id, (number, output.channel))

    def on_read(self, sender: Address, read: ChannelRead) -> None:
        key = read.number, read.channel
        kept = self._kept.get(read.graph_id, {}).get(key)
        if kept is not None:
            kept.readers.pop(sender.worker_id, None)
            if not kept.readers:
                self._read(read.graph_id, key)

    def _read(self, graph_id: TaskId, key: tuple[int, int]) -> None:
        of_graph = self._kept[graph_id]
        self._let_go(of_graph.pop(key))
        if not of_graph:
            del self._kept[graph_id]

    def _let_go(self, kept: Kept) -> None:
        self._objects.drop_holds(kept.contained)
        if kept.stored is not None:
            self._objects.drop_use(kept.stored)

    def acknowledge(self, writer: Address, write: ChannelWrite) -> None:
        """This value was read: say so once everything that came inside is known to its owner."""
        if write.held:
            read = ChannelRead(write.graph_id, write.number, write.channel)
            self._objects.after_acknowledgements(lambda: self._host.send(writer, read))

    def close(self, graph_id: TaskId) -> None:
        """Nobody reads what this process has sent through the graph."""
        for kept in self._kept.pop(graph_id, {}).values():
            self._let_go(kept)
